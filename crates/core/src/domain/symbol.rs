//! Names of instruments: `Symbol`, and its index `SymbolId`. `SymbolTable` maps between them.

use std::fmt;
use std::str::FromStr;

/// A ticker such as `AAPL` or `BRK.B`: 1 to [`Symbol::LEN_MAX`] characters of `A`–`Z`, `0`–`9`, `.` and `-`, starting
/// with a letter. Stored inline, so that an event carries its symbol without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    bytes: [u8; Symbol::LEN_MAX],
    len: u8,
}

impl Symbol {
    /// The longest ticker, in characters.
    pub const LEN_MAX: usize = 15;

    /// Returns the ticker as text.
    ///
    /// # Panics
    ///
    /// Never: only ASCII is accepted by the constructor.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a symbol is ASCII by construction")
    }

    /// Returns the ticker as ASCII bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The reason why a text is not a [`Symbol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolError {
    /// No character, or more than [`Symbol::LEN_MAX`].
    Length,
    /// A character that is not allowed in a ticker.
    Character,
}

impl fmt::Display for SymbolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a symbol has 1 to {} characters", Symbol::LEN_MAX),
            Self::Character => f.write_str("a symbol begins with A to Z and consists of A to Z, 0 to 9, '.' and '-'"),
        }
    }
}

impl std::error::Error for SymbolError {}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let source = text.as_bytes();
        let len = u8::try_from(source.len()).map_err(|_| SymbolError::Length)?;
        if source.is_empty() || source.len() > Self::LEN_MAX {
            return Err(SymbolError::Length);
        }
        let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if !source[0].is_ascii_uppercase() || !source.iter().all(allowed) {
            return Err(SymbolError::Character);
        }
        let mut bytes = [0; Self::LEN_MAX];
        bytes[..source.len()].copy_from_slice(source);
        Ok(Self { bytes, len })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The index of a symbol in its [`SymbolTable`](crate::domain::SymbolTable), from 0, for arrays of values per symbol. A table may grow while the
/// process runs, so that an array may be shorter than the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub u32);

impl SymbolId {
    /// Returns the index as `usize`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The description of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// The ticker.
    pub symbol: Symbol,
    /// Name of the company, for display.
    pub name: String,
    /// Sector of the economy, for display and for the simulator's correlations.
    pub sector: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_keeps_its_text_and_refuses_invalid_tickers() {
        for text in ["A", "BRK.B", "SYM499", "ABCDEFGHIJKLMNO", "X-1"] {
            assert_eq!(text.parse::<Symbol>().unwrap().as_str(), text);
        }
        for text in ["", "ABCDEFGHIJKLMNOP", &"A".repeat(300)] {
            assert_eq!(text.parse::<Symbol>(), Err(SymbolError::Length), "{text}");
        }
        for text in ["aapl", "*", "A B", "1A", ".A", "Ä", "A\0", "A\""] {
            assert_eq!(text.parse::<Symbol>(), Err(SymbolError::Character), "{text}");
        }
    }
}
