//! `Answers`: those to earlier requests, so that a repeated request publishes nothing twice. Each publisher has a place of its own: however
//! many requests one makes, those of the others are remembered.

use std::time::Duration;

use lru::LruCache;

use crate::feed::publish::{PublishConfig, PublishError, Published, RequestKey};

/// Most publishers whose answers are remembered; the one that has been silent for the longest time is forgotten first.
const PUBLISHERS_MAX: usize = 100;

/// The answer to an earlier request.
struct Remembered {
    digest: [u8; 32],
    answer: Published,
    /// By the monotonic clock.
    at: Duration,
}

/// The newest answers of each publisher.
pub(super) struct Answers {
    // Without bounds of their own, for which they would take the memory at once.
    publishers: LruCache<String, LruCache<String, Remembered>>,
    max: usize,
    ttl: Duration,
}

impl Answers {
    pub(super) fn new(config: &PublishConfig) -> Self {
        Self {
            publishers: LruCache::unbounded(),
            max: config.idempotency_keys_max,
            ttl: Duration::from_millis(config.idempotency_ttl_ms),
        }
    }

    /// Returns the answer to an earlier request with this name.
    ///
    /// # Errors
    ///
    /// Returns an error if that was another request.
    pub(super) fn to(&mut self, request: &RequestKey, now: Duration) -> Result<Option<Published>, PublishError> {
        let (publisher, name) = &request.name;
        let Some(known) = self.publishers.get_mut(publisher).and_then(|answers| answers.get(name)) else {
            return Ok(None);
        };
        match known {
            known if now.saturating_sub(known.at) > self.ttl => Ok(None),
            known if known.digest != request.digest => Err(PublishError::OtherRequest),
            known => Ok(Some(Published { is_repeat: true, ..known.answer.clone() })),
        }
    }

    /// Remembers the answer to a request. Returns how many others were forgotten for it before their time.
    pub(super) fn remember(&mut self, request: RequestKey, answer: Published, now: Duration) -> u64 {
        let (publisher, name) = request.name;
        let (ttl, mut forgotten) = (self.ttl, 0);
        let is_old = |known: &Remembered| now.saturating_sub(known.at) > ttl;
        let answers = self.publishers.get_or_insert_mut(publisher, LruCache::unbounded);
        answers.put(name, Remembered { digest: request.digest, answer, at: now });
        while answers.peek_lru().is_some_and(|(_, known)| is_old(known)) {
            answers.pop_lru();
        }
        if answers.len() > self.max {
            answers.pop_lru();
            forgotten += 1;
        }
        // Those of a publisher that has gone.
        let is_silent = |answers: &LruCache<_, _>| answers.iter().all(|(_, known)| is_old(known));
        while self.publishers.len() > 1 && self.publishers.peek_lru().is_some_and(|(_, answers)| is_silent(answers)) {
            self.publishers.pop_lru();
        }
        if self.publishers.len() > PUBLISHERS_MAX
            && let Some((_, answers)) = self.publishers.pop_lru()
        {
            forgotten += answers.len() as u64;
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(publisher: &str, name: &str, digest: u8) -> RequestKey {
        RequestKey { name: (publisher.into(), name.into()), digest: [digest; 32] }
    }

    fn answer(events: usize) -> Published {
        Published { events, offsets: vec![(1, 1)], ..Published::default() }
    }

    fn answers(answers_max: usize) -> Answers {
        let config =
            PublishConfig { idempotency_keys_max: answers_max, idempotency_ttl_ms: 1_000, ..PublishConfig::default() };
        Answers::new(&config)
    }

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_newest_answers_are_remembered_for_their_time() {
        let mut answers = answers(2);
        for (events, name) in [(1, "a"), (2, "b")] {
            assert_eq!(answers.to(&request("desk", name, 1), at(0)), Ok(None));
            assert_eq!(answers.remember(request("desk", name, 1), answer(events), at(0)), 0);
        }
        let repeated = |events| Ok(Some(Published { is_repeat: true, ..answer(events) }));
        assert_eq!(answers.to(&request("desk", "a", 1), at(1_000)), repeated(1));
        assert_eq!(answers.to(&request("desk", "a", 2), at(1_000)), Err(PublishError::OtherRequest));
        assert_eq!(answers.to(&request("another", "a", 2), at(1_000)), Ok(None), "names are those of one publisher");
        assert_eq!(answers.remember(request("desk", "c", 1), answer(3), at(1_000)), 1);
        assert_eq!(answers.to(&request("desk", "b", 1), at(1_000)), Ok(None), "forgotten for the third one");
        assert_eq!(answers.to(&request("desk", "a", 1), at(1_001)), Ok(None), "too old");
        assert_eq!(answers.to(&request("desk", "c", 1), at(2_000)), repeated(3));
        assert_eq!(answers.remember(request("another", "a", 1), answer(4), at(2_001)), 0, "none is missed");
        assert_eq!(answers.publishers.len(), 1, "all of the first publisher's were too old");
    }

    #[test]
    fn no_publisher_makes_the_server_forget_the_requests_of_another() {
        let mut answers = answers(3);
        answers.remember(request("slow", "a", 1), answer(1), at(0));
        let many = (0..100).map(|number| answers.remember(request("fast", &number.to_string(), 1), answer(2), at(0)));
        assert_eq!(many.sum::<u64>(), 97);
        assert!(answers.to(&request("slow", "a", 1), at(0)).unwrap().is_some());
        for number in 0..2 * PUBLISHERS_MAX {
            answers.remember(request(&number.to_string(), "a", 1), answer(3), at(0));
        }
        assert_eq!(answers.publishers.len(), PUBLISHERS_MAX);
        assert_eq!(answers.to(&request("slow", "a", 1), at(0)), Ok(None));
    }
}
