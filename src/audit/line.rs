//! `Line`: one line of the audit log as JSON, on one line whatever its texts contain.

use std::fmt::{self, Write};

use crate::audit::Entry;
use crate::domain::Timestamp;
use crate::protocol::write_rfc3339;

/// Longest text in a line, in characters; longer ones are cut.
const TEXT_MAX: usize = 512;

/// An event, or the number of those like it that had no line of their own.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) ts: Timestamp,
    pub(super) event: &'static str,
    pub(super) entry: Entry<'a>,
    pub(super) count: Option<u64>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ts = Vec::with_capacity(32);
        write_rfc3339(self.ts, &mut ts);
        write!(f, r#"{{"ts":"{}","event":"{}""#, String::from_utf8_lossy(&ts), self.event)?;
        let Entry { name, address, session, reason } = self.entry;
        if !name.is_empty() {
            write_text(f, "name", name)?;
        }
        if let Some(address) = address {
            write!(f, r#","address":"{}""#, address.to_canonical())?;
        }
        if let Some(session) = session {
            write!(f, r#","session":"{session:016x}""#)?;
        }
        if !reason.is_empty() {
            write_text(f, "reason", reason)?;
        }
        if let Some(count) = self.count {
            write!(f, r#","count":{count}"#)?;
        }
        f.write_char('}')
    }
}

/// Writes a member. Escapes what JSON demands, and all that could end a line or steer a terminal: control characters, those of the C1 set
/// and the separators of Unicode included, and marks that change the direction of writing.
fn write_text(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    write!(f, r#","{name}":""#)?;
    for c in text.chars().take(TEXT_MAX) {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() || is_invisible(c) => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Returns whether a character moves others: separators of lines and paragraphs, and marks of direction. All have four digits.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, reason: &str, count: Option<u64>) -> String {
        let entry = Entry { name, reason, address: Some([192, 0, 2, 7].into()), session: Some(0xff) };
        Line { ts: Timestamp::from_micros(1_772_463_845_123_456), event: "refused", entry, count }.to_string()
    }

    #[test]
    fn a_line_is_json_with_the_members_that_there_are() {
        assert_eq!(
            line("desk7", "expired", None),
            r#"{"ts":"2026-03-02T15:04:05.123456Z","event":"refused","name":"desk7","address":"192.0.2.7","session":"00000000000000ff","reason":"expired"}"#
        );
        let entry = Entry::default();
        let short = Line { ts: Timestamp::from_micros(0), event: "others", entry, count: Some(7) }.to_string();
        assert_eq!(short, r#"{"ts":"1970-01-01T00:00:00Z","event":"others","count":7}"#);
    }

    #[test]
    fn no_text_breaks_the_line_or_the_terminal() {
        let evil = "a\"b\\c\nd\r\u{1b}[31m\0\u{7f}\u{9b}\u{2028}\u{202e}é日";
        let text = line(evil, evil, Some(1));
        assert!(!text.chars().any(|c| c.is_control() || is_invisible(c)), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["name"], evil);
        assert_eq!(parsed["reason"], evil);
        assert!(line(&"x".repeat(10_000), "", None).len() < 800);
    }
}
