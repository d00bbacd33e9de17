//! `Numbering`: gives the events of one connection to a vendor's server their numbers, which the vendor does not send.

use std::collections::{HashMap, VecDeque};

use crate::domain::{Cancel, Channel, Correction, EventBody, Symbol, Timestamp, Trade};
use crate::protocol::{VendorBody, VendorEvent};

/// Trades that are remembered, so that a correction finds the number of its trade: some 65 MiB.
const TRADES_MAX: usize = 900_000;
/// Topics that are numbered: a server that invents symbols must not fill the memory.
const TOPICS_MAX: usize = 500_000;

/// The number and the time of a trade.
type TradePlace = (u64, Timestamp);

/// An event that cannot be numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unnumbered {
    /// A correction or cancellation of a trade that is not known: of before the connection, or too long ago.
    Trade,
    /// A symbol beyond [`TOPICS_MAX`].
    Symbol,
}

/// See the module.
#[derive(Default)]
pub(super) struct Numbering {
    /// The newest number of each topic.
    seqs: HashMap<(Symbol, usize), u64>,
    /// Trades by the id of the vendor.
    trades: HashMap<(Symbol, u64), TradePlace>,
    /// The same in the order in which they came.
    order: VecDeque<(Symbol, u64)>,
}

impl Numbering {
    /// Returns the event and its number in its topic.
    pub(super) fn number(&mut self, event: VendorEvent) -> Result<(u64, EventBody), Unnumbered> {
        let symbol = event.symbol;
        match event.body {
            VendorBody::Trade { trade, id } => {
                let seq = self.next(symbol, Channel::Trades)?;
                if let Some(id) = id {
                    self.remember((symbol, id), (seq, trade.ts));
                }
                Ok((seq, EventBody::Trade(trade)))
            }
            VendorBody::Other(body) => {
                let channel = match &body {
                    EventBody::Bar(interval, _) => Channel::Bars(*interval),
                    EventBody::UpdatedBar(_) => Channel::UpdatedBars,
                    EventBody::DailyBar(_) => Channel::DailyBars,
                    _ => Channel::Quotes,
                };
                Ok((self.next(symbol, channel)?, body))
            }
            VendorBody::Correction(correction) => {
                let (trade_seq, ts) = self.place(symbol, correction.id)?;
                if let Some(id) = correction.right_id {
                    self.remember((symbol, id), (trade_seq, ts));
                }
                let trade = Trade { ts, price: correction.price, size: correction.size };
                let (price, size) = (correction.right_price, correction.right_size);
                let body = Correction { ts: correction.ts, trade_seq, trade, price, size };
                Ok((self.next(symbol, Channel::Corrections)?, EventBody::Correction(Box::new(body))))
            }
            VendorBody::Cancel(cancel) => {
                let (trade_seq, ts) = self.place(symbol, cancel.id)?;
                let trade = Trade { ts, price: cancel.price, size: cancel.size };
                let body = Cancel { ts: cancel.ts, trade_seq, trade, kind: cancel.kind };
                Ok((self.next(symbol, Channel::Cancels)?, EventBody::Cancel(Box::new(body))))
            }
        }
    }

    fn next(&mut self, symbol: Symbol, channel: Channel) -> Result<u64, Unnumbered> {
        let key = (symbol, channel.index());
        if self.seqs.len() == TOPICS_MAX && !self.seqs.contains_key(&key) {
            return Err(Unnumbered::Symbol);
        }
        let seq = self.seqs.entry(key).or_default();
        *seq += 1;
        Ok(*seq)
    }

    fn place(&self, symbol: Symbol, id: u64) -> Result<TradePlace, Unnumbered> {
        self.trades.get(&(symbol, id)).copied().ok_or(Unnumbered::Trade)
    }

    fn remember(&mut self, trade: (Symbol, u64), place: TradePlace) {
        if self.trades.insert(trade, place).is_some() {
            return;
        }
        self.order.push_back(trade);
        if self.order.len() > TRADES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.trades.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CancelKind, Price, Size};
    use crate::protocol::{VendorCancel, VendorCorrection};

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap()
    }

    fn event(text: &str, body: VendorBody) -> VendorEvent {
        VendorEvent { symbol: symbol(text), body, is_rounded: false }
    }

    fn trade(text: &str, id: u64, micros: i64) -> VendorEvent {
        let (ts, price, size) = (Timestamp::from_micros(micros), Price::from_cents(100), Size::new(1));
        event(text, VendorBody::Trade { trade: Trade { ts, price, size }, id: Some(id) })
    }

    fn correction(text: &str, id: u64, right_id: u64) -> VendorEvent {
        let (price, size) = (Price::from_cents(100), Size::new(1));
        let (right_price, ts) = (Price::from_cents(200), Timestamp::from_micros(9));
        let body = VendorCorrection { ts, id, price, size, right_id: Some(right_id), right_price, right_size: size };
        event(text, VendorBody::Correction(body))
    }

    fn cancel(text: &str, id: u64) -> VendorEvent {
        let (price, size, ts) = (Price::from_cents(200), Size::new(1), Timestamp::from_micros(10));
        event(text, VendorBody::Cancel(VendorCancel { ts, id, price, size, kind: CancelKind::Error }))
    }

    #[test]
    fn a_correction_names_the_number_of_its_trade_and_a_cancellation_that_of_the_corrected_one() {
        let mut numbering = Numbering::default();
        for (seq, (name, id)) in [(1, ("A", 70)), (2, ("A", 71)), (1, ("B", 70))] {
            assert_eq!(numbering.number(trade(name, id, 5)).unwrap().0, seq);
        }
        let Ok((1, EventBody::Correction(corrected))) = numbering.number(correction("A", 71, 99)) else { panic!() };
        assert_eq!(
            (corrected.trade_seq, corrected.trade.ts, corrected.price),
            (2, Timestamp::from_micros(5), Price::from_cents(200))
        );
        let Ok((1, EventBody::Cancel(cancelled))) = numbering.number(cancel("A", 99)) else { panic!() };
        assert_eq!((cancelled.trade_seq, cancelled.kind), (2, CancelKind::Error));
        for unknown in [cancel("A", 7), cancel("B", 71), correction("C", 70, 1)] {
            assert_eq!(numbering.number(unknown), Err(Unnumbered::Trade));
        }
    }

    #[test]
    fn the_oldest_trades_and_the_symbols_beyond_the_bound_are_not_kept() {
        let mut numbering = Numbering::default();
        for id in 0..=TRADES_MAX as u64 {
            numbering.number(trade("A", id, 1)).unwrap();
        }
        assert_eq!((numbering.trades.len(), numbering.order.len()), (TRADES_MAX, TRADES_MAX));
        assert_eq!(numbering.number(cancel("A", 0)), Err(Unnumbered::Trade));
        assert!(numbering.number(cancel("A", 1)).is_ok());
        for number in 0..TOPICS_MAX {
            let _ = numbering.number(trade(&format!("S{number}"), 1, 1));
        }
        assert_eq!(numbering.seqs.len(), TOPICS_MAX);
        assert_eq!(numbering.number(trade("Z", 1, 1)), Err(Unnumbered::Symbol));
        assert!(numbering.number(trade("A", 1, 1)).is_ok());
    }
}
