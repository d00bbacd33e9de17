//! The audit log: who came, who was refused, who left and why, and the orders of operators. One line of JSON for each event, to the log
//! target [`TARGET`].
//!
//! No line has a secret, a token or a query string: callers give names of keys, addresses, names of sessions, and reasons of fixed words.
//! A flood of one event from one address is one line a second and a count.

mod line;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{Clock, Timestamp};
use crate::metrics::SharedMetrics;

use line::Line;

/// The target of the records, whose message is the line.
pub const TARGET: &str = "audit";

const SECOND_MICROS: i64 = 1_000_000;

/// The events that are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Credentials were refused, or missing.
    Refused,
    /// A page of another origin was refused.
    OriginRefused,
    /// A request to another host was refused.
    HostRefused,
    /// A client with a key has begun a session.
    SessionBegun,
    /// Such a session has ended.
    SessionEnded,
    /// The key file was read again.
    Reloaded,
    /// An operator has given an order.
    Order,
}

impl Event {
    /// Returns the word in the line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::OriginRefused => "origin_refused",
            Self::HostRefused => "host_refused",
            Self::SessionBegun => "session_begun",
            Self::SessionEnded => "session_ended",
            Self::Reloaded => "reloaded",
            Self::Order => "order",
        }
    }
}

/// The members of a line; those that are empty are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<'a> {
    /// Id of the client's key.
    pub name: &'a str,
    /// Address of the client.
    pub address: Option<IpAddr>,
    /// The number that is the name of the session.
    pub session: Option<u64>,
    /// Why, or which.
    pub reason: &'a str,
}

/// Writes the audit log of one server.
pub struct Audit {
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
    sources_max: usize,
    second: Mutex<Second>,
}

/// The events of the present second.
#[derive(Debug, Default)]
struct Second {
    start: Timestamp,
    /// For each event and address, the number of lines that were left out.
    sources: HashMap<(Event, Option<IpAddr>), u64>,
    /// Lines that were left out because there were too many addresses.
    others: u64,
}

impl Audit {
    /// Returns the log of a server. In a second it has lines of at most `sources_max` pairs of event and address, the rest are counted
    /// together.
    pub fn new(clock: Arc<dyn Clock>, metrics: SharedMetrics, sources_max: usize) -> Self {
        Self { clock, metrics, sources_max, second: Mutex::default() }
    }

    /// Records an event: in a line, or in a count if its address had the same one in this second.
    pub fn record(&self, event: Event, entry: Entry<'_>) {
        let now = self.clock.now();
        let mut second = self.lock();
        let ended = second.advance(now);
        let key = (event, entry.address);
        let has_room = second.sources.len() < self.sources_max;
        let is_first = match second.sources.get_mut(&key) {
            Some(left_out) => {
                *left_out += 1;
                false
            }
            None if has_room => second.sources.insert(key, 0).is_none(),
            None => {
                second.others += 1;
                false
            }
        };
        drop(second);
        self.write_counts(ended);
        if is_first {
            self.write(&Line { ts: now, event: event.name(), entry, count: None });
        } else {
            self.metrics.audit_lines_merged.inc();
        }
    }

    /// Writes the counts of a second that is over. Called now and then, so that they do not wait for the next event.
    pub fn flush(&self) {
        let ended = self.lock().advance(self.clock.now());
        self.write_counts(ended);
    }

    /// Writes the counts of the present second, too: the process ends.
    pub fn finish(&self) {
        let last = std::mem::take(&mut *self.lock());
        self.write_counts(Some(last));
    }

    fn write_counts(&self, ended: Option<Second>) {
        let Some(Second { start, sources, others }) = ended else { return };
        let mut counts: Vec<_> = sources.into_iter().filter(|(_, left_out)| *left_out > 0).collect();
        counts.sort_unstable_by_key(|((event, address), _)| (event.name(), *address));
        for ((event, address), left_out) in counts {
            let entry = Entry { address, ..Entry::default() };
            self.write(&Line { ts: start, event: event.name(), entry, count: Some(left_out) });
        }
        if others > 0 {
            self.write(&Line { ts: start, event: "others", entry: Entry::default(), count: Some(others) });
        }
    }

    fn write(&self, line: &Line<'_>) {
        self.metrics.audit_lines.inc();
        log::info!(target: TARGET, "{line}");
    }

    fn lock(&self) -> MutexGuard<'_, Second> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Second {
    /// Begins the second of this time. Returns the one before, if it has counts.
    fn advance(&mut self, now: Timestamp) -> Option<Self> {
        let start = now.floor_to(SECOND_MICROS);
        if start == self.start {
            return None;
        }
        let ended = std::mem::replace(self, Self { start, ..Self::default() });
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::ManualClock;

    use super::*;

    fn audit(sources_max: usize) -> (Audit, Arc<ManualClock>, SharedMetrics) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000)));
        let metrics = SharedMetrics::default();
        (Audit::new(clock.clone(), metrics.clone(), sources_max), clock, metrics)
    }

    fn from(number: u32) -> Entry<'static> {
        Entry { address: Some(std::net::Ipv4Addr::from(0x7f00_0000 | number).into()), ..Entry::default() }
    }

    #[test]
    fn a_flood_of_one_event_from_one_address_is_a_line_a_second_and_a_count() {
        let (audit, clock, metrics) = audit(100);
        let counts = || (metrics.audit_lines.get(), metrics.audit_lines_merged.get());
        for _ in 0..1_000 {
            audit.record(Event::Refused, from(1));
        }
        assert_eq!(counts(), (1, 999));
        audit.record(Event::Refused, from(2));
        audit.record(Event::SessionBegun, from(1));
        assert_eq!(counts(), (3, 999), "another address, another event");
        audit.flush();
        assert_eq!(counts(), (3, 999), "the second is not over");
        clock.advance_micros(1_000_000);
        audit.flush();
        audit.flush();
        assert_eq!(counts(), (4, 999), "one count, once");
        audit.record(Event::Refused, from(1));
        audit.record(Event::Refused, from(1));
        audit.finish();
        assert_eq!(counts(), (6, 1_000));
    }

    #[test]
    fn many_addresses_take_bounded_memory_and_share_a_count() {
        let (audit, clock, metrics) = audit(100);
        for number in 0..100_000 {
            audit.record(Event::Refused, from(number));
        }
        assert_eq!((audit.lock().sources.len(), metrics.audit_lines.get()), (100, 100));
        clock.advance_micros(1_000_000);
        audit.flush();
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lines_merged.get()), (101, 99_900));
        assert!(audit.lock().sources.is_empty());
    }
}
