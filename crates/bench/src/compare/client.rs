//! One client: receives events over one of the four transports until its task is ended.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::compare::intake::{Intake, Ledger};
use crate::compare::tail::Tail;
use crate::connection::{Connection, Http, Message, Meter, converse, open};
use crate::target::Target;

/// How a client gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `/ws`.
    WebSocket,
    /// `/api/v1/stream`.
    EventStream,
    /// `/api/v1/poll`, requested again as soon as it is answered; or with an interval, with `wait_ms=0` once per interval.
    Poll(Duration),
}

impl Transport {
    /// Returns the name for tables and plots.
    pub(crate) fn label(self) -> String {
        match self {
            Self::WebSocket => "WebSocket".into(),
            Self::EventStream => "SSE".into(),
            Self::Poll(Duration::ZERO) => "long poll".into(),
            Self::Poll(interval) => format!("short poll {} ms", interval.as_millis()),
        }
    }

    /// Returns whether it needs a request for each answer.
    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Self::Poll(_))
    }

    /// Returns the time between two requests of a short poll.
    pub(crate) fn interval(self) -> Duration {
        if let Self::Poll(interval) = self { interval } else { Duration::ZERO }
    }

    /// Returns the path for the events of these symbols (separated by commas) after the cursor.
    pub(crate) fn path(self, symbols: &str, cursor: &str) -> String {
        let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
        let wait = if self.interval().is_zero() { "" } else { "&wait_ms=0" };
        match self {
            Self::WebSocket => "/ws".into(),
            Self::EventStream => format!("/api/v1/stream?symbols={symbols}&channels=trades"),
            Self::Poll(_) => format!("/api/v1/poll?symbols={symbols}&channels=trades{wait}{after}"),
        }
    }
}

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
    symbols: String,
    /// Its received events.
    pub(crate) ledger: RefCell<Ledger>,
}

impl Client {
    /// Returns an unconnected client.
    pub(crate) fn new(group: &Rc<Group>, symbols: String) -> Self {
        Self { group: Rc::clone(group), symbols, ledger: RefCell::default() }
    }

    /// Returns whether it has received all events up to `tail`, or knows that they are missing.
    pub(crate) fn is_up_to(&self, tail: &Tail) -> bool {
        self.ledger.borrow().is_up_to(&self.symbols, tail, &mut self.group.intake.borrow_mut())
    }

    /// Ends its measurement: events up to `tail` that have not arrived are missing.
    pub(crate) fn finish(&self, tail: &Tail) {
        self.ledger.borrow_mut().finish(&self.symbols, tail, &mut self.group.intake.borrow_mut());
    }

    /// Connects and receives; short polls begin after `wait`. Returns only with an error.
    pub(crate) async fn run(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let transport = self.group.transport;
        let ended = match transport {
            Transport::WebSocket => self.subscribe(address).await,
            Transport::EventStream => self.stream(address).await,
            Transport::Poll(_) => self.poll(address, wait).await,
        };
        ended.map_err(|err| format!("{}: {err}", transport.label()))
    }

    /// Takes a text that was read at `now`; returns the cursor of the answer to a poll.
    fn take(&self, text: &[u8], now: i64) -> Option<String> {
        self.ledger.borrow_mut().take_text(text, now, &mut self.group.intake.borrow_mut())
    }

    async fn subscribe(&self, address: SocketAddr) -> Result<(), String> {
        let connection = Connection::dial(address, &self.group.meter).await.map_err(|err| err.to_string())?;
        let socket = open(connection, &Target::new(address, &self.group.transport.path("", "")), &[]).await?;
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

/// Returns the subscribe message of a WebSocket client for these symbols (separated by commas).
pub(crate) fn subscribe(symbols: &str) -> String {
    let names = symbols.replace(',', r#"",""#);
    format!(r#"{{"action":"subscribe","id":1,"symbols":["{names}"],"channels":["trades"]}}"#)
}
