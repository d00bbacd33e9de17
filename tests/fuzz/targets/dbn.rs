//! Files of Databento: the promises of `tape.rs`.

use super::tape::{check, take_options};

pub(super) fn run(mut data: &[u8]) {
    let options = take_options(&mut data);
    check("x.dbn", data, None, &options);
}
