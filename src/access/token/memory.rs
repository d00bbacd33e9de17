//! `Memory`: the tokens that have been verified, by their digest, so that clients who come back cost no verification.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::access::{Digest, Identity};

/// Verified tokens. Two halves, the younger one of which takes new entries: when it is full it replaces the older one. So the entries
/// that nobody has used for the longest time go, without a search.
pub(super) struct Memory {
    half_max: usize,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Digest, Identity>,
    old: HashMap<Digest, Identity>,
    /// How often everything was forgotten.
    epoch: u64,
}

/// The state of the keys before a token was verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Memory {
    /// Returns a memory of at most so many tokens; 0 for none.
    pub(super) fn new(tokens_max: usize) -> Self {
        Self { half_max: tokens_max.div_ceil(2), halves: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the client whose token has this digest.
    pub(super) fn get(&self, digest: &Digest) -> Option<Identity> {
        let mut halves = self.lock();
        if let Some(identity) = halves.young.get(digest) {
            return Some(identity.clone());
        }
        let identity = halves.old.remove(digest)?;
        self.put(&mut halves, *digest, identity.clone());
        Some(identity)
    }

    /// Returns the present epoch, to be taken before the keys are read.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.lock().epoch)
    }

    /// Remembers a client, unless everything was forgotten since `epoch`: its key may be gone. Returns the number of tokens that are
    /// forgotten for it.
    pub(super) fn insert(&self, epoch: Epoch, digest: Digest, identity: Identity) -> usize {
        let mut halves = self.lock();
        if halves.epoch != epoch.0 || self.half_max == 0 {
            return 0;
        }
        self.put(&mut halves, digest, identity)
    }

    fn put(&self, halves: &mut Halves, digest: Digest, identity: Identity) -> usize {
        let mut forgotten = 0;
        if halves.young.len() >= self.half_max {
            forgotten = halves.old.len();
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(digest, identity);
        forgotten
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        let mut halves = self.lock();
        let epoch = halves.epoch + 1;
        *halves = Halves { epoch, ..Halves::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let memory = Memory::new(10);
        let mut forgotten = 0;
        for number in 0..1_000 {
            forgotten += memory.insert(memory.epoch(), digest(number), Identity::anybody());
            assert!(memory.get(&digest(0)).is_some(), "used after {number}");
            let halves = memory.lock();
            assert!(halves.young.len() + halves.old.len() <= 10, "{number}");
        }
        assert!(memory.get(&digest(999)).is_some() && memory.get(&digest(500)).is_none());
        assert!((900..1_000).contains(&forgotten), "{forgotten}");
        let none = Memory::new(0);
        none.insert(none.epoch(), digest(1), Identity::anybody());
        assert!(none.get(&digest(1)).is_none());
    }

    #[test]
    fn a_token_that_was_verified_before_everything_was_forgotten_is_not_remembered() {
        let memory = Memory::new(10);
        memory.insert(memory.epoch(), digest(1), Identity::anybody());
        let before = memory.epoch();
        memory.forget();
        assert!(memory.get(&digest(1)).is_none());
        memory.insert(before, digest(2), Identity::anybody());
        assert!(memory.get(&digest(2)).is_none());
        memory.insert(memory.epoch(), digest(2), Identity::anybody());
        assert!(memory.get(&digest(2)).is_some());
    }
}
