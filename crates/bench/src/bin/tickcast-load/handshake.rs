//! The opening handshake of a client (RFC 6455 section 4.1): the request, and the check of the answer. No socket.

use crate::target::Target;

/// The key of RFC 6455 section 1.3. Keys keep caches from mixing up answers; between loopback addresses there is none, and
/// with a fixed key the right answer is known.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer that belongs to [`KEY`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16_384;

/// Returns the request that opens a session.
pub(crate) fn request(target: &Target, subprotocol: Option<&str>) -> String {
    let Target { authority, path, .. } = target;
    let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

/// Returns how long the head of the answer is, once it is all there.
///
/// # Errors
///
/// Returns why this answer opens no session, in a few words that do not change from session to session.
pub(crate) fn accept(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX { Err("an endless answer".into()) } else { Ok(None) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "an answer that is no HTTP")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
    match status {
        Some("101") => {}
        Some(status) if status.bytes().all(|byte| byte.is_ascii_digit()) => return Err(format!("status {status}")),
        _ => return Err("an answer that is no HTTP".into()),
    }
    let mut accepted = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        accepted |= name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT;
        if name.eq_ignore_ascii_case("sec-websocket-extensions") && !value.trim().is_empty() {
            return Err("an extension nobody asked for".into());
        }
    }
    if accepted { Ok(Some(end + 4)) } else { Err("a wrong Sec-WebSocket-Accept".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nSEC-WebSocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn the_request_asks_for_what_was_said() {
        let target = Target::parse("ws://localhost:9/feed?x=1").unwrap();
        let text = request(&target, Some("tickcast.v1.json"));
        assert!(text.starts_with("GET /feed?x=1 HTTP/1.1\r\nHost: localhost:9\r\n"), "{text}");
        assert!(text.ends_with("Sec-WebSocket-Protocol: tickcast.v1.json\r\n\r\n"), "{text}");
        assert!(!request(&target, None).contains("Protocol"));
    }

    #[test]
    fn an_answer_is_accepted_when_it_is_whole_and_right() {
        let bytes = [ANSWER.as_bytes(), b"\x81\x00"].concat();
        assert_eq!(accept(&bytes), Ok(Some(ANSWER.len())));
        for len in 0..ANSWER.len() {
            assert_eq!(accept(&bytes[..len]), Ok(None), "{len}");
        }
    }

    #[test]
    fn any_other_answer_is_named() {
        let other = |from, to| accept(ANSWER.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(other("101", "503"), "status 503");
        assert_eq!(other("s3p", "xxx"), "a wrong Sec-WebSocket-Accept");
        assert_eq!(
            other("upgrade:", "sec-websocket-extensions: permessage-deflate\r\nx:"),
            "an extension nobody asked for"
        );
        assert_eq!(accept(b"SSH-2.0-x\r\n\r\n").unwrap_err(), "an answer that is no HTTP");
        assert_eq!(accept("x".repeat(HEAD_BYTES_MAX + 1).as_bytes()).unwrap_err(), "an endless answer");
    }
}
