//! `Cursor`: a place in the stream of one run of the server, from which a client that reconnects continues.

use std::fmt;

/// A place in the stream of one run of the server. As text it is `epoch:offset`: `9c1f:48211`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Epoch of the run: letters and digits, at least one.
    pub epoch: String,
    /// Offset of the newest event that the client has.
    pub offset: u64,
}

impl Cursor {
    /// Returns the cursor, or `None` if the epoch is malformed.
    pub fn new(epoch: &str, offset: u64) -> Option<Self> {
        let plain = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| Self { epoch: epoch.into(), offset })
    }

    /// Returns a cursor that is never recovered: the client gets snapshots.
    pub fn void() -> Self {
        Self { epoch: "void".into(), offset: 0 }
    }

    /// Parses `epoch:offset`; returns `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once(':')?;
        let canonical = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
        Self::new(epoch, canonical.then(|| offset.parse().ok())??)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_an_epoch_a_colon_and_a_number() {
        let cursor = Cursor { epoch: "9c1f".into(), offset: 48_211 };
        assert_eq!(cursor.to_string(), "9c1f:48211");
        assert_eq!(Cursor::parse("9c1f:48211"), Some(cursor));
        for text in ["", ":", "9c1f", "9c1f:", ":5", "9c1f:-1", "9c1f:+1", "9c1f:99999999999999999999", "a b:1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
