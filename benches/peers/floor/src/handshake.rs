//! The opening handshake (RFC 6455 section 4.2), without checks of the request.

const KEY: &str = "sec-websocket-key:";
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns the answer to a request and the request's length; `None` if the request is incomplete.
pub(crate) fn answer(request: &[u8]) -> Option<(String, usize)> {
    let len = request.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&request[..len]).ok()?;
    let key = text.lines().find(|line| line.get(..KEY.len()).is_some_and(|name| name.eq_ignore_ascii_case(KEY)))?;
    let digest = sha1_smol::Sha1::from(format!("{}{GUID}", key[KEY.len()..].trim())).digest().bytes();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        base64(&digest)
    );
    Some((answer, len))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().chain(&[0; 2]).take(3).fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        for digit in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * digit) & 63) as usize];
            out.push(if digit > chunk.len() { '=' } else { letter.into() });
        }
    }
    out
}
