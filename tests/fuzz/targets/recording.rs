//! Recordings, and anything else whose content shows what it is: the promises of `tape.rs`.

use super::tape::{check, take_options};

pub(super) fn run(mut data: &[u8]) {
    let options = take_options(&mut data);
    check("SPY.jsonl", data, None, &options);
}
