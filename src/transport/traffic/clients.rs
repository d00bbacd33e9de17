//! The accounts of every client that has given a name, in a bounded map: one that is idle gives way to a new one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::SharedMetrics;
use crate::transport::traffic::account::{Account, Figures, Transport};

/// Every client that is accounted, shared by all workers.
#[derive(Debug)]
pub struct Traffic {
    clients: Mutex<Clients>,
    clients_max: usize,
    metrics: SharedMetrics,
}

#[derive(Debug, Default)]
struct Clients {
    by_name: HashMap<String, Client>,
    /// How many requests have been accounted: the time by which clients age.
    requests: u64,
}

#[derive(Debug, Default)]
struct Client {
    accounts: [Arc<Account>; Transport::ALL.len()],
    /// Who has named it first.
    address: Option<IpAddr>,
    requests: u64,
    last_request: u64,
}

impl Client {
    /// Returns whether no connection carries anything for it. New ones find it through the map alone.
    fn is_idle(&self) -> bool {
        self.accounts.iter().all(|account| Arc::strong_count(account) == 1)
    }
}

impl Traffic {
    /// Returns a map without clients that takes at most `clients_max`.
    pub fn new(clients_max: usize, metrics: SharedMetrics) -> Self {
        Self { clients: Mutex::default(), clients_max, metrics }
    }

    /// Returns the account of a client, which may be new; `None` when there are too many that may not be forgotten for one of
    /// this address.
    pub(super) fn account(&self, name: &str, address: Option<IpAddr>, transport: Transport) -> Option<Arc<Account>> {
        let clients = &mut *self.lock();
        if !clients.by_name.contains_key(name) {
            if clients.by_name.len() >= self.clients_max && !self.evict(clients, address) {
                self.metrics.traffic_clients_refused.inc();
                return None;
            }
            clients.by_name.insert(name.to_owned(), Client { address, ..Client::default() });
        }
        clients.requests += 1;
        let client = clients.by_name.get_mut(name)?;
        client.requests += 1;
        client.last_request = clients.requests;
        Some(client.accounts[transport as usize].clone())
    }

    /// Removes an idle client of the address that has most of them: the one with the fewest requests, and of these the one that
    /// has been idle for longest. So nobody can make the server forget others' by using many names. Returns false when there is
    /// none, or when that address has no more than the one that asks.
    fn evict(&self, clients: &mut Clients, address: Option<IpAddr>) -> bool {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for client in clients.by_name.values() {
            *counts.entry(client.address).or_default() += 1;
        }
        let own = counts.get(&address).copied().unwrap_or(0);
        let most = counts.values().copied().max().unwrap_or(0);
        let gives = |client: &Client| client.address == address || counts[&client.address] > own;
        let idle = clients
            .by_name
            .iter()
            .filter(|(_, client)| counts[&client.address] == most && gives(client) && client.is_idle());
        let least = idle.min_by_key(|(_, client)| (client.requests, client.last_request)).map(|(name, _)| name.clone());
        let Some(least) = least else { return false };
        clients.by_name.remove(&least);
        self.metrics.traffic_clients_evicted.inc();
        true
    }

    /// Returns the figures of a client over each transport; `None` when it is not known, or no longer.
    pub(super) fn figures(&self, name: &str) -> Option<[Figures; Transport::ALL.len()]> {
        Some(self.lock().by_name.get(name)?.accounts.each_ref().map(|account| account.figures()))
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

    #[test]
    fn the_client_that_has_been_idle_for_longest_gives_way() {
        let metrics = SharedMetrics::default();
        let traffic = Traffic::new(3, metrics.clone());
        let busy = traffic.account("a", None, Transport::Sse).unwrap();
        for name in ["b", "c", "b", "d"] {
            drop(traffic.account(name, None, Transport::LongPoll).unwrap());
        }
        assert_eq!(names(&traffic), ["a", "b", "d"]);
        drop(busy);
        drop(traffic.account("e", None, Transport::LongPoll).unwrap());
        assert_eq!(names(&traffic), ["b", "d", "e"]);
        assert_eq!((metrics.traffic_clients_evicted.get(), metrics.traffic_clients_refused.get()), (2, 0));
    }

    #[test]
    fn while_all_are_busy_a_new_one_is_refused_and_known_ones_are_not() {
        let metrics = SharedMetrics::default();
        let traffic = Traffic::new(2, metrics.clone());
        let busy = ["a", "b"].map(|name| traffic.account(name, None, Transport::WebSocket).unwrap());
        assert!(traffic.account("c", None, Transport::WebSocket).is_none());
        assert!(traffic.account("a", None, Transport::LongPoll).is_some());
        assert_eq!((metrics.traffic_clients_evicted.get(), metrics.traffic_clients_refused.get()), (0, 1));
        drop(busy);
    }

    #[test]
    fn many_names_of_one_address_are_forgotten_for_each_other_and_for_those_of_others() {
        let traffic = Traffic::new(4, SharedMetrics::default());
        let [one, other] = [[1; 4], [2; 4]].map(|address| Some(IpAddr::from(address)));
        let poll = |name: &str, address| traffic.account(name, address, Transport::LongPoll).is_some();
        assert!(poll("mine", other) && poll("known", one) && poll("known", one));
        for number in 0..300 {
            assert!(poll(&format!("x{number}"), one));
        }
        assert_eq!(names(&traffic), ["known", "mine", "x298", "x299"]);
        assert!(poll("yours", other));
        assert_eq!(names(&traffic), ["known", "mine", "x299", "yours"]);
    }

    #[test]
    fn each_transport_has_its_place() {
        for (index, transport) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport as usize, index);
        }
    }
}
