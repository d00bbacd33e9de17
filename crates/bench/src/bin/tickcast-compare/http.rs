//! Responses of HTTP/1.1 (RFC 9112) as they come in pieces: head, body by length or in chunks, the next one on the same
//! connection. No socket, and no meaning.

use httparse::{EMPTY_HEADER, Status};

/// The longest head, chunk header or trailer, in bytes.
const LINES_BYTES_MAX: usize = 16_384;
/// The most headers of one response.
const HEADERS_MAX: usize = 64;

/// A part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// It begins, with this status.
    Head(u16),
    /// The next bytes of its body.
    Data(&'a [u8]),
    /// It is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of a body with a length are to come.
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// Cuts one connection's bytes into responses.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    state: State,
    /// The lines that are not complete.
    lines: Vec<u8>,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self { state: State::Head, lines: Vec::new() }
    }
}

impl ResponseReader {
    /// Hands everything that is complete to `sink`.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the response, or what `sink` returned. The reader is of no use then.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Piece<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            match self.state {
                State::Length(left) | State::Chunk(left) => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, rest) = bytes.split_at(len);
                    bytes = rest;
                    sink(Piece::Data(data))?;
                    self.advance(left - len as u64, &mut sink)?;
                }
                State::Head | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    if self.take_line(&mut bytes)? {
                        self.end_line(&mut sink)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// So much of the length or the chunk is left.
    fn advance(&mut self, left: u64, sink: &mut impl FnMut(Piece<'_>) -> Result<(), String>) -> Result<(), String> {
        self.state = match (self.state, left) {
            (State::Chunk(_), 0) => State::ChunkEnd,
            (State::Chunk(_), left) => State::Chunk(left),
            (_, 0) => {
                self.state = State::Head;
                return sink(Piece::End);
            }
            (_, left) => State::Length(left),
        };
        Ok(())
    }

    /// Moves bytes up to the next line feed into `lines`; returns whether there was one.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<bool, String> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        if self.lines.len() + line.len() > LINES_BYTES_MAX {
            return Err("an endless head".into());
        }
        self.lines.extend_from_slice(line);
        Ok(end.is_some())
    }

    fn end_line(&mut self, sink: &mut impl FnMut(Piece<'_>) -> Result<(), String>) -> Result<(), String> {
        match self.state {
            State::Head if !self.lines.ends_with(b"\r\n\r\n") => return Ok(()),
            State::Head => {
                let (status, state) = parse_head(&self.lines)?;
                self.state = state;
                sink(Piece::Head(status))?;
                if state == State::Length(0) {
                    self.advance(0, sink)?;
                }
            }
            State::ChunkSize => {
                self.state = match httparse::parse_chunk_size(&self.lines) {
                    Ok(Status::Complete((_, 0))) => State::Trailer,
                    Ok(Status::Complete((_, len))) => State::Chunk(len),
                    _ => return Err("a bad chunk size".into()),
                };
            }
            State::ChunkEnd if self.lines == b"\r\n" => self.state = State::ChunkSize,
            State::ChunkEnd => return Err("a chunk that is longer than its size".into()),
            State::Trailer if self.lines == b"\r\n" => {
                self.state = State::Head;
                sink(Piece::End)?;
            }
            State::Trailer | State::Length(_) | State::Chunk(_) => {}
        }
        self.lines.clear();
        Ok(())
    }
}

fn parse_head(head: &[u8]) -> Result<(u16, State), String> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(Status::Complete(_)) = response.parse(head) else { return Err("an answer that is no HTTP".into()) };
    let status = response.code.unwrap_or_default();
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    // RFC 9112 section 6.3: chunked goes before a length, and these have no body at all.
    if status / 100 == 1 || status == 204 || status == 304 {
        return Ok((status, State::Length(0)));
    }
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Ok((status, State::ChunkSize));
    }
    match header("content-length").map(str::parse) {
        Some(Ok(len)) => Ok((status, State::Length(len))),
        Some(Err(_)) => Err("a bad Content-Length".into()),
        // Until the connection closes.
        None => Ok((status, State::Length(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads what comes in these pieces; returns the status and body of each response that is complete.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<(u16, Vec<u8>)>, String> {
        let (mut reader, mut found) = (ResponseReader::default(), Vec::new());
        let (mut status, mut body) = (0, Vec::new());
        for bytes in pieces {
            reader.take(bytes, |piece| {
                match piece {
                    Piece::Head(code) => status = code,
                    Piece::Data(data) => body.extend_from_slice(data),
                    Piece::End => found.push((status, std::mem::take(&mut body))),
                }
                Ok(())
            })?;
        }
        Ok(found)
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
            let (mut pieces, mut rest, mut cuts) = (Vec::new(), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, next) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pieces.push(piece);
                rest = next;
            }
            let expected = vec![(200, body), (404, chunks.concat()), (200, Vec::new())];
            prop_assert_eq!(read(pieces), Ok(expected));
        }

        #[test]
        fn nonsense_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read([&bytes[..]]);
        }
    }

    #[test]
    fn what_is_no_response_is_named() {
        assert_eq!(read([&b"SSH-2.0\r\n\r\n"[..]]).unwrap_err(), "an answer that is no HTTP");
        let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        assert_eq!(read([&chunk[..], b"x\r\n"]).unwrap_err(), "a bad chunk size");
        assert_eq!(read([&chunk[..], b"1\r\nabc\r\n"]).unwrap_err(), "a chunk that is longer than its size");
        assert_eq!(read([&b"x".repeat(LINES_BYTES_MAX + 1)[..]]).unwrap_err(), "an endless head");
    }
}
