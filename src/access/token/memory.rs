//! `Memory`: the tokens that have been verified, by their digest, so that clients who come back cost no verification.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::access::{Digest, Identity};

/// Verified tokens: those that were used last.
pub(super) struct Memory {
    tokens_max: usize,
    state: Mutex<State>,
}

struct State {
    tokens: LruCache<Digest, Identity>,
    /// How often everything was forgotten.
    epoch: u64,
}

/// The state of the keys before a token was verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Memory {
    /// Returns a memory of at most so many tokens; 0 for none.
    pub(super) fn new(tokens_max: usize) -> Self {
        // Without a bound of its own, for which it would take the memory at once.
        Self { tokens_max, state: Mutex::new(State { tokens: LruCache::unbounded(), epoch: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the client whose token has this digest.
    pub(super) fn get(&self, digest: &Digest) -> Option<Identity> {
        self.lock().tokens.get(digest).cloned()
    }

    /// Returns the present epoch, to be taken before the keys are read.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.lock().epoch)
    }

    /// Remembers a client, unless everything was forgotten since `epoch`: its key may be gone. Returns the number of tokens that are
    /// forgotten for it.
    pub(super) fn insert(&self, epoch: Epoch, digest: Digest, identity: Identity) -> usize {
        let mut state = self.lock();
        if state.epoch != epoch.0 {
            return 0;
        }
        state.tokens.put(digest, identity);
        let is_full = state.tokens.len() > self.tokens_max;
        usize::from(is_full && state.tokens.pop_lru().is_some())
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.tokens.clear();
        state.epoch += 1;
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
            assert!(memory.lock().tokens.len() <= 10, "{number}");
        }
        assert!(memory.get(&digest(999)).is_some() && memory.get(&digest(500)).is_none());
        assert_eq!(forgotten, 990);
        let none = Memory::new(0);
        none.insert(none.epoch(), digest(1), Identity::anybody());
        assert!(none.get(&digest(1)).is_none());
    }

    #[test]
    fn as_many_tokens_as_fit_are_all_remembered_when_they_come_back_in_any_order() {
        let memory = Memory::new(10);
        for number in 0..10 {
            memory.insert(memory.epoch(), digest(number), Identity::anybody());
        }
        for number in (0..10).chain((0..10).rev()) {
            assert!(memory.get(&digest(number)).is_some(), "{number}");
        }
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
