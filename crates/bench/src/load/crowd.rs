//! All sessions of a run: connects them at the given rate, lets each receive and answer, and counts how they end. `run` decides when
//! they verify and close.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{CloseFrame, Connection, Message, Meter, WebSocket, converse, open};
use crate::load::options::Plan;
use crate::load::session::{LIST_VERIFIED, Session, Standing};
use crate::load::tally::Tally;
use crate::load::watchlist::draw;

/// The most connections to start before open connections are read again.
const DIALS_PER_TURN_MAX: usize = 64;
/// The longest time from the start of a connect to an open session.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// The most sessions that ask for their final snapshots at the same time: all at once would fill the server's unsent bytes.
const VERIFYING_MAX: usize = 500;

/// The purpose of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It subscribes and is measured.
    Active,
    /// It subscribes to nothing.
    Idle,
    /// It subscribes to everything and never reads.
    Stalled,
}

#[derive(Debug)]
struct Client {
    role: Role,
    session: RefCell<Session>,
    /// The queue of its messages to the server while it is open: a few per run.
    sender: RefCell<Option<UnboundedSender<Message>>>,
}

/// All sessions of a run.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) plan: Rc<Plan>,
    pub(crate) meter: Meter,
    pub(crate) tally: RefCell<Tally>,
    clients: Vec<Client>,
}

impl Crowd {
    /// Returns unconnected sessions.
    pub(crate) fn new(plan: &Rc<Plan>, symbols: &[String]) -> Rc<Self> {
        let client = |number| {
            let role = match number {
                _ if number < plan.sessions() => Role::Active,
                _ if number < plan.sessions() + plan.idle => Role::Idle,
                _ => Role::Stalled,
            };
            let symbols = match role {
                Role::Active => draw(symbols, plan.symbols_per_session, plan.seed, number),
                Role::Stalled if plan.is_native() => vec!["*"],
                Role::Stalled => symbols.iter().map(String::as_str).collect(),
                Role::Idle => Vec::new(),
            };
            let subscribe = if role == Role::Idle { Vec::new() } else { plan.subscribe(number, &symbols) };
            let session = RefCell::new(Session { subscribe, ..Session::default() });
            Client { role, session, sender: RefCell::default() }
        };
        let clients = (0..plan.connections()).map(client).collect();
        let channels = plan.channels.iter().filter_map(|name| name.parse().ok()).collect();
        let tally = RefCell::new(Tally { channels, marker: plan.event_marker.clone(), ..Tally::default() });
        Rc::new(Self { plan: Rc::clone(plan), meter: Meter::default(), tally, clients })
    }

    /// Starts a task for each session, at the connect rate of the plan.
    pub(crate) async fn dial(self: Rc<Self>) {
        let (started, rate) = (Instant::now(), f64::from(self.plan.connect_rate));
        for number in 0..self.clients.len() {
            #[expect(clippy::cast_precision_loss, reason = "there are at most SESSIONS_MAX of them")]
            let due = started + if rate > 0.0 { Duration::from_secs_f64(number as f64 / rate) } else { Duration::ZERO };
            if due > Instant::now() {
                sleep_until(due).await;
            } else if number % DIALS_PER_TURN_MAX == 0 {
                yield_now().await;
            }
            spawn_local(Rc::clone(&self).serve(number));
        }
    }

    /// Runs one session from connect to close.
    async fn serve(self: Rc<Self>, number: usize) {
        let (client, started) = (&self.clients[number], Instant::now());
        let opened = timeout(OPEN_TIMEOUT, connect(&self.plan, &self.meter)).await;
        let socket = match opened.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(socket) => socket,
            Err(reason) => {
                *self.tally.borrow_mut().failed.entry(reason).or_default() += 1;
                return;
            }
        };
        self.tally.borrow_mut().take_connect(started.elapsed());
        let code = self.converse(client, socket).await;
        *client.sender.borrow_mut() = None;
        if client.role == Role::Stalled {
            self.tally.borrow_mut().stalled_ended += 1;
        } else {
            *self.tally.borrow_mut().closes.entry(code).or_default() += 1;
        }
    }

    /// Subscribes, then receives and answers until the session is closed; returns the close code.
    async fn converse(&self, client: &Client, socket: WebSocket) -> u16 {
        let (sender, outgoing) = unbounded_channel();
        *client.sender.borrow_mut() = Some(sender);
        client.session.borrow().subscribe.iter().for_each(|text| client.send(Message::text(text)));
        let take = |text: &[u8], now| {
            let session = &mut *client.session.borrow_mut();
            session.take_message(text, now, &mut self.tally.borrow_mut());
            session.question.take().into_iter().for_each(|question| client.send(Message::text(question)));
        };
        converse(socket, outgoing, client.role != Role::Stalled, take).await
    }

    /// Calls `look` with each measured session.
    pub(crate) fn each_active(&self, mut look: impl FnMut(&mut Session)) {
        let active = self.clients.iter().filter(|client| client.role == Role::Active);
        active.for_each(|client| look(&mut client.session.borrow_mut()));
    }

    /// Returns whether every connection is open or closed, and no session waits for its first snapshots.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_dialled() && !self.is_any_open(|client| client.session.borrow().standing == Standing::Subscribing)
    }

    /// Returns whether all sessions are closed, except stalled ones.
    pub(crate) fn is_gone(&self) -> bool {
        !self.is_any_open(|client| client.role != Role::Stalled)
    }

    /// Returns whether all sessions are closed, and none is still to connect.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_dialled() && !self.is_any_open(|_| true)
    }

    fn is_dialled(&self) -> bool {
        let tally = self.tally.borrow();
        tally.opened() + tally.failed() == self.clients.len() as u64
    }

    fn is_any_open(&self, is: impl Fn(&Client) -> bool) -> bool {
        self.clients.iter().any(|client| client.sender.borrow().is_some() && is(client))
    }

    /// Continues the verification of the measured sessions of a tickcast server, a few at a time; returns whether it is complete.
    pub(crate) fn verify(&self) -> bool {
        let open = self.clients.iter().filter(|client| client.role == Role::Active && client.sender.borrow().is_some());
        let verifying = open.clone().filter(|client| client.session.borrow().standing == Standing::Verifying).count();
        let more = VERIFYING_MAX.saturating_sub(verifying);
        let asking: Vec<_> = open.filter(|client| client.session.borrow_mut().verify()).take(more).collect();
        for client in &asking {
            let subscribe = &client.session.borrow().subscribe;
            let requests = subscribe.iter().map(String::as_str).chain([LIST_VERIFIED]);
            requests.for_each(|text| client.send(Message::text(text)));
        }
        verifying + asking.len() == 0
    }

    /// Sends a pong on each stalled session: the kernel answers with a reset if the server has closed the connection.
    pub(crate) fn probe(&self) {
        let stalled = self.clients.iter().filter(|client| client.role == Role::Stalled);
        stalled.for_each(|client| client.send(Message::Pong(Vec::new().into())));
    }

    /// Closes every session.
    pub(crate) fn close(&self) {
        self.clients
            .iter()
            .for_each(|client| client.send(Message::Close(Some(CloseFrame { code: 1000.into(), reason: "".into() }))));
    }
}

impl Client {
    fn send(&self, message: Message) {
        // A closed session has no queue.
        let _ = self.sender.borrow().as_ref().map(|sender| sender.send(message));
    }
}

/// Opens the WebSocket of one session. Fails with a text that is the same for every session with the same problem.
async fn connect(plan: &Plan, meter: &Meter) -> Result<WebSocket, String> {
    let connection = Connection::dial(plan.url.address, meter).await.map_err(|err| err.kind().to_string())?;
    open(connection, &plan.url, &plan.header).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_sessions_at_a_time_ask_for_their_final_snapshots() {
        let count = VERIFYING_MAX + 1;
        let plan = crate::command::parse(["tickcast-load", "--sessions", &count.to_string()]).unwrap();
        let crowd = Crowd::new(&Rc::new(plan), &["A".into()]);
        let outgoing = crowd.clients.iter().map(|client| {
            let (sender, outgoing) = unbounded_channel();
            *client.sender.borrow_mut() = Some(sender);
            client.session.borrow_mut().standing = Standing::Ready;
            outgoing
        });
        let outgoing: Vec<_> = outgoing.collect();
        let asked = || outgoing.iter().filter(|queue| queue.len() == 2).count();
        for _ in 0..2 {
            assert!(!crowd.verify());
            assert_eq!(asked(), VERIFYING_MAX, "the last one waits until another is verified");
        }
        crowd.each_active(|session| {
            if session.standing == Standing::Verifying {
                session.standing = Standing::Verified;
            }
        });
        assert!(!crowd.verify());
        assert_eq!(asked(), count, "each is asked once");
        // The last one is dropped before its answer.
        *crowd.clients[count - 1].sender.borrow_mut() = None;
        assert!(crowd.verify());
    }
}
