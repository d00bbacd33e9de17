//! HTTP/1.1 (RFC 9112) as a client speaks it: requests, responses as they come in pieces (head, body by length or in chunks,
//! the next one on the same connection), and the opening handshake of a WebSocket (RFC 6455 section 4.1). No socket.

use httparse::{EMPTY_HEADER, Status, parse_chunk_size};

use crate::target::Target;

/// The longest head, chunk header or trailer, in bytes.
const LINES_BYTES_MAX: usize = 16_384;
/// The most headers of one response.
const HEADERS_MAX: usize = 64;
/// The key of RFC 6455 section 1.3. Keys keep caches from mixing up answers; between loopback addresses there is none, and
/// with a fixed key the right answer is known.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer that belongs to [`KEY`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Returns a request for a path.
pub fn get_request(authority: &str, path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: {accept}\r\n\r\n")
}

/// Returns the request that opens a WebSocket.
pub fn upgrade_request(target: &Target, subprotocol: Option<&str>) -> String {
    let Target { authority, path, .. } = target;
    let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

/// Returns how long the head of the answer to an upgrade is, once it is all there.
///
/// # Errors
///
/// Returns why this answer opens no WebSocket, in a few words that do not change from connection to connection.
pub fn accept_upgrade(bytes: &[u8]) -> Result<Option<usize>, String> {
    parse_head(bytes, |head| match (head.status, head.header("sec-websocket-accept")) {
        (101, _) if head.header("sec-websocket-extensions").is_some_and(|value| !value.is_empty()) => {
            Err("an extension nobody asked for".into())
        }
        (101, Some(ACCEPT)) => Ok(head.len),
        (101, _) => Err("a wrong Sec-WebSocket-Accept".into()),
        (status, _) => Err(format!("status {status}")),
    })
}

/// The head of a response.
struct Head<'a> {
    status: u16,
    headers: &'a [httparse::Header<'a>],
    len: usize,
}

impl Head<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    }
}

/// Returns what `read` makes of a head; `None` when it is not all there.
fn parse_head<T>(bytes: &[u8], read: impl FnOnce(Head<'_>) -> Result<T, String>) -> Result<Option<T>, String> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(Status::Complete(len)) => {
            read(Head { status: response.code.unwrap_or_default(), headers: response.headers, len }).map(Some)
        }
        Ok(Status::Partial) if bytes.len() > LINES_BYTES_MAX => Err("an endless head".into()),
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err("an answer that is no HTTP".into()),
    }
}

/// A part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// It begins, with this status.
    Head(u16),
    /// The next bytes of its body.
    Data(&'a [u8]),
    /// It is complete.
    End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of a body with a length are to come.
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// Cuts one connection's bytes into responses.
#[derive(Debug, Default)]
pub struct ResponseReader {
    state: State,
}

impl ResponseReader {
    /// Hands everything that is complete to `sink`; returns how many bytes that was. The rest has to come again, with more
    /// behind it.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the response, or what `sink` returned. The reader is of no use then.
    pub fn take(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(Piece<'_>) -> Result<(), String>,
    ) -> Result<usize, String> {
        let mut at = 0;
        while let Some(len) = self.step(&bytes[at..], &mut sink)? {
            at += len;
        }
        Ok(at)
    }

    /// Takes one line, head or part of a body from the beginning of `bytes`; returns its length, `None` when it is not all there.
    fn step(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), String>,
    ) -> Result<Option<usize>, String> {
        match self.state {
            State::Head => {
                let head = parse_head(bytes, |head| Ok((head.status, body(&head)?, head.len)))?;
                let Some((status, state, len)) = head else { return Ok(None) };
                self.state = state;
                sink(Piece::Head(status))?;
                self.end_if_empty(sink)?;
                Ok(Some(len))
            }
            State::Length(left) | State::Chunk(left) => {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                if len == 0 {
                    return Ok(None);
                }
                sink(Piece::Data(&bytes[..len]))?;
                let left = left - len as u64;
                self.state = match self.state {
                    State::Length(_) => State::Length(left),
                    _ if left == 0 => State::ChunkEnd,
                    _ => State::Chunk(left),
                };
                self.end_if_empty(sink)?;
                Ok(Some(len))
            }
            State::ChunkSize | State::ChunkEnd | State::Trailer => {
                let Some(len) = bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1) else {
                    return if bytes.len() > LINES_BYTES_MAX { Err("an endless line".into()) } else { Ok(None) };
                };
                let line = &bytes[..len];
                self.state = match (self.state, parse_chunk_size(line)) {
                    (State::ChunkSize, Ok(Status::Complete((_, 0)))) => State::Trailer,
                    (State::ChunkSize, Ok(Status::Complete((_, len)))) => State::Chunk(len),
                    (State::ChunkSize, _) => return Err("a bad chunk size".into()),
                    (State::ChunkEnd, _) if line == b"\r\n" => State::ChunkSize,
                    (State::ChunkEnd, _) => return Err("a chunk that is longer than its size".into()),
                    _ if line == b"\r\n" => State::Length(0),
                    (state, _) => state,
                };
                self.end_if_empty(sink)?;
                Ok(Some(len))
            }
        }
    }

    fn end_if_empty(&mut self, sink: &mut impl FnMut(Piece<'_>) -> Result<(), String>) -> Result<(), String> {
        if self.state == State::Length(0) {
            self.state = State::Head;
            sink(Piece::End)?;
        }
        Ok(())
    }
}

/// Returns how the body comes (RFC 9112 section 6.3): chunked goes before a length, and some statuses have none at all.
fn body(head: &Head<'_>) -> Result<State, String> {
    if head.status / 100 == 1 || head.status == 204 || head.status == 304 {
        return Ok(State::Length(0));
    }
    if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Ok(State::ChunkSize);
    }
    // Without a length, the body goes on until the connection closes.
    let len = head.header("content-length").map_or(Ok(u64::MAX), str::parse);
    len.map(State::Length).map_err(|_| "a bad Content-Length".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the bytes in pieces of these lengths; returns the status and body of each response that is complete.
    fn read(bytes: &[u8], pieces: impl Iterator<Item = usize>) -> Result<Vec<(u16, Vec<u8>)>, String> {
        let (mut reader, mut found) = (ResponseReader::default(), Vec::new());
        let (mut status, mut body, mut from, mut to) = (0, Vec::new(), 0, 0);
        for piece in pieces {
            to = bytes.len().min(piece.saturating_add(to));
            from += reader.take(&bytes[from..to], |piece| {
                match piece {
                    Piece::Head(code) => status = code,
                    Piece::Data(data) => body.extend_from_slice(data),
                    Piece::End => found.push((status, std::mem::take(&mut body))),
                }
                Ok(())
            })?;
            if to == bytes.len() {
                break;
            }
        }
        Ok(found)
    }

    fn read_whole(bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, String> {
        read(bytes, std::iter::once(usize::MAX))
    }

    fn with_length(body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 200 OK\r\nCONTENT-length: {}\r\nx: y\r\n\r\n", body.len()).as_bytes(), body].concat()
    }

    fn chunked(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            bytes.extend_from_slice(format!("{:X};a=b\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\ntrailer: 1\r\n\r\n");
        bytes
    }

    proptest! {
        #[test]
        fn responses_are_the_same_wherever_they_are_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            body in prop::collection::vec(any::<u8>(), 0..80),
            cuts in prop::collection::vec(1_usize..30, 1..40),
        ) {
            let bytes = [with_length(&body), chunked(&chunks), with_length(b"")].concat();
            let expected = vec![(200, body), (404, chunks.concat()), (200, Vec::new())];
            prop_assert_eq!(read(&bytes, cuts.into_iter().cycle()), Ok(expected));
        }

        #[test]
        fn nonsense_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_whole(&bytes);
        }
    }

    #[test]
    fn what_is_no_response_is_named() {
        assert_eq!(read_whole(b"SSH-2.0\r\n\r\n").unwrap_err(), "an answer that is no HTTP");
        let chunk = |rest: &[u8]| [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", rest].concat();
        assert_eq!(read_whole(&chunk(b"x\r\n")).unwrap_err(), "a bad chunk size");
        assert_eq!(read_whole(&chunk(b"1\r\nabc\r\n")).unwrap_err(), "a chunk that is longer than its size");
        assert_eq!(read_whole(&chunk(&b"1".repeat(LINES_BYTES_MAX + 1))).unwrap_err(), "an endless line");
        let endless = [b"HTTP/1.1 200 OK\r\nx: ", &b"x".repeat(LINES_BYTES_MAX)[..]].concat();
        assert_eq!(read_whole(&endless).unwrap_err(), "an endless head");
    }

    #[test]
    fn an_upgrade_asks_for_what_was_said() {
        let target = "ws://localhost:9/feed?x=1".parse().unwrap();
        let text = upgrade_request(&target, Some("tickcast.v1.json"));
        assert!(text.starts_with("GET /feed?x=1 HTTP/1.1\r\nHost: localhost:9\r\n"), "{text}");
        assert!(text.ends_with("Sec-WebSocket-Protocol: tickcast.v1.json\r\n\r\n"), "{text}");
        assert!(!upgrade_request(&target, None).contains("Protocol"));
    }

    #[test]
    fn an_upgrade_is_accepted_when_it_is_whole_and_right_and_any_other_answer_is_named() {
        let answer = format!("HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nSEC-WebSocket-accept: {ACCEPT}\r\n\r\n");
        let bytes = [answer.as_bytes(), b"\x81\x00"].concat();
        assert_eq!(accept_upgrade(&bytes), Ok(Some(answer.len())));
        for len in 0..answer.len() {
            assert_eq!(accept_upgrade(&bytes[..len]), Ok(None), "{len}");
        }
        let other = |from, to| accept_upgrade(answer.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(other("101", "503"), "status 503");
        assert_eq!(other("s3p", "xxx"), "a wrong Sec-WebSocket-Accept");
        let extension = "sec-websocket-extensions: permessage-deflate\r\nx:";
        assert_eq!(other("upgrade:", extension), "an extension nobody asked for");
        assert_eq!(accept_upgrade(b"SSH-2.0-x\r\n\r\n").unwrap_err(), "an answer that is no HTTP");
    }
}
