//! The file of revoked tokens: `auth.revoked_file`, in TOML. Read at start and on SIGHUP.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use crate::access::file;
use crate::access::key_file::{in_one_line, moment};
use crate::access::token::claims::TokenFacts;
use crate::domain::Timestamp;

/// Longest file in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most entries.
const ENTRIES_MAX: usize = 1_000_000;

/// The tokens that are refused although their signature is good.
#[derive(Default)]
pub(super) struct Revoked {
    ids: HashSet<String>,
    /// For each subject the time before which its tokens were issued.
    subjects: HashMap<String, Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    revoked: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    jti: Option<String>,
    sub: Option<String>,
    issued_before: Option<String>,
}

impl Revoked {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&file::read_text(path, FILE_BYTES_MAX)?)
    }

    /// Reads the entries in a text.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in it, in one line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|err| in_one_line(text, &err))?;
        // A file that is cut would let everybody in again.
        let entries = file.revoked.ok_or("it has no entries (to revoke nothing, write revoked = [])")?;
        if entries.len() > ENTRIES_MAX {
            return Err(format!("it has more than {ENTRIES_MAX} entries"));
        }
        let mut revoked = Self::default();
        for (index, entry) in entries.into_iter().enumerate() {
            match entry {
                Entry { jti: Some(id), sub: None, issued_before: None } => _ = revoked.ids.insert(id),
                Entry { jti: None, sub: Some(subject), issued_before: Some(text) } => {
                    let time = moment(&text, "issued_before").map_err(|err| format!("entry {}: {err}", index + 1))?;
                    let latest = revoked.subjects.entry(subject).or_insert(time);
                    *latest = time.max(*latest);
                }
                _ => return Err(format!("entry {} must have jti, or sub and issued_before", index + 1)),
            }
        }
        Ok(revoked)
    }

    /// Returns the number of revocations.
    pub(super) fn len(&self) -> usize {
        self.ids.len() + self.subjects.len()
    }

    /// Returns whether a token is revoked. A token that does not say when it was issued counts as one from before.
    pub(super) fn has(&self, facts: &TokenFacts) -> bool {
        let is_old = |before: &Timestamp| facts.issued_at.is_none_or(|at| at < *before);
        facts.id.as_ref().is_some_and(|id| self.ids.contains(id))
            || self.subjects.get(&facts.subject).is_some_and(is_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(subject: &str, id: Option<&str>, issued_at: Option<i64>) -> TokenFacts {
        let issued_at = issued_at.map(|seconds| Timestamp::from_micros(seconds * 1_000_000));
        TokenFacts { subject: subject.into(), id: id.map(Into::into), issued_at, key: "key".into() }
    }

    #[test]
    fn a_token_is_revoked_by_its_id_or_by_its_subject_and_age() {
        let text = "[[revoked]]\njti = \"a\"\n[[revoked]]\nsub = \"alice\"\nissued_before = \"2026-03-02T00:00:00Z\"\n\
                    [[revoked]]\nsub = \"alice\"\nissued_before = \"2026-03-01T00:00:00Z\"\n";
        let revoked = Revoked::parse(text).unwrap();
        let before = 1_772_409_600;
        assert_eq!(revoked.len(), 2);
        assert!(revoked.has(&facts("bob", Some("a"), Some(before + 9))));
        assert!(!revoked.has(&facts("bob", Some("b"), None)) && !revoked.has(&facts("bob", None, None)));
        assert!(
            revoked.has(&facts("alice", None, Some(before - 1))) && !revoked.has(&facts("alice", None, Some(before)))
        );
        assert!(revoked.has(&facts("alice", Some("b"), None)), "it does not say when it was issued");
        assert_eq!(Revoked::parse("revoked = []").unwrap().len(), 0);
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        for (text, named) in [
            ("", "no entries"),
            ("[[revoked]]\n", "entry 1"),
            ("[[revoked]]\nsub = \"a\"\n", "entry 1"),
            ("[[revoked]]\njti = \"a\"\nsub = \"b\"\n", "entry 1"),
            ("[[revoked]]\nsub = \"a\"\nissued_before = \"soon\"\n", "issued_before"),
            ("[[revoked]]\nid = \"a\"\n", "`id`"),
            ("[[revoked]]\njti = 1\n", "line "),
        ] {
            let complaint = Revoked::parse(text).map(drop).unwrap_err();
            assert!(complaint.contains(named) && !complaint.contains('\n'), "{text}: {complaint}");
        }
    }
}
