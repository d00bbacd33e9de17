//! Heads of HTTP requests: wherever the bytes are split, the same ones are passed on, and none of them changed but an offer of another
//! protocol that is blanked out.

use tickcast::transport::fuzz::{Heads, pass_heads};

use super::parts::{cut, take_distances};

const HEAD_BYTES_MAX: usize = 400;

pub(super) fn run(mut data: &[u8]) {
    let distances = take_distances(&mut data);
    let whole = pass_heads(&[data], HEAD_BYTES_MAX);
    let split = pass_heads(&cut(data, distances), HEAD_BYTES_MAX);
    for passed in [&whole, &split] {
        check(data, passed);
    }
    if whole.error.is_none() && whole != split {
        // A head without an end is looked at from time to time only, so it may be found later that it is none, or sooner that it is too
        // long.
        let Heads { passed, held, error } = &split;
        let is_none = pass_heads(&[held], HEAD_BYTES_MAX).error.is_some();
        let is_long = error.is_some() && data.len() - passed.len() > HEAD_BYTES_MAX;
        assert!(whole.passed.starts_with(passed) && (is_none || is_long), "split {distances:?}: {whole:?}, {split:?}");
    }
}

fn check(data: &[u8], Heads { passed, held, .. }: &Heads) {
    assert!(passed.len() + held.len() <= data.len());
    let is_same = |(given, read): (&u8, &u8)| given == read || *given == b' ';
    assert!(passed.iter().zip(data).all(is_same), "changed: {:?}", String::from_utf8_lossy(passed));
    assert_eq!(held, &data[passed.len()..passed.len() + held.len()]);
}
