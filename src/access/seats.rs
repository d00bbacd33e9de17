//! `Seats`: the places of the connections of each key, by which they are counted and ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::access::{AtExcess, Identity, Keys, OnLimit};
use crate::protocol::CloseReason;

/// The connections of each key at each endpoint, oldest first. An entry exists only while its key has a connection there, so
/// that `server.connections_max` bounds the map.
#[derive(Default)]
pub(super) struct Seats(Mutex<Taken>);

#[derive(Default)]
pub(super) struct Taken {
    /// By number, so that the oldest is the first, and one of very many is found at once.
    pub(super) places: HashMap<Place, BTreeMap<u64, Connection>>,
    next: u64,
}

/// The id of a key, and the endpoint; empty if the connections at all endpoints are counted together.
type Place = (String, String);

pub(super) struct Connection {
    pub(super) key: Identity,
    /// Whether its client can renew the key, and has some time for that after its end.
    can_renew: bool,
    /// Whether `end` has been called because the key has ended: a renewal comes too late.
    is_ended: bool,
    pub(super) end: End,
}

/// Ends a connection.
type End = Arc<dyn Fn(CloseReason) + Send + Sync>;

/// The connections of an ended key end in so many steps, or all the other clients would wait for 10,000 closing handshakes.
const STEPS: usize = 100;
/// Time between two steps; so all are over within a second.
const STEP: Duration = Duration::from_millis(5);

/// The endpoint of places that count for no limit. No address has this name.
const UNCOUNTED: &str = "uncounted";

/// Why there is no place for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// The key has too many connections.
    Full,
    /// The key has ended for this reason since the client came.
    Ended(CloseReason),
}

/// The place of one connection, until it is dropped.
pub struct Seat {
    keys: Arc<Keys>,
    place: Place,
    number: u64,
}

impl Seats {
    pub(super) fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// Takes a place for a connection of this key at an endpoint. If the key has as many connections there as it may, the oldest
    /// one's `end` is called, on this thread, or the place is refused. Connections of a key of the key file, or of a subject of tokens, are counted over all
    /// endpoints and transports, and by `on_limit` of the key instead of `at_excess`; `end` is also called when such a key ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the place is refused.
    pub fn take_seat(
        self: &Arc<Self>,
        key: &Identity,
        endpoint: &str,
        at_excess: AtExcess,
        end: impl Fn(CloseReason) + Send + Sync + 'static,
    ) -> Result<Seat, NoSeat> {
        let (endpoint, at_excess) = match (key.has_own_limit(), key.entitlement().on_limit) {
            (false, _) => (endpoint, at_excess),
            (true, OnLimit::Refuse) => ("", AtExcess::Refuse),
            (true, OnLimit::Replace) => ("", AtExcess::EndOldest),
        };
        let connections_max = key.entitlement().connections_max;
        self.sit(key, endpoint, connections_max, at_excess, end)
    }

    /// Takes a place beside the connections of this key, which counts for no limit. `end` is called when the key ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the key has ended already.
    pub fn take_uncounted_seat(
        self: &Arc<Self>,
        key: &Identity,
        end: impl Fn(CloseReason) + Send + Sync + 'static,
    ) -> Result<Seat, NoSeat> {
        self.sit(key, UNCOUNTED, 0, AtExcess::Refuse, end)
    }

    /// Takes a place at an endpoint that has `connections_max` of them, any number if that is 0.
    fn sit(
        self: &Arc<Self>,
        key: &Identity,
        endpoint: &str,
        connections_max: usize,
        at_excess: AtExcess,
        end: impl Fn(CloseReason) + Send + Sync + 'static,
    ) -> Result<Seat, NoSeat> {
        let place = (key.name().to_owned(), endpoint.to_owned());
        let mut seats = self.seats.lock();
        let number = seats.next;
        let taken = seats.places.entry(place.clone()).or_default();
        let mut ended = Vec::new();
        while connections_max > 0 && taken.len() >= connections_max {
            if at_excess == AtExcess::Refuse {
                return Err(NoSeat::Full);
            }
            ended.extend(taken.pop_first());
        }
        taken.insert(number, Connection { key: key.clone(), can_renew: false, is_ended: false, end: Arc::new(end) });
        seats.next += 1;
        drop(seats);
        // Without the lock: whoever is ended may give its place back at once.
        for (_, oldest) in ended {
            (oldest.end)(CloseReason::Replaced);
        }
        let seat = Seat { keys: self.clone(), place, number };
        // After the place was taken: a key that ends from now on ends this connection, too.
        match self.end_of(key, false) {
            Some(reason) => Err(NoSeat::Ended(reason)),
            None => Ok(seat),
        }
    }

    /// Ends the connections whose key has ended, of the keys that `may_end`: within half a second if they are very many. Returns their
    /// number.
    pub(super) fn end_connections(&self, may_end: impl Fn(&Identity) -> bool) -> usize {
        let mut seats = self.seats.lock();
        let connections = seats
            .places
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .filter(|each| !each.is_ended && may_end(&each.key));
        let ended = connections.filter_map(|each| {
            let reason = self.end_of(&each.key, each.can_renew)?;
            each.is_ended = true;
            Some((each.end.clone(), reason))
        });
        let ended: Vec<_> = ended.collect();
        drop(seats);
        let count = ended.len();
        end_all(ended);
        count
    }
}

/// Ends connections: a few at once, and more of them in steps on a thread of its own.
fn end_all(connections: Vec<(End, CloseReason)>) {
    let connections = Arc::new(connections);
    let end = |part: &[(End, CloseReason)]| part.iter().for_each(|(end, reason)| end(*reason));
    let step = connections.len().div_ceil(STEPS);
    if step <= 1 {
        return end(&connections);
    }
    let all = connections.clone();
    let spread = move || {
        for part in all.chunks(step) {
            end(part);
            thread::sleep(STEP);
        }
    };
    if let Err(err) = thread::Builder::new().name("key-ends".into()).spawn(spread) {
        log::warn!("no thread to end connections one after another, all end at once: {err}");
        end(&connections);
    }
}

impl Seat {
    /// Gives the client of the connection time to renew its key after its end (`auth.expiry_grace_ms`).
    pub(super) fn let_renew(&self) {
        if let Some(connection) = self.keys.seats.lock().find(self) {
            connection.can_renew = true;
        }
    }

    /// Makes this the key of the connection. From now on the connection ends with this one, and not with the old one.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is ending already, or the new key has ended since it was looked up.
    pub(super) fn renew(&self, key: &Identity) -> Result<(), NoSeat> {
        let mut seats = self.keys.seats.lock();
        let connection = seats.find(self).filter(|connection| !connection.is_ended);
        let connection = connection.ok_or(NoSeat::Ended(CloseReason::TokenExpired))?;
        // With the lock: whoever ends keys now sees the new one.
        if let Some(reason) = self.keys.end_of(key, false) {
            return Err(NoSeat::Ended(reason));
        }
        connection.key = key.clone();
        Ok(())
    }
}

impl Taken {
    fn find(&mut self, seat: &Seat) -> Option<&mut Connection> {
        self.places.get_mut(&seat.place)?.get_mut(&seat.number)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.keys.seats.lock();
        if let Some(taken) = seats.places.get_mut(&self.place) {
            taken.remove(&self.number);
            if taken.is_empty() {
                seats.places.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn many_connections_are_ended_once_each_by_a_thread_of_its_own_and_a_few_at_once() {
        let (sender, ended) = mpsc::channel();
        let connection = move |number: usize| -> (End, CloseReason) {
            let sender = sender.clone();
            let end = move |_| sender.send((number, thread::current().name().map(str::to_owned))).unwrap();
            (Arc::new(end), CloseReason::KeyRevoked)
        };
        end_all((0..STEPS).map(&connection).collect());
        assert_eq!(ended.try_iter().count(), STEPS, "at once");
        end_all((0..=2 * STEPS).map(&connection).collect());
        for number in 0..=2 * STEPS {
            assert_eq!(ended.recv().unwrap(), (number, Some("key-ends".into())));
        }
        drop(connection);
        assert_eq!(ended.recv(), Err(mpsc::RecvError), "once each");
    }
}
