//! `Glob`: a pattern for symbols, with `?` for one character and `*` for any number.

use std::fmt;

/// Longest pattern in bytes. Longer than any symbol.
const BYTES_MAX: usize = 64;

/// A pattern, in upper case as symbols are.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(Box<[u8]>);

impl Glob {
    /// Returns the pattern; `None` if it is empty, longer than 64 bytes, or has bytes that no symbol has.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']' | b'{' | b'}' | b'\\' | b'!');
        let is_good = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(fits);
        is_good.then(|| Self(text.to_ascii_uppercase().into_bytes().into()))
    }

    /// Returns the name that is the only one the pattern matches; `None` if it has `?` or `*`.
    pub fn name(&self) -> Option<&str> {
        let is_name = !self.0.iter().any(|byte| matches!(byte, b'?' | b'*'));
        std::str::from_utf8(&self.0).ok().filter(|_| is_name)
    }

    /// Returns whether the pattern matches every symbol.
    pub fn is_all(&self) -> bool {
        self.0.iter().all(|byte| *byte == b'*')
    }

    /// Returns whether the pattern matches the whole text, in time of at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (&self.0, text.as_bytes());
        let (mut at, mut read) = (0, 0);
        // The last `*`, and the text that it has taken: if the rest does not match, it takes one byte more.
        let mut star: Option<(usize, usize)> = None;
        while read < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(byte) if *byte == b'?' || *byte == text[read] => {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((place, taken)) = &mut star else { return false };
                    *taken += 1;
                    (at, read) = (*place + 1, *taken);
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition.
    fn is_match(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| is_match(rest, &text[taken..])),
            ([b'?', rest @ ..], [_, others @ ..]) => is_match(rest, others),
            ([byte, rest @ ..], [other, others @ ..]) => byte == other && is_match(rest, others),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_by_its_definition(pattern in "[AB?*]{1,8}", text in "[AB]{0,8}") {
            let glob = Glob::parse(&pattern).unwrap();
            prop_assert_eq!(glob.matches(&text), is_match(pattern.as_bytes(), text.as_bytes()));
        }
    }

    #[test]
    fn a_pattern_has_no_more_than_two_wildcards_and_ignores_case() {
        assert!(Glob::parse("sym0??").unwrap().matches("SYM012"));
        assert!(!Glob::parse("SYM0??").unwrap().matches("SYM0123"));
        assert!(Glob::parse("**").unwrap().is_all());
        for text in ["", "[AB]", "A B", "{A,B}", "!A", "A\\*", "Ä", &"A".repeat(65)] {
            assert_eq!(Glob::parse(text), None, "{text}");
        }
    }
}
