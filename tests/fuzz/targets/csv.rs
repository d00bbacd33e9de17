//! CSV files of market data, in every layout: the promises of `tape.rs`. What follows a line of `=` is the book of LOBSTER beside it.

use super::tape::{check, choose, take_options};

/// The names of files show layouts, symbols and lengths of bars.
const NAMES: [&str; 6] = [
    "SPY.csv",
    "intraday.csv",
    "BTCUSDT-1m-2021-01.csv",
    "BTCUSDT-trades-2025-01-01.csv",
    "minute_aggs_v1-2025-04-16.csv",
    MESSAGES,
];
const MESSAGES: &str = "AAPL_2012-06-21_34200000_57600000_message_1.csv";
const BOOK: &str = "AAPL_2012-06-21_34200000_57600000_orderbook_1.csv";

pub(super) fn run(mut data: &[u8]) {
    let name = NAMES[usize::from(choose(&mut data)) % NAMES.len()];
    let options = take_options(&mut data);
    let end = b"=\n";
    let place = data.windows(end.len()).position(|part| part == end).filter(|_| name == MESSAGES);
    let (content, book) = place.map_or((data, None), |place| (&data[..place], Some(&data[place + end.len()..])));
    check(name, content, book.map(|book| (BOOK, book)), &options);
}
