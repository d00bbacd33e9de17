//! Sets of public keys (JWKS): no more keys are accepted than there are, and neither a key of an unknown kind nor a value that is no key
//! changes anything; a complaint is one line.

use serde_json::{Value, json};
use tickcast::access::fuzz::key_set;

use super::parts::check_complaint;

/// Most keys of a set.
const KEYS_MAX: usize = 256;

pub(super) fn run(data: &[u8]) {
    let count = match key_set(data) {
        Ok(count) => count,
        Err(complaint) => return check_complaint(&complaint),
    };
    let mut set: Value = serde_json::from_slice(data).expect("it was read as JSON");
    // A name that comes twice is read differently.
    let Some(keys) = set["keys"].as_array_mut() else { return };
    assert!((1..=keys.len()).contains(&count) && count <= KEYS_MAX);
    if keys.len() + 2 <= KEYS_MAX {
        keys.extend([json!({"kty": "new", "crv": "x"}), Value::Null]);
        let more = set.to_string();
        assert_eq!(key_set(more.as_bytes()), Ok(count), "{more}");
    }
}
