//! Finds the ends of request heads (RFC 9112 section 2.1), so that the parser of actix-http gets whole heads only: it would
//! parse from the start again at each byte, and accept 128 KiB.

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::transport::connection::request_head::{Next, parse};

/// Why a head is not passed on: it exceeds `server.request_head_bytes_max` or
/// [`HEADERS_MAX`](super::request_head::HEADERS_MAX), or is invalid HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    TooLong,
    TooManyHeaders,
    Malformed,
}

/// Holds back an incomplete head.
#[derive(Debug)]
pub(super) struct Heads {
    bytes_max: usize,
    /// Bytes that have been read and not passed on.
    held: BytesMut,
    /// The number of leading bytes of `held` that may be passed on.
    ready: usize,
    /// The number of bytes after them that contain no end of a head.
    scanned: usize,
    /// The number of bytes after them at which to parse an incomplete head again, to find errors early. Doubles each time.
    look_at: usize,
    next: Next,
}

impl Heads {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: BytesMut::new(), ready: 0, scanned: 0, look_at: 1, next: Next::Head }
    }

    /// Returns whether all bytes are passed on as they arrive.
    pub(super) fn is_open(&self) -> bool {
        self.next == Next::Other && self.held.is_empty()
    }

    /// Returns whether all further bytes are discarded.
    pub(super) fn is_shut(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Returns whether an incomplete head is held back.
    pub(super) fn is_partial(&self) -> bool {
        self.next != Next::Frames && self.held.len() > self.ready
    }

    /// Returns whether nothing more may be read: as many frames are held back as a head may have bytes, and the request that
    /// opens the WebSocket is not yet answered.
    pub(super) fn is_full(&self) -> bool {
        self.next == Next::Frames && self.held.len() >= self.bytes_max
    }

    /// Takes the frames that are held back.
    pub(super) fn take_frames(&mut self) -> BytesMut {
        std::mem::take(&mut self.held)
    }

    /// Takes bytes that were just read; returns how many leading ones are passed on at once. The others are held back, or
    /// discarded if they follow a body.
    ///
    /// # Errors
    ///
    /// Returns why the head is not passed on. While a response is in progress, or behind another request, an invalid head is
    /// passed on: the dispatcher answers it in order.
    pub(super) fn take(&mut self, fresh: &mut [u8], is_responding: bool) -> Result<usize, HeadError> {
        if self.is_open() {
            return Ok(fresh.len());
        }
        if self.held.is_empty() {
            let passed = self.pass(fresh, is_responding)?;
            if !self.is_shut() {
                self.held.extend_from_slice(&fresh[passed..]);
            }
            return Ok(passed);
        }
        self.held.extend_from_slice(fresh);
        let mut held = std::mem::take(&mut self.held);
        let passed = self.pass(&mut held[self.ready..], is_responding);
        self.held = held;
        self.ready += passed?;
        if self.is_shut() {
            self.held.truncate(self.ready);
        }
        Ok(0)
    }

    /// Moves bytes that may be passed on into `room`; returns how many.
    pub(super) fn give(&mut self, room: &mut [u8]) -> usize {
        let len = room.len().min(self.ready);
        room[..len].copy_from_slice(&self.held[..len]);
        self.held.advance(len);
        self.ready -= len;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        len
    }

    /// Moves such bytes into the free part of a buffer; returns whether there were any.
    pub(super) fn give_to(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.ready == 0 {
            return false;
        }
        let len = self.give(buf.initialize_unfilled());
        buf.advance(len);
        true
    }

    /// Returns how many of these bytes belong to whole heads or to what may follow them.
    fn pass(&mut self, bytes: &mut [u8], is_responding: bool) -> Result<usize, HeadError> {
        let mut passed = 0;
        loop {
            let rest = &mut bytes[passed..];
            match &mut self.next {
                Next::Other => return Ok(bytes.len()),
                Next::Frames | Next::Nothing => return Ok(passed),
                Next::Body(body) => {
                    let Some(len) = body.end(rest) else { return Ok(bytes.len()) };
                    passed += len;
                    self.next = Next::Nothing;
                }
                Next::Head => {
                    let Some(head) = self.find(rest) else {
                        return if rest.len() > self.bytes_max { Err(HeadError::TooLong) } else { Ok(passed) };
                    };
                    (self.scanned, self.look_at) = (0, 1);
                    let is_first = passed == 0 && !is_responding;
                    match head {
                        Ok((len, _)) if len > self.bytes_max => return Err(HeadError::TooLong),
                        Err(httparse::Error::TooManyHeaders) if is_first => return Err(HeadError::TooManyHeaders),
                        Ok((_, Next::Nothing)) | Err(_) if is_first => return Err(HeadError::Malformed),
                        Ok((len, next)) => {
                            passed += len;
                            self.next = next;
                        }
                        // The dispatcher finds the same error, and answers it.
                        Err(_) => self.next = Next::Other,
                    }
                }
            }
        }
    }

    /// Parses the head that begins here; returns its length and what follows it.
    fn find(&mut self, bytes: &mut [u8]) -> Option<Result<(usize, Next), httparse::Error>> {
        if bytes.is_empty() {
            return None;
        }
        let is_ended = self.scan(bytes);
        if !is_ended && bytes.len() < self.look_at {
            return None;
        }
        self.look_at = bytes.len() * 2;
        let mut blanks = Vec::new();
        let parsed = parse(bytes, &mut blanks);
        for blank in blanks {
            bytes[blank].fill(b' ');
        }
        parsed.transpose()
    }

    /// Returns whether the bytes contain an empty line after a line that is not empty.
    fn scan(&mut self, bytes: &[u8]) -> bool {
        // Empty lines before a request are ignored (RFC 9112 section 2.2).
        let begins = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        let mut at = self.scanned.max(begins);
        while let Some(feed) = bytes[at..].iter().position(|byte| *byte == b'\n').map(|place| place + at) {
            match bytes[feed + 1..] {
                [b'\n', ..] | [b'\r', b'\n', ..] => return true,
                [] | [b'\r'] => {
                    self.scanned = feed;
                    return false;
                }
                _ => at = feed + 1,
            }
        }
        self.scanned = bytes.len();
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::connection::request_body::RequestBody;
    use crate::transport::connection::request_head::HEADERS_MAX;

    /// Feeds the bytes in pieces of this length; returns the bytes that are passed on.
    fn pass(heads: &mut Heads, bytes: &[u8], piece: usize) -> Result<Vec<u8>, HeadError> {
        let mut passed = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let at_once = heads.take(&mut piece, false)?;
            passed.extend_from_slice(&piece[..at_once]);
            loop {
                let mut room = [0; 7];
                let len = heads.give(&mut room);
                passed.extend_from_slice(&room[..len]);
                if len == 0 {
                    break;
                }
            }
        }
        Ok(passed)
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_head_is_passed_on_once_it_is_complete() {
        for text in [GET, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"] {
            let mut heads = Heads::new(100);
            assert_eq!(pass(&mut heads, &text.as_bytes()[..text.len() - 1], 1), Ok(vec![]), "{text:?}");
            assert!(heads.is_partial());
            assert_eq!(pass(&mut heads, b"\n", 1).unwrap(), text.as_bytes());
            assert!(!heads.is_partial() && !heads.is_open());
        }
    }

    #[test]
    fn an_invalid_head_is_refused_at_once_and_passed_on_behind_another_request() {
        for text in ["\u{16}\u{3}\u{1}", "hello there!\r\n", " GET"] {
            assert_eq!(pass(&mut Heads::new(100), text.as_bytes(), 100), Err(HeadError::Malformed), "{text:?}");
            let behind = [GET, text].concat();
            assert_eq!(pass(&mut Heads::new(100), behind.as_bytes(), 100).unwrap(), behind.as_bytes(), "{text:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(pass(&mut Heads::new(1_000), many.as_bytes(), 100), Err(HeadError::TooManyHeaders));
    }

    #[test]
    fn a_head_that_is_too_long_is_found_however_it_is_split() {
        let head = |bytes: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(bytes - 23)).into_bytes();
        assert_eq!(head(100).len(), 100);
        for piece in [1, 30, 1_000] {
            assert_eq!(pass(&mut Heads::new(100), &head(100), piece), Ok(head(100)), "{piece}");
            assert_eq!(pass(&mut Heads::new(100), &head(101), piece), Err(HeadError::TooLong), "{piece}");
            assert_eq!(pass(&mut Heads::new(100), &[b'\n'; 101], piece), Err(HeadError::TooLong), "{piece}");
        }
    }

    #[test]
    fn a_head_of_single_bytes_is_parsed_a_few_times() {
        let line = format!("X: {}\r\n", "x".repeat(173));
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", line.repeat(90)).into_bytes();
        assert!((16_000..16_384).contains(&head.len()), "{}", head.len());
        let mut heads = Heads::new(16_384);
        // Each attempt to parse changes `look_at`.
        let mut parsed = vec![heads.look_at];
        for byte in &head[..head.len() - 1] {
            assert_eq!(heads.take(&mut [*byte], false), Ok(0), "the parser of actix-http gets nothing yet");
            parsed.extend((heads.look_at != parsed[parsed.len() - 1]).then_some(heads.look_at));
            let unread = heads.held.len() - heads.scanned;
            assert!(unread < 200, "the end is looked for from the last line on: {unread}");
        }
        assert!((2..16).contains(&parsed.len()), "{} times", parsed.len());
        assert_eq!(pass(&mut heads, b"\n", 1), Ok(head));
    }

    #[test]
    fn an_offer_of_websocket_among_others_is_kept_and_any_other_offer_removed() {
        for (given, passed) in [
            ("Upgrade: websocket, h2c\r\nConnection: Upgrade", "Upgrade: websocket     \r\nConnection: Upgrade"),
            ("Upgrade: h2c,WebSocket\r\nConnection: upgrade", "Upgrade:     WebSocket\r\nConnection: upgrade"),
            (
                "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
                "Upgrade: h2c\r\nConnection:        , HTTP2-Settings",
            ),
            ("Connection: keep-alive, upgrade", "Connection: keep-alive,        "),
            (
                "Upgrade: websocket\r\nConnection: keep-alive, Upgrade",
                "Upgrade: websocket\r\nConnection: keep-alive, Upgrade",
            ),
        ] {
            let head = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
            let got = pass(&mut Heads::new(1_000), head(given).as_bytes(), 9).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), head(passed));
        }
    }

    proptest! {
        #[test]
        fn heads_bodies_and_frames_are_passed_on_in_order_however_they_are_split(heads in 0..5_usize, tail in 0..4_usize, piece in 1..90_usize) {
            let tail = [
                "",
                "POST / HTTP/1.1\r\nContent-Length: 16\r\n\r\n\n\nGET \0\r\n\r\nmore!",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u{1}\r\n\r\nframes",
            ][tail];
            let text = [GET.repeat(heads).as_str(), tail].concat();
            let mut gate = Heads::new(1_000);
            // The frames wait for the session.
            let frames = if tail.ends_with("frames") { 11 } else { 0 };
            let (heads, frames) = text.as_bytes().split_at(text.len() - frames);
            prop_assert_eq!(pass(&mut gate, text.as_bytes(), piece).unwrap(), heads);
            prop_assert_eq!(gate.take_frames(), frames);
            prop_assert_eq!(gate.is_shut(), tail.starts_with("POST"));
            prop_assert!(!gate.is_partial());
        }

        #[test]
        fn nothing_is_passed_on_after_a_body(heads in 0..3_usize, body in 0..3_usize, piece in 1..90_usize) {
            let body = [
                "Content-Length: 005\r\n\r\nhello",
                "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ][body];
            let text = [GET.repeat(heads).as_str(), "CONNECT / HTTP/1.1\r\n", body].concat();
            let more = [&text, GET, &"x".repeat(5_000)].concat();
            let mut gate = Heads::new(1_000);
            prop_assert_eq!(pass(&mut gate, more.as_bytes(), piece).unwrap(), text.as_bytes());
            prop_assert!(gate.is_shut() && !gate.is_partial());
        }
    }

    #[test]
    fn a_length_of_zero_is_no_body_and_an_invalid_one_shuts_the_connection() {
        for (headers, next) in [
            ("Content-Length: 0", Next::Head),
            ("Content-Length:  00 ", Next::Head),
            ("Content-Length: 00\r\nUpgrade: websocket", Next::Frames),
            ("Content-Length: 05", Next::Body(RequestBody::Length(5))),
            ("Content-Length: 5\r\nUpgrade: websocket", Next::Frames),
            ("Content-Length:", Next::Nothing),
            ("Content-Length: +0", Next::Nothing),
            ("Content-Length: -0", Next::Nothing),
            ("Content-Length: 0, 0", Next::Nothing),
            ("Content-Length: 0\r\nContent-Length: 0", Next::Nothing),
            ("Content-Length: 0x0", Next::Nothing),
            ("Content-Length: 18446744073709551616", Next::Nothing),
            ("Transfer-Encoding: identity", Next::Nothing),
            ("Transfer-Encoding: gzip, chunked", Next::Nothing),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Next::Nothing),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0", Next::Nothing),
        ] {
            let mut heads = Heads::new(1_000);
            let head = format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n");
            let behind = [GET, &head].concat();
            assert_eq!(pass(&mut heads, behind.as_bytes(), 1_000).unwrap(), behind.as_bytes());
            assert_eq!(heads.next, next, "{headers}");
            let alone = pass(&mut Heads::new(1_000), head.as_bytes(), 1_000);
            assert_eq!(alone.is_err(), next == Next::Nothing, "{headers}");
        }
    }
}
