//! Key files: an accepted one has at least one key, each with an id and a secret of its own, by a second reading; a complaint is one
//! line without a digest.

use std::collections::HashSet;

use tickcast::access::check_key_file;
use toml::{Table, Value};

use super::parts::check_complaint;

/// So many hexadecimal digits in a row are a part of a digest.
const DIGITS_MAX: usize = 32;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match check_key_file(text) {
        Ok(()) => check_accepted(text),
        Err(complaint) => {
            check_complaint(&complaint);
            let is_long = |digits: &str| digits.len() >= DIGITS_MAX;
            let quotes = complaint.split(|c: char| !c.is_ascii_hexdigit()).any(is_long);
            // An id of such digits may be quoted.
            assert!(!quotes || complaint.contains("key ") || complaint.contains("id "), "{complaint}");
        }
    }
}

fn check_accepted(text: &str) {
    let file: Table = text.parse().expect("it was read as TOML");
    let keys = file.get("keys").and_then(Value::as_array).expect("a list of keys");
    assert!(!keys.is_empty());
    let (mut ids, mut secrets) = (HashSet::new(), HashSet::new());
    for key in keys {
        let id = key.get("id").and_then(Value::as_str).expect("an id");
        assert!(!id.is_empty() && !id.contains(':') && ids.insert(id), "{id:?}");
        let digests = match key.get("secret_sha256").expect("a secret") {
            Value::Array(list) => list.iter().map(|text| text.as_str().expect("a text")).collect(),
            one => vec![one.as_str().expect("a text")],
        };
        assert!((1..=2).contains(&digests.len()));
        let own: HashSet<_> = digests.iter().map(|digest| digest.to_lowercase()).collect();
        for digest in own {
            assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(secrets.insert(digest), "two keys have one secret");
        }
        let symbols = key.get("symbols").and_then(Value::as_array).expect("symbols");
        assert!(symbols.iter().all(|text| text.as_str().is_some_and(|text| (1..=64).contains(&text.len()))));
        if let Some(hz) = key.get("max_hz") {
            let whole = || u32::try_from(hz.as_integer()?).ok().map(f64::from);
            let hz = hz.as_float().or_else(whole).expect("a number");
            assert!((0.001..=1_000.0).contains(&hz), "{hz}");
        }
    }
}
