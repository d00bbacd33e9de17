//! Finds the end of a request body (RFC 9112 sections 6.2 and 7.1). Bytes after it are not served as a further request: the
//! connection ends with the response.

/// The part of a body that has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestBody {
    /// A number of bytes.
    Length(u64),
    /// Chunks, with the number of bytes of the current chunk that have not arrived.
    Chunks(At, u64),
}

/// The headers announce the body in an invalid way.
pub(super) struct Faulty;

/// The next element of the chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Size,
    SizeRest,
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer field, or the empty line at the end.
    Line,
    Trailer,
    TrailerLf,
    LastLf,
}

impl RequestBody {
    /// Returns the body that these headers announce.
    pub(super) fn announced<'a>(
        mut codings: impl Iterator<Item = &'a [u8]>,
        mut lengths: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, Faulty> {
        match (codings.next(), lengths.next(), codings.next(), lengths.next()) {
            (None, None, ..) => Ok(None),
            (Some(coding), None, None, _) if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Ok(Some(Self::chunked()))
            }
            (None, Some(length), _, None) => {
                let digits = std::str::from_utf8(length.trim_ascii()).map_err(|_| Faulty)?;
                if digits.starts_with('+') {
                    return Err(Faulty);
                }
                let length = digits.parse().map_err(|_| Faulty)?;
                Ok((length > 0).then_some(Self::Length(length)))
            }
            _ => Err(Faulty),
        }
    }

    const fn chunked() -> Self {
        Self::Chunks(At::Size, 0)
    }

    /// Returns how many of these bytes are the rest of the body; `None` if more follow. An error in the chunked coding also
    /// ends the body, because the parser of actix-http finds the same error and reads no further.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let (at, left) = match self {
            Self::Length(left) => return skip(left, bytes.len()),
            Self::Chunks(at, left) => (at, left),
        };
        let mut read = 0;
        while read < bytes.len() {
            if *at == At::Data {
                read += skip(left, bytes.len() - read)?;
                *at = At::DataCr;
            } else {
                let next = step(*at, bytes[read], left);
                read += 1;
                match next {
                    Some(next) => *at = next,
                    None => return Some(read),
                }
            }
        }
        None
    }
}

/// Subtracts at most `len` from `left`; returns the amount if nothing is left.
fn skip(left: &mut u64, bytes: usize) -> Option<usize> {
    let len = usize::try_from(*left).map_or(bytes, |left| left.min(bytes));
    *left -= len as u64;
    (*left == 0).then_some(len)
}

/// Returns the element after this byte; `None` if the byte is the last one, or an error.
fn step(at: At, byte: u8, size: &mut u64) -> Option<At> {
    match (at, byte) {
        (At::Size | At::SizeRest, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            let digit = char::from(byte).to_digit(16)?;
            *size = size.checked_mul(16)? + u64::from(digit);
            Some(At::SizeRest)
        }
        (At::SizeRest | At::Blank, b' ' | b'\t') => Some(At::Blank),
        (At::SizeRest | At::Blank | At::Extension, b'\r') => Some(At::SizeLf),
        (At::SizeRest | At::Blank, b';') | (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => Some(At::Extension),
        (At::SizeLf, b'\n') => Some(if *size > 0 { At::Data } else { At::Line }),
        (At::DataCr, b'\r') => Some(At::DataLf),
        (At::DataLf, b'\n') => Some(At::Size),
        (At::Line, b'\r') => Some(At::LastLf),
        (At::Trailer, b'\r') => Some(At::TrailerLf),
        (At::Line | At::Trailer, _) => Some(At::Trailer),
        (At::TrailerLf, b'\n') => Some(At::Line),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_at_the_same_byte_however_it_is_split() {
        for (body, text) in [
            (RequestBody::Length(5), "hello"),
            (RequestBody::chunked(), "0\r\n\r\n"),
            (RequestBody::chunked(), "5\r\nhello\r\n00a ;x=\"y\"\r\n\r\n0\r\n\r\n123\r\n0\r\n\r\n"),
            (RequestBody::chunked(), "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n"),
            // Errors.
            (RequestBody::chunked(), "G"),
            (RequestBody::chunked(), "1\r\nxG"),
            (RequestBody::chunked(), "11111111111111111"),
        ] {
            for piece in [1, 2, 7, 1_000] {
                let (mut body, text) = (body, [text, "GET / HTTP/1.1\r\n\r\n"].concat());
                let mut before = 0;
                let end = text.as_bytes().chunks(piece).find_map(|bytes| {
                    let end = body.end(bytes).map(|end| before + end);
                    before += bytes.len();
                    end
                });
                assert_eq!(end, Some(text.len() - 18), "{text:?} in pieces of {piece}");
            }
        }
    }
}
