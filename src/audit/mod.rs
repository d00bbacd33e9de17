//! The audit log: who came, who was refused, who left and why, and the orders of operators. One line of JSON for each event, to the log
//! target [`TARGET`].
//!
//! No line has a secret, a token or a query string: callers give names of keys, addresses, names of sessions, and reasons of fixed words.
//! A flood of one event from one address is one line a second and a count.

mod line;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{Clock, Timestamp};
use crate::metrics::SharedMetrics;
use crate::rate::network_of;

use line::Line;

/// The target of the records, whose message is the line.
pub const TARGET: &str = "audit";

const SECOND_MICROS: i64 = 1_000_000;

/// Most seconds whose counts wait for the next [`Audit::flush`]; those of further ones are counted together.
const ENDED_MAX: usize = 16;

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
    /// The files of keys, of tokens and of the certificate were read again.
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
    seconds: Mutex<Seconds>,
}

/// The present second, and those before it whose counts have not been written.
#[derive(Debug, Default)]
struct Seconds {
    present: Second,
    ended: VecDeque<Second>,
}

/// The events of the present second.
#[derive(Debug, Default)]
struct Second {
    start: Timestamp,
    /// For each event and address, of IPv6 its network, the number of lines that were left out.
    sources: HashMap<(Event, Option<IpAddr>), u64>,
    /// Lines that were left out because there were too many addresses.
    others: u64,
}

impl Audit {
    /// Returns the log of a server. In a second it has lines of at most `sources_max` pairs of event and address, the rest are counted
    /// together.
    pub fn new(clock: Arc<dyn Clock>, metrics: SharedMetrics, sources_max: usize) -> Self {
        Self { clock, metrics, sources_max, seconds: Mutex::default() }
    }

    /// Records an event: in a line, or in a count if its address had the same one in this second. Hubs call this, so it writes no line but
    /// its own: after a flood there are many counts, which [`Self::flush`] writes.
    pub fn record(&self, event: Event, entry: Entry<'_>) {
        let now = self.clock.now();
        // Only operators cause them, and each must be known.
        if matches!(event, Event::Order | Event::Reloaded) {
            self.write(&Line { ts: now, event: event.name(), entry, count: None });
            return;
        }
        let mut seconds = self.lock();
        seconds.advance(now);
        let second = &mut seconds.present;
        let key = (event, entry.address.map(network_of));
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
        drop(seconds);
        if is_first {
            self.write(&Line { ts: now, event: event.name(), entry, count: None });
        } else {
            self.metrics.audit_lines_merged.inc();
        }
    }

    /// Writes the counts of the seconds that are over. Called several times a second, by no thread of a hub.
    pub fn flush(&self) {
        let ended = {
            let mut seconds = self.lock();
            seconds.advance(self.clock.now());
            std::mem::take(&mut seconds.ended)
        };
        for second in ended {
            self.write_counts(second);
        }
    }

    /// Writes the counts of the present second, too: the process ends.
    pub fn finish(&self) {
        let Seconds { present, ended } = std::mem::take(&mut *self.lock());
        for second in ended.into_iter().chain([present]) {
            self.write_counts(second);
        }
    }

    fn write_counts(&self, Second { start, sources, others }: Second) {
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

    fn lock(&self) -> MutexGuard<'_, Seconds> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seconds {
    /// Begins the second of this time, if it is another one.
    fn advance(&mut self, now: Timestamp) {
        let start = now.floor_to(SECOND_MICROS);
        if start == self.present.start {
            return;
        }
        let mut ended = std::mem::replace(&mut self.present, Second { start, ..Second::default() });
        if self.ended.len() >= ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            ended.others += oldest.others + oldest.sources.values().sum::<u64>();
        }
        self.ended.push_back(ended);
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
        assert_eq!((audit.lock().present.sources.len(), metrics.audit_lines.get()), (100, 100));
        clock.advance_micros(1_000_000);
        audit.flush();
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lines_merged.get()), (101, 99_900));
        assert!(audit.lock().present.sources.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let (audit, clock, metrics) = audit(100);
        for number in 0..1_000_u128 {
            let address = std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | number);
            audit.record(Event::Refused, Entry { address: Some(address.into()), ..Entry::default() });
        }
        audit.record(Event::Refused, from(1));
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lines_merged.get()), (2, 999));
        clock.advance_micros(1_000_000);
        audit.flush();
        assert_eq!(metrics.audit_lines.get(), 3, "one count");
    }

    #[test]
    fn an_event_writes_its_own_line_only_and_the_counts_before_it_wait_for_the_flush() {
        let (audit, clock, metrics) = audit(10);
        let flood = |count: u32| {
            for number in 0..10 * count {
                audit.record(Event::Refused, from(number % 10));
            }
        };
        flood(2);
        clock.advance_micros(1_000_000);
        audit.record(Event::Refused, from(1));
        assert_eq!(metrics.audit_lines.get(), 10 + 1);
        audit.flush();
        assert_eq!(metrics.audit_lines.get(), 10 + 1 + 10);
        // Nobody flushes for a while: the counts are bounded, and none is lost.
        for _ in 0..100 {
            clock.advance_micros(1_000_000);
            flood(3);
        }
        let before = metrics.audit_lines.get();
        let left_out: u64 = {
            let seconds = audit.lock();
            assert_eq!(seconds.ended.len(), ENDED_MAX);
            let all = seconds.ended.iter().chain([&seconds.present]);
            all.map(|second| second.others + second.sources.values().sum::<u64>()).sum()
        };
        assert_eq!(left_out, 100 * 20);
        audit.finish();
        let lines = metrics.audit_lines.get() - before;
        assert!((170..=200).contains(&lines), "{lines}");
    }
}
