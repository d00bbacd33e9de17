//! The parts of which the targets are made: inputs that are cut into pieces, and the checks of answers that all have in common.

use bytes::BytesMut;
use serde_json::Value;
use tickcast::protocol::{Dialect, ServerMessage};

/// Takes the first byte of an input; 0 if there is none.
pub(super) fn take(data: &mut &[u8]) -> u8 {
    let Some((first, rest)) = data.split_first() else { return 0 };
    *data = rest;
    *first
}

/// Takes the first byte of an input, and returns whether it is even.
pub(super) fn flip(data: &mut &[u8]) -> bool {
    take(data).is_multiple_of(2)
}

/// Cuts bytes into pieces: one after each of these distances, then the rest.
pub(super) fn cut<'a>(data: &'a [u8], distances: &[u8]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), data);
    for distance in distances {
        let (piece, others) = rest.split_at(usize::from(*distance).min(rest.len()));
        pieces.push(piece);
        rest = others;
    }
    pieces.push(rest);
    pieces
}

/// Takes the distances for [`cut`] from the beginning of an input: up to seven.
pub(super) fn take_distances<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let count = usize::from(take(data) % 8).min(data.len());
    let (distances, rest) = data.split_at(count);
    *data = rest;
    distances
}

/// Returns the JSON that the bytes are.
pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|err| panic!("no JSON: {err}: {}", String::from_utf8_lossy(bytes)))
}

/// Returns the frame with this message alone.
pub(super) fn frame<D: Dialect>(message: &ServerMessage) -> Option<Vec<u8>> {
    let group = D::message_group(message)?;
    let mut out = BytesMut::new();
    D::begin_frame(group, &mut out);
    D::encode_message(message, &mut out);
    D::end_frame(group, 1, 0, &mut out);
    Some(out.to_vec())
}

/// Checks a refused request over HTTP: its status is one of a client's mistake, and its body JSON of bounded length.
pub(super) fn check_refusal((status, body): &(u16, Vec<u8>)) {
    assert!((400..500).contains(status), "{status}");
    assert!(body.len() <= 2_000, "{} bytes", body.len());
    assert!(json(body).is_object());
}

/// Checks the complaint about a file: one line of bounded length, in which no digest is quoted.
pub(super) fn check_complaint(complaint: &str) {
    assert!(!complaint.is_empty() && complaint.chars().count() <= 1_000, "{} bytes", complaint.len());
    assert!(!complaint.chars().any(|c| c == '\n' || c == '\r'), "{complaint:?}");
}

/// Writes text for a query string (WHATWG URL, section 5.2): every byte but letters and digits as `%41`.
pub(super) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
