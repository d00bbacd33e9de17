//! The accounts of all clients that send a name, in a bounded map. If the map is full, the account of an idle client is
//! evicted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::metrics::SharedMetrics;
use crate::transport::traffic::account::{Account, Figures, Transport};

/// An account used within so long is not evicted. A new client is then served without an account.
const KEPT: Duration = Duration::from_mins(1);
/// Accounts in use within that time are evicted only if their address has so many more of them than the address of the new
/// client.
const EXCESS: usize = 2;

/// All accounts, shared by all workers.
#[derive(Debug)]
pub struct Traffic {
    clients: Mutex<Clients>,
    clients_max: usize,
    metrics: SharedMetrics,
}

#[derive(Debug, Default)]
struct Clients {
    by_name: HashMap<String, Client>,
}

#[derive(Debug, Default)]
struct Client {
    accounts: [Arc<Account>; Transport::ALL.len()],
    /// The address that first sent the name.
    address: Option<IpAddr>,
    requests: u64,
    /// When the account was last charged or read, or seen with a connection; by the monotonic clock.
    used: Duration,
}

impl Client {
    /// Returns whether no connection uses the account. A new connection gets it only through the map.
    fn is_idle(&self) -> bool {
        self.accounts.iter().all(|account| Arc::strong_count(account) == 1)
    }
}

impl Traffic {
    /// Returns an empty map of at most `clients_max` clients.
    pub fn new(clients_max: usize, metrics: SharedMetrics) -> Self {
        Self { clients: Mutex::default(), clients_max, metrics }
    }

    /// Returns the account of a client, created if necessary; `None` if the map is full and no account may be evicted for this
    /// address. `now` is the time of the monotonic clock.
    pub(super) fn account(
        &self,
        name: &str,
        address: Option<IpAddr>,
        transport: Transport,
        now: Duration,
    ) -> Option<Arc<Account>> {
        let clients = &mut *self.lock();
        if !clients.by_name.contains_key(name) {
            if clients.by_name.len() >= self.clients_max && !self.evict(clients, address, now) {
                self.metrics.traffic_clients_refused.inc();
                return None;
            }
            clients.by_name.insert(name.to_owned(), Client { address, ..Client::default() });
        }
        let client = clients.by_name.get_mut(name)?;
        client.requests += 1;
        client.used = now;
        Some(client.accounts[transport as usize].clone())
    }

    /// Evicts an idle client of the address that has the most: the one with the fewest requests, and among those the one idle
    /// for longest. So one address cannot evict the clients of others by sending many names. Returns false if none may be
    /// evicted.
    fn evict(&self, clients: &mut Clients, address: Option<IpAddr>, now: Duration) -> bool {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for client in clients.by_name.values_mut() {
            *counts.entry(client.address).or_default() += 1;
            if !client.is_idle() {
                client.used = now;
            }
        }
        let own = counts.get(&address).copied().unwrap_or(0);
        let most = counts.values().copied().max().unwrap_or(0);
        let is_unused = |client: &Client| now.saturating_sub(client.used) >= KEPT;
        let gives = |client: &Client| {
            let count = counts[&client.address];
            let is_less = client.address == address || count > own;
            (is_less && is_unused(client)) || (client.address != address && count >= own + EXCESS)
        };
        let idle = clients
            .by_name
            .iter()
            .filter(|(_, client)| counts[&client.address] == most && gives(client) && client.is_idle());
        let least = idle.min_by_key(|(_, client)| (client.requests, client.used)).map(|(name, _)| name.clone());
        let Some(least) = least else { return false };
        clients.by_name.remove(&least);
        self.metrics.traffic_clients_evicted.inc();
        true
    }

    /// Returns the figures of a client over each transport; `None` if the client is unknown or evicted. Reading counts as use.
    pub(super) fn figures(&self, name: &str, now: Duration) -> Option<[Figures; Transport::ALL.len()]> {
        let mut clients = self.lock();
        let client = clients.by_name.get_mut(name)?;
        client.used = now;
        Some(client.accounts.each_ref().map(|account| account.figures()))
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(traffic: &Traffic) -> Vec<String> {
        let mut names: Vec<_> = traffic.lock().by_name.keys().cloned().collect();
        names.sort();
        names
    }

    const START: Duration = Duration::ZERO;

    #[test]
    fn the_client_idle_for_longest_is_evicted() {
        let metrics = SharedMetrics::default();
        let traffic = Traffic::new(3, metrics.clone());
        let busy = traffic.account("a", None, Transport::Sse, START).unwrap();
        let mut now = START;
        for name in ["b", "c", "b", "d", "d"] {
            drop(traffic.account(name, None, Transport::LongPoll, now).unwrap());
            now += KEPT;
        }
        assert_eq!(names(&traffic), ["a", "b", "d"]);
        drop(busy);
        now += KEPT;
        drop(traffic.account("e", None, Transport::LongPoll, now).unwrap());
        assert_eq!(names(&traffic), ["b", "d", "e"]);
        assert_eq!((metrics.traffic_clients_evicted.get(), metrics.traffic_clients_refused.get()), (2, 0));
    }

    #[test]
    fn while_all_clients_are_busy_a_new_one_gets_no_account_and_known_ones_do() {
        let metrics = SharedMetrics::default();
        let traffic = Traffic::new(2, metrics.clone());
        let busy = ["a", "b"].map(|name| traffic.account(name, None, Transport::WebSocket, START).unwrap());
        assert!(traffic.account("c", None, Transport::WebSocket, KEPT).is_none());
        assert!(traffic.account("a", None, Transport::LongPoll, KEPT).is_some());
        assert_eq!((metrics.traffic_clients_evicted.get(), metrics.traffic_clients_refused.get()), (0, 1));
        drop(busy);
        assert!(traffic.account("c", None, Transport::WebSocket, KEPT + Duration::from_secs(59)).is_none());
        assert!(
            traffic.account("c", None, Transport::WebSocket, KEPT * 2).is_some(),
            "it has ended so long ago at least"
        );
    }

    #[test]
    fn many_names_of_one_address_are_evicted_for_other_addresses_and_not_for_each_other() {
        let traffic = Traffic::new(4, SharedMetrics::default());
        let [one, other] = [[1; 4], [2; 4]].map(|address| Some(IpAddr::from(address)));
        let poll = |name: &str, address| traffic.account(name, address, Transport::LongPoll, START).is_some();
        assert!(poll("mine", other) && poll("known", one) && poll("known", one));
        for number in 0..300 {
            assert_eq!(poll(&format!("x{number}"), one), number < 2);
        }
        assert_eq!(names(&traffic), ["known", "mine", "x0", "x1"]);
        assert!(poll("yours", other));
        assert_eq!(names(&traffic).len(), 4);
        assert!(["known", "mine", "yours"].into_iter().all(|name| names(&traffic).contains(&name.to_owned())));
        assert!(!poll("ours", other), "either has two");
    }

    #[test]
    fn many_addresses_with_one_name_each_evict_no_client_that_was_used_just_now() {
        let traffic = Traffic::new(4, SharedMetrics::default());
        let poll = |number: u8, now| {
            let address = Some(IpAddr::from([10, 0, 0, number]));
            traffic.account(&format!("x{number}"), address, Transport::LongPoll, now).is_some()
        };
        for number in 0..200 {
            assert_eq!(poll(number, START), number < 4);
        }
        assert!(traffic.figures("x0", KEPT).is_some());
        assert!(poll(200, KEPT) && traffic.figures("x0", KEPT).is_some(), "it has just been read");
    }

    #[test]
    fn each_transport_has_its_place() {
        for (index, transport) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport as usize, index);
        }
    }
}
