//! Files of revoked tokens: an accepted one says what it revokes, by a second reading; a complaint is one line.

use tickcast::access::fuzz::revocations;
use toml::{Table, Value};

use super::parts::check_complaint;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match revocations(text) {
        Ok(count) => {
            let file: Table = text.parse().expect("it was read as TOML");
            let entries = file.get("revoked").and_then(Value::as_array).expect("a list");
            // Two entries may be about the same token.
            assert!(count <= entries.len() && (count == 0) == entries.is_empty());
            for entry in entries {
                assert_eq!(entry.get("jti").is_some(), entry.get("sub").is_none(), "{entry:?}");
                assert_eq!(entry.get("sub").is_some(), entry.get("issued_before").is_some(), "{entry:?}");
            }
        }
        Err(complaint) => check_complaint(&complaint),
    }
}
