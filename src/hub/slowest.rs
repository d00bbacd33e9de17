//! `Slowest`: of many sessions the slowest, in order. Whatever is asked for, no turn of the thread has more work than a group of sessions.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::hub::roll::{Figures, GROUP, SessionStatus};

/// The slowest of the sessions that were offered.
#[derive(Debug)]
pub(super) struct Slowest {
    /// The least slow one is the first to go.
    kept: BinaryHeap<Reverse<BySlowness>>,
    sessions_max: usize,
}

/// A session; the slowest is the greatest.
#[derive(Debug)]
struct BySlowness(SessionStatus);

impl BySlowness {
    fn slowness(session: &SessionStatus) -> impl Ord + use<> {
        let Figures { waiting, lag, queue, .. } = session.figures;
        // The number makes the order of equals the same at each look.
        (waiting.as_millis(), lag, queue, session.round_trip.unwrap_or_default(), Reverse(session.id))
    }
}

impl Ord for BySlowness {
    fn cmp(&self, other: &Self) -> Ordering {
        Self::slowness(&self.0).cmp(&Self::slowness(&other.0))
    }
}

impl PartialOrd for BySlowness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BySlowness {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BySlowness {}

impl Slowest {
    /// Returns an empty selection of at most so many sessions.
    pub(super) const fn new(sessions_max: usize) -> Self {
        Self { kept: BinaryHeap::new(), sessions_max }
    }

    /// Takes a session, in place of the least slow one if there are too many.
    pub(super) fn offer(&mut self, session: SessionStatus) {
        self.kept.push(Reverse(BySlowness(session)));
        if self.kept.len() > self.sessions_max {
            self.kept.pop();
        }
    }

    /// Returns the sessions, the slowest last.
    pub(super) async fn in_order(mut self) -> Vec<SessionStatus> {
        let mut ordered = Vec::with_capacity(self.kept.len());
        while let Some(Reverse(BySlowness(least))) = self.kept.pop() {
            ordered.push(least);
            if ordered.len().is_multiple_of(GROUP) {
                tokio::task::yield_now().await;
            }
        }
        ordered
    }
}

/// Some sessions of a hub.
#[derive(Debug, Default)]
pub struct Look {
    /// The slowest ones, the slowest last.
    pub slowest: Vec<SessionStatus>,
    /// The number of sessions that were looked for.
    pub matched: usize,
}

impl Look {
    /// Returns the slowest sessions of several hubs, the slowest first, without the first `offset`, and at most `sessions_max`.
    pub async fn merge(looks: Vec<Self>, offset: usize, sessions_max: usize) -> Vec<SessionStatus> {
        let mut lists: Vec<_> = looks.into_iter().map(|look| look.slowest).collect();
        let mut merged = Vec::with_capacity(sessions_max.min(lists.iter().map(Vec::len).sum()));
        let mut seen = 0;
        while merged.len() < sessions_max {
            let slowest = |list: &&mut Vec<SessionStatus>| list.last().map(BySlowness::slowness);
            let next = lists.iter_mut().filter(|list| !list.is_empty()).max_by_key(slowest).and_then(Vec::pop);
            let Some(next) = next else { break };
            if seen >= offset {
                merged.push(next);
            }
            seen += 1;
            if seen.is_multiple_of(GROUP) {
                tokio::task::yield_now().await;
            }
        }
        // To free the others is work, too.
        for mut list in lists {
            while !list.is_empty() {
                list.truncate(list.len().saturating_sub(GROUP));
                tokio::task::yield_now().await;
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    fn status(id: u64, waiting_ms: u64, lag: u64, queue: usize, round_trip_ms: Option<u64>) -> SessionStatus {
        SessionStatus {
            id,
            key: "".into(),
            transport: "websocket",
            dialect: "native",
            address: None,
            age: Duration::ZERO,
            rate: 0.0,
            round_trip: round_trip_ms.map(Duration::from_millis),
            figures: Figures { waiting: Duration::from_millis(waiting_ms), lag, queue, ..Figures::default() },
        }
    }

    async fn look(sessions: &[SessionStatus], sessions_max: usize) -> Look {
        let mut slowest = Slowest::new(sessions_max);
        for session in sessions {
            slowest.offer(session.clone());
        }
        Look { slowest: slowest.in_order().await, matched: sessions.len() }
    }

    fn ids(sessions: &[SessionStatus]) -> Vec<u64> {
        sessions.iter().map(|session| session.id).collect()
    }

    #[tokio::test]
    async fn the_slowest_waits_longest_then_is_furthest_behind_then_has_the_longest_queue() {
        let sessions = [
            status(1, 0, 0, 0, None),
            status(2, 0, 0, 0, Some(50)),
            status(3, 0, 0, 7, None),
            status(4, 0, 9, 0, None),
            status(5, 10, 0, 0, None),
            status(6, 10, 2, 0, None),
        ];
        for (offset, sessions_max, expected) in
            [(0, 5, vec![6, 5, 4, 3, 2]), (2, 2, vec![4, 3]), (4, 9, vec![2, 1]), (6, 1, vec![])]
        {
            let kept = offset + sessions_max;
            let looks = vec![look(&sessions[..3], kept).await, Look::default(), look(&sessions[3..], kept).await];
            assert_eq!(ids(&Look::merge(looks, offset, sessions_max).await), expected);
        }
    }

    #[tokio::test]
    async fn any_order_of_many_sessions_gives_the_same_and_a_turn_has_a_group_of_them() {
        const SESSIONS: u64 = 20_000;
        // Every session has another lag, and neighbours in the order come far from each other.
        let sessions: Vec<_> = (0..SESSIONS).map(|id| status(id, 0, id * 7_919 % SESSIONS, 0, None)).collect();
        let turns = Rc::new(Cell::new(0_usize));
        let counted = turns.clone();
        let other = async move {
            loop {
                counted.set(counted.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let work = async {
            for (offset, sessions_max) in [(0, 100), (19_950, 100), (100_000, 100), (0, 20_000)] {
                let before = turns.get();
                let halves = sessions.split_at(sessions.len() / 2);
                let kept = offset + sessions_max;
                let looks = vec![look(halves.0, kept).await, look(halves.1, kept).await];
                let found = Look::merge(looks, offset, sessions_max).await;
                let lags: Vec<_> = found.iter().map(|session| session.figures.lag).collect();
                let expected: Vec<_> = (0..SESSIONS).rev().skip(offset).take(sessions_max).collect();
                assert_eq!(lags, expected, "{offset} {sessions_max}");
                // Each of the sessions that are kept is ordered, and then merged or freed.
                let kept = 2 * kept.min(sessions.len() / 2);
                assert!(turns.get() - before >= 2 * (kept / GROUP).saturating_sub(2), "{offset} {sessions_max}");
            }
        };
        tokio::select! {
            () = work => {}
            () = other => {}
        }
    }
}
