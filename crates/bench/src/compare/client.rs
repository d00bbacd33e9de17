//! One client: gets its events over its transport, for as long as the run lets it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::SinkExt;
use http_body_util::BodyExt;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::compare::intake::{Intake, Ledger};
use crate::compare::transport::{Transport, subscribe};
use crate::connection::{Connection, Http, Message, Meter, open, receive};
use crate::event_stream::EventReader;
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
        let target = Target::new(address, &self.group.transport.path("", ""));
        let mut socket = open(connection, &target).await?;
        socket.send(Message::text(subscribe(&self.symbols))).await.map_err(|err| err.to_string())?;
        loop {
            match receive(&mut socket).await {
                Ok((Message::Text(text), now)) => drop(self.take(text.as_bytes(), now)),
                Ok(_) => {}
                Err(code) => return Err(format!("it was closed with {code}")),
            }
        }
    }

    async fn stream(&self, address: SocketAddr) -> Result<(), String> {
        let mut http = Http::connect(address, &self.group.meter).await?;
        let mut body = http.ask(&self.group.transport.path(&self.symbols, ""), "text/event-stream").await?;
        let mut events = EventReader::default();
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(|err| err.to_string())?.into_data().unwrap_or_default();
            events.take(&data, |text| drop(self.take(text, http.read_at())))?;
        }
        Err("the stream has ended".into())
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
