//! Parses one request head, and changes headers that actix-http would reject: `Upgrade: websocket, h2c` offers a WebSocket (RFC
//! 9110 section 7.8), and `Connection: Upgrade` of a client that offers only `h2c` must not close the connection.

use std::ops::Range;

use crate::transport::connection::request_body::{Faulty, RequestBody};

/// The most headers that actix-http accepts.
pub(super) const HEADERS_MAX: usize = 96;

/// The kind of bytes after a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Head,
    /// A body, and nothing after it.
    Body(RequestBody),
    /// WebSocket frames, if the request is accepted: held back for the session.
    Frames,
    /// A tunnel, or bytes that are not HTTP: passed on as they arrive.
    Other,
    /// Nothing that is passed on.
    Nothing,
}

/// Parses a head; adds the ranges to overwrite with blanks to `blanks`. `None` if the head is incomplete.
pub(super) fn parse(bytes: &[u8], blanks: &mut Vec<Range<usize>>) -> Result<Option<(usize, Next)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(len) = request.parse(bytes)? else { return Ok(None) };
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        start..start + part.len()
    };
    let named = |name: &'static str| {
        let headers: &[httparse::Header<'_>] = request.headers;
        headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    };
    let websocket = named("upgrade").flat_map(parts).find(|part| part.eq_ignore_ascii_case(b"websocket"));
    let upgrade: Vec<_> =
        named("connection").flat_map(parts).filter(|part| part.eq_ignore_ascii_case(b"upgrade")).collect();
    match websocket.map(place) {
        Some(websocket) if !upgrade.is_empty() => {
            let among = |value: &Range<usize>| value.start <= websocket.start && websocket.end <= value.end;
            if let Some(value) = named("upgrade").map(place).find(among) {
                blanks.extend([value.start..websocket.start, websocket.end..value.end]);
            }
        }
        _ => blanks.extend(upgrade.iter().map(|part| place(part))),
    }
    let is_alone = || named("upgrade").any(|value| value.trim_ascii().eq_ignore_ascii_case(b"websocket"));
    let opens_websocket = websocket.is_some() && (!upgrade.is_empty() || is_alone());
    // The order of these checks is that of actix-http.
    let next = match RequestBody::announced(named("transfer-encoding"), named("content-length")) {
        Err(Faulty) => Next::Nothing,
        Ok(Some(body @ RequestBody::Chunks(..))) => Next::Body(body),
        _ if opens_websocket => Next::Frames,
        Ok(Some(body)) => Next::Body(body),
        Ok(None) if request.method == Some("CONNECT") => Next::Other,
        Ok(None) => Next::Head,
    };
    Ok(Some((len, next)))
}

/// Returns the elements of a comma-separated list.
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
