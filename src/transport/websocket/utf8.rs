//! Validates text that arrives in pieces, wherever it is split: invalid UTF-8 is found at once (RFC 6455 section 8.1), and not
//! only when the message is complete.

use crate::protocol::CloseReason;

/// The longest character, in bytes (RFC 3629 section 3).
const CHARACTER_BYTES_MAX: usize = 4;

/// Validates one text after another.
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    /// The first bytes of a character that the last piece has not completed.
    begun: [u8; CHARACTER_BYTES_MAX],
    begun_bytes: u8,
}

impl Utf8Check {
    /// Takes the next piece of the text.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::InvalidText`] if the text cannot be UTF-8, whatever follows.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), CloseReason> {
        let mut rest = piece;
        while self.begun_bytes > 0
            && let Some((next, others)) = rest.split_first()
        {
            self.begun[usize::from(self.begun_bytes)] = *next;
            self.begun_bytes += 1;
            rest = others;
            match std::str::from_utf8(&self.begun[..usize::from(self.begun_bytes)]) {
                Ok(_) => self.begun_bytes = 0,
                Err(err) if err.error_len().is_some() => return Err(CloseReason::InvalidText),
                Err(_) => {}
            }
        }
        let Err(err) = std::str::from_utf8(rest) else { return Ok(()) };
        if err.error_len().is_some() {
            return Err(CloseReason::InvalidText);
        }
        let begun = &rest[err.valid_up_to()..];
        self.begun[..begun.len()].copy_from_slice(begun);
        // At most three.
        self.begun_bytes = u8::try_from(begun.len()).unwrap_or_default();
        Ok(())
    }

    /// Ends the text; the next piece begins another one.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::InvalidText`] if the text ends inside a character.
    pub(super) fn finish(&mut self) -> Result<(), CloseReason> {
        let complete = std::mem::take(self).begun_bytes == 0;
        complete.then_some(()).ok_or(CloseReason::InvalidText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns how many bytes the check accepts, one at a time, before its error; `None` if it accepts the whole text.
    fn refused_at(text: &[u8]) -> Option<usize> {
        let mut check = Utf8Check::default();
        let refused = text.iter().position(|byte| check.push(&[*byte]).is_err());
        refused.or_else(|| check.finish().is_err().then_some(text.len()))
    }

    #[test]
    fn invalid_text_is_refused_at_its_first_invalid_byte() {
        // From section 3.2.3 of RFC 3629 and the tables of the Unicode standard (chapter 3, table 3-7).
        for (text, at) in [
            ("κόσμε, 한국, 🦀".as_bytes(), None),
            (b"", None),
            (b"a\x80", Some(1)),
            (b"\xC0\xAF", Some(0)),
            (b"\xE0\x80\xAF", Some(1)),
            (b"\xED\xA0\x80", Some(1)),
            (b"\xF4\x8F\xBF\xBF", None),
            (b"\xF4\x90\x80\x80", Some(1)),
            (b"\xF5", Some(0)),
            (b"ab\xE2\x82", Some(4)),
            (b"\xE2\x82a", Some(2)),
        ] {
            assert_eq!(refused_at(text), at, "{text:X?}");
        }
    }

    #[test]
    fn a_finished_text_leaves_nothing_behind() {
        let mut check = Utf8Check::default();
        check.push(b"\xE2").unwrap();
        assert_eq!(check.finish(), Err(CloseReason::InvalidText));
        check.push(b"\x61").unwrap();
        assert_eq!(check.finish(), Ok(()));
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_split_the_result_is_that_of_the_whole(
            valid in "\\PC{0,6}",
            noise in proptest::collection::vec(any::<u8>(), 0..4),
            more in "\\PC{0,6}",
            cuts in proptest::collection::vec(0..40_usize, 0..6),
        ) {
            let text = [valid.as_bytes(), &noise, more.as_bytes()].concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut check = Utf8Check::default();
            let mut pieces = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            let whole = pieces.try_for_each(|piece| check.push(piece));
            let whole = whole.and_then(|()| check.finish());
            prop_assert_eq!(whole.is_ok(), std::str::from_utf8(&text).is_ok());
        }
    }
}
