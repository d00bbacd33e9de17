//! All connections of a run on one thread and one poll: dials them at the rate that was asked for, lets each do what its
//! socket is ready for, and counts how they end. When to do what is `run`'s business.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};

use crate::connection::{Connection, ConnectionEnd, Desk, Readiness, Role};
use crate::handshake;
use crate::options::Plan;
use crate::sequence::SymbolNumbers;
use crate::session::{Reception, Session, Standing};
use crate::tally::Tally;
use crate::watchlist::Watchlist;

/// The token that wakes the poll for something else than a connection.
const WAKE: Token = Token(usize::MAX);
/// Events that one turn handles at the most.
const EVENTS_MAX: usize = 1_024;
/// Connections that one turn dials at the most, so that those that are open are read in between.
const DIALS_PER_TURN_MAX: usize = 64;
/// How long a connection may take to become a session.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections from one source address: below the 28,232 ports that Linux gives out for one.
const CONNECTIONS_PER_SOURCE: usize = 25_000;

/// How many sessions there were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Census {
    /// Connections that became a session.
    pub(crate) opened: usize,
    /// Connections that did not.
    pub(crate) failed: usize,
    /// Sessions that the server ended, without the stalled ones.
    pub(crate) dropped: usize,
    /// Stalled sessions that the server ended.
    pub(crate) stalled_ended: usize,
}

/// All connections of a run.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    plan: &'a Plan,
    watchlist: &'a Watchlist,
    poll: Poll,
    events: Events,
    desk: Desk,
    connections: Vec<Connection>,
    /// Connections in the order in which they were dialled, until they are open or over.
    opening: VecDeque<usize>,
    /// Connections that had more to read when their turn was over.
    again: Vec<usize>,
    started: Instant,
    failed_at_once: usize,
    census: Census,
}

impl<'a> Crowd<'a> {
    /// Returns a crowd without a connection.
    ///
    /// # Errors
    ///
    /// Returns why the system gives no poll.
    pub(crate) fn new(plan: &'a Plan, watchlist: &'a Watchlist) -> io::Result<Self> {
        let reception = Reception {
            tally: Tally::new(),
            symbols: SymbolNumbers::default(),
            ts_key: plan.ts_key.clone().into_bytes(),
            ts_unit: plan.ts_unit,
            channels: plan.channels.iter().filter_map(|name| name.parse().ok()).collect(),
        };
        let request = handshake::request(&plan.target, plan.subprotocol.as_deref());
        Ok(Self {
            plan,
            watchlist,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            desk: Desk::new(request, reception),
            connections: Vec::with_capacity(plan.connections()),
            opening: VecDeque::new(),
            again: Vec::new(),
            started: Instant::now(),
            failed_at_once: 0,
            census: Census::default(),
        })
    }

    /// Returns what ends a wait from another thread.
    ///
    /// # Errors
    ///
    /// Returns why the system gives none.
    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Returns what was received.
    pub(crate) fn tally(&self) -> &Tally {
        &self.desk.reception.tally
    }

    /// Returns what was received, to begin or end a window.
    pub(crate) fn tally_mut(&mut self) -> &mut Tally {
        &mut self.desk.reception.tally
    }

    /// Returns how many sessions there were.
    pub(crate) fn census(&self) -> Census {
        self.census
    }

    /// Returns the sessions that are measured.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|connection| connection.role() == Role::Active)
    }

    /// Begins the count of each session's events.
    pub(crate) fn begin_window(&mut self) {
        self.connections.iter_mut().for_each(|connection| connection.session_mut().begin_window());
    }

    /// Returns whether everyone has been dialled, and nobody waits for an answer to what was asked first.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_dialled() && self.opening.is_empty() && !self.any_open(Standing::Subscribing)
    }

    /// Returns whether nobody waits for the final snapshots.
    pub(crate) fn is_verified(&self) -> bool {
        !self.any_open(Standing::Verifying)
    }

    /// Returns whether no connection is left, but for those that never read.
    pub(crate) fn is_gone(&self) -> bool {
        !self.connections.iter().any(|connection| connection.is_open() && connection.role() != Role::Stalled)
    }

    /// Returns whether no session is left at all, and none will come.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_dialled() && self.opening.is_empty() && !self.connections.iter().any(Connection::is_open)
    }

    fn any_open(&self, standing: Standing) -> bool {
        self.connections.iter().any(|connection| connection.is_open() && connection.session().standing() == standing)
    }

    fn dialled(&self) -> usize {
        self.connections.len() + self.failed_at_once
    }

    fn is_dialled(&self) -> bool {
        self.dialled() == self.plan.connections()
    }

    /// Waits until something happens, no longer than `timeout`, and deals with it.
    ///
    /// # Errors
    ///
    /// Returns why the poll fails.
    pub(crate) fn turn(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = if self.again.is_empty() { timeout } else { Duration::ZERO };
        if let Err(err) = self.poll.poll(&mut self.events, Some(timeout))
            && err.kind() != io::ErrorKind::Interrupted
        {
            return Err(err);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in events.iter().filter(|event| event.token() != WAKE) {
            self.advance(event.token().0, readiness(event));
        }
        self.events = events;
        // To the very end: what the poll had to say of these has been said, the other side's end too.
        let more = Readiness { readable: true, closed: true, ..Readiness::default() };
        for number in std::mem::take(&mut self.again) {
            self.advance(number, more);
        }
        Ok(())
    }

    fn advance(&mut self, number: usize, ready: Readiness) {
        let Some(connection) = self.connections.get_mut(number) else { return };
        let was_open = connection.is_open();
        let advanced = connection.advance(ready, &mut self.desk);
        self.census.opened += usize::from(!was_open && connection.is_open());
        match advanced {
            Ok(false) => {}
            Ok(true) => self.again.push(number),
            Err(end) => self.end(number, end),
        }
    }

    fn end(&mut self, number: usize, end: ConnectionEnd) {
        let connection = &mut self.connections[number];
        connection.end();
        let role = connection.role();
        match end {
            ConnectionEnd::Failed(reason) => self.count_failed(reason),
            ConnectionEnd::Closed(_) if role == Role::Stalled => self.census.stalled_ended += 1,
            ConnectionEnd::Closed(code) => {
                self.census.dropped += 1;
                *self.tally_mut().closes.entry(code).or_default() += 1;
            }
        }
    }

    fn count_failed(&mut self, reason: String) {
        self.census.failed += 1;
        *self.tally_mut().failed.entry(reason).or_default() += 1;
    }

    /// Dials those whose time has come and gives up on those that have taken too long. Returns when to come back, or `None`
    /// when all have been dialled.
    pub(crate) fn dial(&mut self, now: Instant) -> Option<Instant> {
        while let Some(number) = self.opening.front().copied() {
            match self.connections[number].opening_for(now) {
                Some(waiting) if waiting < OPEN_TIMEOUT => break,
                Some(_) => self.end(number, ConnectionEnd::Failed("no answer in time".into())),
                None => {}
            }
            self.opening.pop_front();
        }
        let rate = f64::from(self.plan.connect_rate);
        let elapsed = now - self.started;
        for _ in 0..DIALS_PER_TURN_MAX {
            if self.is_dialled() {
                return None;
            }
            let number = self.dialled();
            #[expect(clippy::cast_precision_loss, reason = "there are at most SESSIONS_MAX of them")]
            let due = if rate > 0.0 { Duration::from_secs_f64(number as f64 / rate) } else { Duration::ZERO };
            if due > elapsed {
                return Some(self.started + due);
            }
            self.dial_one(number);
        }
        Some(now)
    }

    fn dial_one(&mut self, number: usize) {
        let Plan { sessions, idle, target, .. } = self.plan;
        let role = match number {
            _ if number < *sessions => Role::Active,
            _ if number < sessions + idle => Role::Idle,
            _ => Role::Stalled,
        };
        let session = Session::new(number, self.subscription(role, number));
        let index = self.connections.len();
        let token = (self.poll.registry(), Token(index));
        match Connection::dial(target.address, source(self.plan, number), token, (role, session)) {
            Ok(connection) => {
                self.connections.push(connection);
                self.opening.push_back(index);
            }
            Err(err) => {
                self.failed_at_once += 1;
                self.count_failed(err.kind().to_string());
            }
        }
    }

    fn subscription(&self, role: Role, number: usize) -> Vec<String> {
        let symbols = match role {
            Role::Active => self.watchlist.draw(number),
            Role::Idle => return Vec::new(),
            Role::Stalled if self.plan.is_native => vec!["*"],
            Role::Stalled => self.watchlist.all(),
        };
        let channels: Vec<_> = self.plan.channels.iter().map(String::as_str).collect();
        self.plan.templates.iter().flat_map(|template| template.render(number, &symbols, &channels)).collect()
    }

    /// Lets every session that is open say something.
    pub(crate) fn each_open(&mut self, role: Option<Role>, say: impl Fn(&mut Session)) {
        for number in 0..self.connections.len() {
            let connection = &mut self.connections[number];
            if connection.is_open() && role.is_none_or(|role| role == connection.role()) {
                say(connection.session_mut());
                if let Err(end) = connection.flush() {
                    self.end(number, end);
                }
            }
        }
    }
}

fn readiness(event: &Event) -> Readiness {
    let closed = event.is_read_closed() || event.is_error();
    Readiness { readable: event.is_readable(), writable: event.is_writable(), closed }
}

/// Returns the address to connect from when one is not enough for all.
fn source(plan: &Plan, number: usize) -> Option<IpAddr> {
    if plan.connections() <= CONNECTIONS_PER_SOURCE {
        return None;
    }
    let last = u8::try_from(number / CONNECTIONS_PER_SOURCE + 1).ok()?;
    Some(Ipv4Addr::new(127, 0, 0, last).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::net::TcpListener;

    fn plan(arguments: &[&str]) -> Plan {
        let line = ["tickcast-load"].iter().chain(arguments);
        Plan::new(crate::options::Arguments::try_parse_from(line).unwrap()).unwrap()
    }

    #[test]
    fn many_connections_come_from_several_addresses() {
        let few = plan(&["--idle", "25000"]);
        assert_eq!(source(&few, 24_999), None);
        let many = plan(&["--idle", "60000"]);
        let last = |number| source(&many, number).map(|address| address.to_string());
        assert_eq!(last(24_999).as_deref(), Some("127.0.0.1"));
        assert_eq!(last(59_999).as_deref(), Some("127.0.0.3"));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let poll = Poll::new().unwrap();
        let who = (Role::Idle, Session::new(0, Vec::new()));
        let from = IpAddr::from([127, 0, 0, 3]);
        let _connection =
            Connection::dial(listener.local_addr().unwrap(), Some(from), (poll.registry(), Token(0)), who).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), from);
    }
}
