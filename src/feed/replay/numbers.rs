//! `TradeNumbers`: corrections and cancellations of a recording name a trade by its number in the recorded stream; here they name it by
//! its number in the stream of this replay.

use crate::domain::{EventBody, SymbolId};

/// Runs of trades of one symbol that are kept. A recording has a run for each hole in it.
const RUNS_MAX: usize = 1_024;

/// The numbers of the trades of every symbol.
#[derive(Debug)]
pub(super) struct TradeNumbers(Vec<OfSymbol>);

#[derive(Clone, Debug, Default)]
struct OfSymbol {
    /// Trades returned so far.
    returned: u64,
    /// The number in the recording and the number here of the first trade of each run of trades without a hole.
    runs: Vec<(u64, u64)>,
    /// The number in the recording of the newest trade.
    newest: u64,
}

impl TradeNumbers {
    pub(super) fn new(symbols: usize) -> Self {
        Self(vec![OfSymbol::default(); symbols])
    }

    /// Forgets the trades of the files, but not how many were returned: after a seek they come again.
    pub(super) fn forget(&mut self) {
        for symbol in &mut self.0 {
            (symbol.runs, symbol.newest) = (Vec::new(), 0);
        }
    }

    /// Counts a trade, whose number in the recording is `recorded` (0 if the file has no numbers), or replaces the number in a correction
    /// or a cancellation. Returns `None` for one of a trade that was not returned.
    pub(super) fn number(&mut self, id: SymbolId, recorded: u64, mut body: EventBody) -> Option<EventBody> {
        let symbol = self.0.get_mut(id.index())?;
        match &mut body {
            EventBody::Trade(_) => symbol.count(recorded),
            EventBody::Correction(correction) => correction.trade_seq = symbol.here(correction.trade_seq)?,
            EventBody::Cancel(cancel) => cancel.trade_seq = symbol.here(cancel.trade_seq)?,
            _ => {}
        }
        Some(body)
    }
}

impl OfSymbol {
    fn count(&mut self, recorded: u64) {
        self.returned += 1;
        if recorded == 0 {
            return;
        }
        if self.runs.is_empty() || recorded != self.newest + 1 {
            if self.runs.len() == RUNS_MAX {
                self.runs.remove(0);
            }
            self.runs.push((recorded, self.returned));
        }
        self.newest = recorded;
    }

    fn here(&self, recorded: u64) -> Option<u64> {
        let place = self.runs.iter().rposition(|(first, _)| *first <= recorded)?;
        let (first, here) = self.runs[place];
        let end = self.runs.get(place + 1).map_or(self.returned, |(_, next)| next - 1);
        Some(here + recorded - first).filter(|number| *number <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cancel, CancelKind, Price, Size, Timestamp, Trade};

    const TRADE: Trade =
        Trade { ts: Timestamp::from_micros(1), price: Price::from_units(10_000), size: Size::from_micros(1) };

    #[test]
    fn a_cancellation_names_the_same_trade_as_in_the_recording() {
        let mut numbers = TradeNumbers::new(1);
        let mut named = |recorded: Option<u64>, trade_seq| {
            let cancel = Cancel { ts: TRADE.ts, trade_seq, trade: TRADE, kind: CancelKind::Error };
            let body = recorded.map_or(EventBody::Cancel(cancel.into()), |_| EventBody::Trade(TRADE));
            match numbers.number(SymbolId(0), recorded.unwrap_or_default(), body)? {
                EventBody::Cancel(cancel) => Some(cancel.trade_seq),
                _ => None,
            }
        };
        for recorded in [71, 72, 73, 90, 91] {
            named(Some(recorded), 0);
        }
        let cases = [
            (70, None),
            (71, Some(1)),
            (73, Some(3)),
            (74, None),
            (89, None),
            (90, Some(4)),
            (91, Some(5)),
            (92, None),
        ];
        for (recorded, here) in cases {
            assert_eq!(named(None, recorded), here, "{recorded}");
        }
    }
}
