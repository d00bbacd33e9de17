//! `Door`: which events of publishers are published. What is too late is dropped.

use crate::domain::{EventBody, Snapshot, SymbolId, Timestamp};
use crate::feed::publish::NewEvent;
use crate::feed::publish::answers::Answers;
use crate::feed::sequencer::Sequencer;
use crate::feed::{FeedConfig, OnLate};

/// Before every quote.
const NEVER: Timestamp = Timestamp::from_micros(i64::MIN);

/// Lets in the events of publishers.
pub struct Door {
    late: OnLate,
    /// Time of the newest quote of each symbol.
    quoted: Vec<Timestamp>,
    /// Whether nothing more is published.
    is_closed: bool,
    answers: Answers,
}

impl Door {
    /// Returns the door of a market that goes on from these states.
    pub fn new(config: &FeedConfig, snapshots: &[Snapshot]) -> Self {
        Self {
            late: config.late,
            quoted: snapshots.iter().map(|state| state.quote.map_or(NEVER, |_| state.quoted_at)).collect(),
            is_closed: false,
            answers: Answers::new(&config.publish),
        }
    }

    /// Lets in nothing more.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns whether it lets in nothing more.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
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
                self.late == OnLate::Correct || sequencer.minutes_since(trade.ts) <= 1
            }
            EventBody::Quote(quote) => {
                if self.quoted.len() <= id.index() {
                    self.quoted.resize(id.index() + 1, NEVER);
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

    /// Returns the answers to earlier requests.
    pub(super) fn answers(&mut self) -> &mut Answers {
        &mut self.answers
    }
}
