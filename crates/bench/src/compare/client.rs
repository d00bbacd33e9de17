//! One client: gets its events over its transport, for as long as the run lets it.

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

/// What the clients of one transport share.
#[derive(Debug)]
pub(crate) struct Group {
    /// How they get their events.
    pub(crate) transport: Transport,
    /// What has come.
    pub(crate) intake: RefCell<Intake>,
    /// What it has cost.
    pub(crate) meter: Meter,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    group: Rc<Group>,
    /// What it asks for, with commas between.
    pub(crate) symbols: String,
    /// What it has received.
    pub(crate) ledger: RefCell<Ledger>,
    /// Its subscription is answered, or its first poll.
    pub(crate) is_ready: Cell<bool>,
}

impl Client {
    /// Returns one that is not connected.
    pub(crate) fn new(group: &Rc<Group>, symbols: String) -> Self {
        Self { group: Rc::clone(group), symbols, ledger: RefCell::default(), is_ready: Cell::default() }
    }

    /// Connects and receives; short polls begin after `wait`.
    /// The error says why that does not go on, in one line.
    pub(crate) async fn run(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let transport = self.group.transport;
        let ended = match transport {
            Transport::WebSocket => self.subscribe(address).await,
            Transport::EventStream => self.stream(address).await,
            Transport::LongPoll | Transport::ShortPoll(_) => self.poll(address, wait).await,
        };
        ended.map_err(|err| format!("{}: {err}", transport.label()))
    }

    /// Takes a text that was read at `now`; returns the cursor of a poll.
    fn take(&self, text: &[u8], now: i64) -> Option<String> {
        let said = self.ledger.borrow_mut().take_text(text, now, &mut self.group.intake.borrow_mut());
        self.is_ready.set(self.is_ready.get() || said.is_subscribed || said.cursor.is_some());
        said.cursor
    }

    async fn subscribe(&self, address: SocketAddr) -> Result<(), String> {
        let connection = Connection::dial(address, None, &self.group.meter).await.map_err(|err| err.to_string())?;
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
        // An answer that is late is waited for: a client has one question at a time.
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
