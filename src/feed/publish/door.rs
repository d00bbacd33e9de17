//! `Door`: which events of publishers are published. Repeated requests are answered as before, and what is too late is dropped.

use std::time::Duration;

use lru::LruCache;

use crate::domain::{EventBody, SymbolId, Timestamp};
use crate::feed::publish::{NewEvent, PublishConfig, PublishError, Published, RequestKey};
use crate::feed::sequencer::Sequencer;
use crate::feed::{FeedConfig, OnLate};

/// The answer to an earlier request.
struct Remembered {
    digest: [u8; 32],
    answer: Published,
    /// By the monotonic clock.
    at: Duration,
}

/// Lets in the events of publishers.
pub struct Door {
    late: OnLate,
    /// Time of the newest quote of each symbol.
    quoted: Vec<Timestamp>,
    answers: LruCache<(String, String), Remembered>,
    answers_max: usize,
    answers_ttl: Duration,
}

impl Door {
    /// Returns the door of a market with so many symbols.
    pub fn new(config: &FeedConfig, symbols: usize) -> Self {
        let PublishConfig { idempotency_keys_max, idempotency_ttl_ms, .. } = config.publish;
        Self {
            late: config.late,
            quoted: vec![Timestamp::from_micros(i64::MIN); symbols],
            // Without a bound of its own, for which it would take the memory at once.
            answers: LruCache::unbounded(),
            answers_max: idempotency_keys_max,
            answers_ttl: Duration::from_millis(idempotency_ttl_ms),
        }
    }

    /// Returns the event if it is to be published at `now`, with its time; `None` if it is too late.
    pub(super) fn admit(
        &mut self,
        event: &NewEvent,
        now: Timestamp,
        sequencer: &Sequencer,
    ) -> Option<(SymbolId, EventBody)> {
        let NewEvent { id, mut body, is_stamped_here } = event.clone();
        let is_in_time = match &mut body {
            EventBody::Trade(trade) => {
                if is_stamped_here {
                    trade.ts = now;
                }
                self.late == OnLate::Correct || sequencer.has_bar_of(trade.ts)
            }
            EventBody::Quote(quote) => {
                if self.quoted.len() <= id.index() {
                    self.quoted.resize(id.index() + 1, Timestamp::from_micros(i64::MIN));
                }
                let newest = &mut self.quoted[id.index()];
                if is_stamped_here {
                    quote.ts = now.max(*newest);
                }
                // A snapshot has the newest quote.
                let is_newest = quote.ts >= *newest;
                *newest = quote.ts.max(*newest);
                is_newest
            }
            _ => false,
        };
        is_in_time.then_some((id, body))
    }

    /// Returns the answer to an earlier request with this name.
    ///
    /// # Errors
    ///
    /// Returns an error if that was another request.
    pub(super) fn answer_to(&mut self, request: &RequestKey, now: Duration) -> Result<Option<Published>, PublishError> {
        self.forget_old(now);
        match self.answers.get(&request.name) {
            Some(known) if now.saturating_sub(known.at) > self.answers_ttl => Ok(None),
            Some(known) if known.digest != request.digest => Err(PublishError::OtherRequest),
            Some(known) => Ok(Some(Published { is_repeat: true, ..known.answer.clone() })),
            None => Ok(None),
        }
    }

    /// Remembers the answer to a request.
    pub(super) fn remember(&mut self, request: RequestKey, answer: Published, now: Duration) {
        self.answers.put(request.name, Remembered { digest: request.digest, answer, at: now });
        if self.answers.len() > self.answers_max {
            self.answers.pop_lru();
        }
    }

    /// Forgets answers that are too old, from the one that was used least recently on.
    fn forget_old(&mut self, now: Duration) {
        while self.answers.peek_lru().is_some_and(|(_, known)| now.saturating_sub(known.at) > self.answers_ttl) {
            self.answers.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, digest: u8) -> RequestKey {
        RequestKey { name: ("publisher".into(), name.into()), digest: [digest; 32] }
    }

    #[test]
    fn the_newest_answers_are_remembered_for_their_time() {
        let mut config = FeedConfig::default();
        (config.publish.idempotency_keys_max, config.publish.idempotency_ttl_ms) = (2, 1_000);
        let mut door = Door::new(&config, 1);
        let answer = |events| Published { events, offsets: vec![(1, 1)], ..Published::default() };
        let at = Duration::from_millis;
        for (events, name) in [(1, "a"), (2, "b")] {
            assert_eq!(door.answer_to(&request(name, 1), at(0)), Ok(None));
            door.remember(request(name, 1), answer(events), at(0));
        }
        let repeated = |events| Ok(Some(Published { is_repeat: true, ..answer(events) }));
        assert_eq!(door.answer_to(&request("a", 1), at(1_000)), repeated(1));
        assert_eq!(door.answer_to(&request("a", 2), at(1_000)), Err(PublishError::OtherRequest));
        let other = RequestKey { name: ("another".into(), "a".into()), digest: [2; 32] };
        assert_eq!(door.answer_to(&other, at(1_000)), Ok(None), "names are those of one publisher");
        door.remember(request("c", 1), answer(3), at(1_000));
        assert_eq!(door.answer_to(&request("b", 1), at(1_000)), Ok(None), "evicted for the third one");
        assert_eq!(door.answer_to(&request("a", 1), at(1_001)), Ok(None), "too old");
        assert_eq!(door.answer_to(&request("c", 1), at(2_000)), repeated(3));
    }
}
