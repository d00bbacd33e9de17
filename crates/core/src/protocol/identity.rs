//! The identity of an event in the words of vendors: trade ids, exchanges, conditions and tapes, which the market does not have.
//!
//! Pure functions of symbol and `seq`, so that the same event has the same ones in every dialect, over HTTP, and after a
//! reconnect. A dialect decides which of them it writes.

use crate::domain::{Size, Symbol};

/// Id of the first corrected trade. Ids of trades are smaller, and all ids are below 2^53, so that JavaScript reads them exactly.
const CORRECTED_IDS: u64 = 1 << 52;
/// Trades of less than this are odd lots, in shares.
const ROUND_LOT: Size = Size::new(100);
/// One trade in this many is an intermarket sweep.
const SWEEP_ONE_IN: u64 = 12;
/// One trade in this many is reported as one of extended hours.
const FORM_T_ONE_IN: u64 = 100;
/// The built-in symbols that are listed on Nasdaq.
const NASDAQ: [&str; 12] =
    ["AAPL", "AMD", "AMZN", "COST", "GOOGL", "LIN", "META", "MSFT", "NFLX", "NVDA", "TSLA", "WMT"];
/// The built-in symbols that are listed on the NYSE.
const NYSE: [&str; 18] = [
    "AMT", "BA", "BAC", "BRK.B", "CAT", "CVX", "DIS", "HD", "JNJ", "JPM", "KO", "LLY", "MCD", "NEE", "PG", "UNH", "V",
    "XOM",
];

/// Returns the id of the trade with this `seq`: the `seq`, unique for the symbol.
pub fn trade_id(trade_seq: u64) -> i64 {
    i64::try_from(trade_seq).unwrap_or(i64::MAX)
}

/// Returns the id that a trade has after the correction with this `seq`, different from that of every trade of the symbol.
pub fn corrected_trade_id(correction_seq: u64) -> i64 {
    trade_id(CORRECTED_IDS.saturating_add(correction_seq))
}

/// A trading venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// The letter of the consolidated tapes, which Alpaca uses: `V`.
    pub letter: &'static str,
    /// Massive's number.
    pub massive: u8,
    /// The name.
    pub name: &'static str,
    /// The part of the trades and quotes, in 100.
    share: u64,
}

/// The venues, most active first.
pub const EXCHANGES: [Exchange; 11] = [
    Exchange { letter: "D", massive: 4, name: "FINRA ADF", share: 30 },
    Exchange { letter: "Q", massive: 12, name: "NASDAQ", share: 20 },
    Exchange { letter: "N", massive: 10, name: "New York Stock Exchange", share: 12 },
    Exchange { letter: "P", massive: 11, name: "NYSE Arca", share: 10 },
    Exchange { letter: "Z", massive: 19, name: "Cboe BZX", share: 8 },
    Exchange { letter: "K", massive: 8, name: "Cboe EDGX", share: 7 },
    Exchange { letter: "V", massive: 15, name: "IEX", share: 5 },
    Exchange { letter: "U", massive: 21, name: "Members Exchange", share: 3 },
    Exchange { letter: "Y", massive: 18, name: "Cboe BYX", share: 2 },
    Exchange { letter: "J", massive: 7, name: "Cboe EDGA", share: 2 },
    Exchange { letter: "H", massive: 20, name: "MIAX", share: 1 },
];

/// Returns the venue of the trade with this `seq`.
pub fn exchange(symbol: Symbol, trade_seq: u64) -> Exchange {
    venue(hash(symbol, trade_seq, Purpose::Trade))
}

/// Returns the venues of bid and ask of the quote with this `seq`. Quotes come from exchanges, not from off-exchange trading.
pub fn quote_exchanges(symbol: Symbol, quote_seq: u64) -> [Exchange; 2] {
    [Purpose::Bid, Purpose::Ask].map(|purpose| {
        let lit = 100 - EXCHANGES[0].share;
        venue(EXCHANGES[0].share + hash(symbol, quote_seq, purpose) % lit)
    })
}

fn venue(hash: u64) -> Exchange {
    let mut place = hash % 100;
    for exchange in EXCHANGES {
        if place < exchange.share {
            return exchange;
        }
        place -= exchange.share;
    }
    EXCHANGES[0]
}

/// The conditions of a trade; every trade is also a regular one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TradeConditions {
    /// Whether it was part of an order that swept several exchanges.
    pub is_sweep: bool,
    /// Whether it was reported as one of extended hours.
    pub is_form_t: bool,
    /// Whether it was of less than 100 shares.
    pub is_odd_lot: bool,
}

/// Returns the conditions of the trade with this `seq` and size.
pub fn trade_conditions(symbol: Symbol, trade_seq: u64, size: Size) -> TradeConditions {
    let hash = hash(symbol, trade_seq, Purpose::Conditions);
    TradeConditions {
        is_sweep: hash.is_multiple_of(SWEEP_ONE_IN),
        is_form_t: (hash >> 32).is_multiple_of(FORM_T_ONE_IN),
        is_odd_lot: size < ROUND_LOT,
    }
}

impl TradeConditions {
    /// Returns the letters of the consolidated tapes, which Alpaca uses: `@` for every trade, `F`, `T`, `I`.
    pub fn letters(self) -> impl Iterator<Item = &'static str> {
        std::iter::once("@").chain(self.choose(["F", "T", "I"]))
    }

    /// Returns Massive's numbers: 14 intermarket sweep, 12 form T, 37 odd lot; none for a regular trade.
    pub fn massive(self) -> impl Iterator<Item = u8> {
        self.choose([14, 12, 37])
    }

    /// Returns Finnhub's numbers, which it writes as texts: 1 for every trade, 8 intermarket sweep, 24 form T, 12 odd lot.
    pub fn finnhub(self) -> impl Iterator<Item = &'static str> {
        std::iter::once("1").chain(self.choose(["8", "24", "12"]))
    }

    fn choose<T>(self, [sweep, form_t, odd_lot]: [T; 3]) -> impl Iterator<Item = T> {
        let some =
            [self.is_sweep.then_some(sweep), self.is_form_t.then_some(form_t), self.is_odd_lot.then_some(odd_lot)];
        some.into_iter().flatten()
    }
}

/// The condition of every quote in letters: a regular one on both sides.
pub const QUOTE_CONDITION: &str = "R";
/// The same as Massive's number.
pub const QUOTE_CONDITION_MASSIVE: u8 = 1;

/// The consolidated tape that reports a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tape {
    /// Symbols listed on the NYSE.
    A,
    /// Symbols listed on NYSE American, Arca and regional exchanges.
    B,
    /// Symbols listed on Nasdaq.
    C,
}

impl Tape {
    /// Returns the letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }

    /// Returns Massive's number, 1 to 3.
    pub const fn massive(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 2,
            Self::C => 3,
        }
    }
}

/// Returns the tape of a symbol: the real one of the built-in symbols.
pub fn tape(symbol: Symbol) -> Tape {
    let is_in = |list: &[&str]| list.contains(&symbol.as_str());
    if is_in(&NASDAQ) {
        return Tape::C;
    }
    if is_in(&NYSE) {
        return Tape::A;
    }
    match hash(symbol, 0, Purpose::Tape) % 10 {
        0..4 => Tape::A,
        4 => Tape::B,
        _ => Tape::C,
    }
}

/// The value that is drawn, so that the values of one event are independent of each other.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Trade = 1,
    Bid = 2,
    Ask = 3,
    Conditions = 4,
    Tape = 5,
}

/// Returns 64 bits that look random: FNV-1a over the symbol, `seq` and purpose, then the finalizer of `SplitMix64`.
fn hash(symbol: Symbol, seq: u64, purpose: Purpose) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in symbol.as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut mixed = hash.wrapping_add(seq.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add((purpose as u64) << 56);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const COUNT: u64 = 100_000;

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap()
    }

    /// Asserts that so many of [`COUNT`] are this part of them, within five standard deviations.
    fn assert_part(count: u64, part: f64, about: &str) {
        let [count, of] = [count, COUNT].map(|count| f64::from(u32::try_from(count).unwrap()));
        let deviations = (count - of * part) / (of * part * (1.0 - part)).sqrt();
        assert!(deviations.abs() < 5.0, "{about}: {count} of {of}, not {part}");
    }

    #[test]
    fn the_values_of_an_event_are_always_the_same() {
        // Recorded: clients may store ids and exchanges, and compare them after an update of the server.
        let aapl = symbol("AAPL");
        let letters: String = (1..=20).map(|seq| exchange(aapl, seq).letter).collect();
        assert_eq!(letters, "DDKDDZVDNPVNZQPPPNQU");
        let quotes: String = (1..=10).flat_map(|seq| quote_exchanges(aapl, seq)).map(|each| each.letter).collect();
        assert_eq!(quotes, "PVNQPPQZJJVNZPKNNPNN");
        let others: String = (1..=20).map(|seq| exchange(symbol("MSFT"), seq).letter).collect();
        assert_ne!(others, letters);
        for seq in 1..1_000 {
            assert_eq!(exchange(aapl, seq), exchange(aapl, seq));
            let conditions = || trade_conditions(aapl, seq, Size::new(40));
            assert_eq!(conditions(), conditions());
        }
    }

    #[test]
    fn every_exchange_has_its_share_of_trades_and_of_both_sides_of_quotes() {
        assert_eq!(EXCHANGES.iter().map(|exchange| exchange.share).sum::<u64>(), 100);
        for name in ["AAPL", "A", "SYM0001"].map(symbol) {
            let mut counts = [(); 3].map(|()| BTreeMap::<&str, u64>::new());
            for seq in 1..=COUNT {
                let [bid, ask] = quote_exchanges(name, seq);
                for (counts, exchange) in counts.iter_mut().zip([exchange(name, seq), bid, ask]) {
                    *counts.entry(exchange.letter).or_default() += 1;
                }
            }
            for Exchange { letter, share, .. } in EXCHANGES {
                let share = f64::from(u32::try_from(share).unwrap());
                let count = |counts: &BTreeMap<_, _>| counts.get(letter).copied().unwrap_or(0);
                assert_part(count(&counts[0]), share / 100.0, letter);
                for side in &counts[1..] {
                    if letter == "D" {
                        assert_eq!(count(side), 0, "off-exchange trading has no quotes");
                    } else {
                        assert_part(count(side), share / 70.0, letter);
                    }
                }
            }
        }
    }

    #[test]
    fn the_venues_have_different_letters_and_numbers() {
        for (index, exchange) in EXCHANGES.iter().enumerate() {
            let before = &EXCHANGES[..index];
            assert!(before.iter().all(|each| each.letter != exchange.letter && each.massive != exchange.massive));
        }
    }

    #[test]
    fn odd_lots_are_told_by_their_size_and_a_few_trades_are_sweeps_or_of_extended_hours() {
        let (aapl, mut sweeps, mut form_ts) = (symbol("AAPL"), 0, 0);
        for seq in 1..=COUNT {
            let conditions = trade_conditions(aapl, seq, Size::new(100));
            assert!(!conditions.is_odd_lot && trade_conditions(aapl, seq, Size::new(99)).is_odd_lot);
            sweeps += u64::from(conditions.is_sweep);
            form_ts += u64::from(conditions.is_form_t);
        }
        assert_part(sweeps, 1.0 / 12.0, "sweeps");
        assert_part(form_ts, 1.0 / 100.0, "extended hours");
        let all = TradeConditions { is_sweep: true, is_form_t: true, is_odd_lot: true };
        assert_eq!(all.letters().collect::<String>(), "@FTI");
        assert_eq!(all.massive().collect::<Vec<_>>(), [14, 12, 37]);
        assert_eq!(all.finnhub().collect::<Vec<_>>(), ["1", "8", "24", "12"]);
        let none = TradeConditions { is_sweep: false, is_form_t: false, is_odd_lot: false };
        assert_eq!((none.letters().collect::<String>(), none.massive().count()), ("@".into(), 0));
        assert_eq!(none.finnhub().collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn built_in_symbols_have_their_real_tape_and_others_one_of_the_three() {
        assert_eq!(["AAPL", "KO", "BRK.B", "WMT"].map(|name| tape(symbol(name)).letter()), ["C", "A", "A", "C"]);
        assert!(NASDAQ.is_sorted() && NYSE.is_sorted());
        let tapes: Vec<_> = (0..1_000).map(|number| tape(symbol(&format!("SYM{number:04}")))).collect();
        for (each, letter, number) in [(Tape::A, "A", 1), (Tape::B, "B", 2), (Tape::C, "C", 3)] {
            assert_eq!((each.letter(), each.massive()), (letter, number));
            assert!((50..600).contains(&tapes.iter().filter(|tape| **tape == each).count()), "{letter}");
        }
    }

    #[test]
    fn the_id_of_a_corrected_trade_differs_from_every_other_one() {
        assert_eq!((trade_id(1), trade_id(2)), (1, 2));
        assert_eq!(corrected_trade_id(2) - corrected_trade_id(1), 1);
        assert!(corrected_trade_id(1) > trade_id(1 << 50) && corrected_trade_id(1 << 50) < 1 << 53);
        assert_eq!(trade_id(u64::MAX), i64::MAX);
    }
}
