//! One client: receives events over its transport until its task is ended.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::compare::intake::{Intake, Ledger};
use crate::compare::transport::{Transport, subscribe};
use crate::connection::{Connection, Http, Message, Meter, converse, open};
use crate::target::Target;

/// State that the clients of one transport share.
#[derive(Debug)]
pub(crate) struct Group {
    /// The transport.
    pub(crate) transport: Transport,
    /// The received events.
    pub(crate) intake: RefCell<Intake>,
    /// The network traffic.
    pub(crate) meter: Meter,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    group: Rc<Group>,
    /// Its symbols, separated by commas.
    pub(crate) symbols: String,
    /// Its received events.
    pub(crate) ledger: RefCell<Ledger>,
    /// Whether its subscription or its first poll has been answered.
    pub(crate) is_ready: Cell<bool>,
}

impl Client {
    /// Returns an unconnected client.
    pub(crate) fn new(group: &Rc<Group>, symbols: String) -> Self {
        Self { group: Rc::clone(group), symbols, ledger: RefCell::default(), is_ready: Cell::default() }
    }

    /// Connects and receives; short polls begin after `wait`. Returns only with an error.
    pub(crate) async fn run(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let transport = self.group.transport;
        let ended = match transport {
            Transport::WebSocket => self.subscribe(address).await,
            Transport::EventStream => self.stream(address).await,
            Transport::LongPoll | Transport::ShortPoll(_) => self.poll(address, wait).await,
        };
        ended.map_err(|err| format!("{}: {err}", transport.label()))
    }

    /// Takes a text that was read at `now`; returns the cursor of the answer to a poll.
    fn take(&self, text: &[u8], now: i64) -> Option<String> {
        let said = self.ledger.borrow_mut().take_text(text, now, &mut self.group.intake.borrow_mut());
        self.is_ready.set(self.is_ready.get() || said.is_subscribed || said.cursor.is_some());
        said.cursor
    }

    async fn subscribe(&self, address: SocketAddr) -> Result<(), String> {
        let connection = Connection::dial(address, &self.group.meter).await.map_err(|err| err.to_string())?;
        let socket = open(connection, &Target::new(address, &self.group.transport.path("", ""))).await?;
        let (sender, outgoing) = unbounded_channel();
        let _ = sender.send(Message::text(subscribe(&self.symbols)));
        let code = converse(socket, outgoing, true, |text, now| drop(self.take(text, now))).await;
        Err(format!("the server closed it with {code}"))
    }

    async fn stream(&self, address: SocketAddr) -> Result<(), String> {
        let http = Http::connect(address, &self.group.meter).await?;
        let path = self.group.transport.path(&self.symbols, "");
        Err(http.stream(&path, |text, now| drop(self.take(text, now))).await)
    }

    async fn poll(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let mut http = Http::connect(address, &self.group.meter).await?;
        let interval = self.group.transport.interval();
        let mut turns = interval_at(Instant::now() + wait, interval.max(Duration::from_nanos(1)));
        // A client has one request at a time: a late answer skips a turn.
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut cursor = String::new();
        loop {
            if !interval.is_zero() {
                turns.tick().await;
            }
            let body = http.get(&self.group.transport.path(&self.symbols, &cursor)).await?;
            cursor = self.take(&body, http.read_at()).ok_or("an answer without a cursor")?;
        }
    }
}
