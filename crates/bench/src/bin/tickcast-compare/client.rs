//! One client: gets its events over its transport, for as long as the run lets it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tickcast_bench::connection::{Connection, Desk, Ended, Http, WebSocket};
use tickcast_bench::event_stream::EventReader;
use tickcast_bench::frame::{Data, OpCode};
use tickcast_bench::http::get_request;
use tickcast_bench::target::Target;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::intake::{Intake, Ledger};
use crate::transport::{Transport, subscribe};

/// What the clients of one transport share.
#[derive(Debug)]
pub(crate) struct Group {
    /// How they get their events.
    pub(crate) transport: Transport,
    /// What has come.
    pub(crate) intake: RefCell<Intake>,
    /// What it has cost.
    pub(crate) desk: Rc<Desk>,
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
    ///
    /// # Errors
    ///
    /// Returns why that does not go on, in one line.
    pub(crate) async fn run(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let transport = self.group.transport;
        let connection = Connection::dial(address, None, &self.group.desk).await;
        let connection = connection.map_err(|err| format!("cannot connect: {err}"))?;
        match transport {
            Transport::WebSocket => self.subscribe(connection, &Target::new(address, &transport.path("", ""))).await,
            Transport::EventStream => self.stream(Http::new(connection), &address.to_string()).await,
            Transport::LongPoll | Transport::ShortPoll(_) => {
                self.poll(Http::new(connection), &address.to_string(), wait).await
            }
        }
        .map_err(|err| format!("{}: {err}", transport.label()))
    }

    /// Takes a text that was read at `now`; returns the cursor of a poll.
    fn take(&self, text: &[u8], now: i64) -> Option<String> {
        let said = self.ledger.borrow_mut().take_text(text, now, &mut self.group.intake.borrow_mut());
        self.is_ready.set(self.is_ready.get() || said.is_subscribed || said.cursor.is_some());
        said.cursor
    }

    async fn subscribe(&self, connection: Connection, target: &Target) -> Result<(), String> {
        let mut socket = WebSocket::open(connection, target, None).await?;
        let sender = Rc::clone(socket.connection().sender());
        let subscription = subscribe(&self.symbols);
        sender
            .frame(OpCode::Data(Data::Text), subscription.as_bytes())
            .map_err(|err| format!("cannot write: {err}"))?;
        loop {
            socket.receive(|text, now| drop(self.take(text, now))).await.map_err(|ended| match ended {
                Ended::Lost(err) if err.kind() == io::ErrorKind::UnexpectedEof => "the server has closed it".into(),
                Ended::Lost(err) => err.to_string(),
                Ended::Closed(code) => format!("it was closed with {code}"),
                Ended::Broken(err) => format!("a broken frame: {err:?}"),
            })?;
        }
    }

    async fn stream(&self, mut http: Http, authority: &str) -> Result<(), String> {
        let path = self.group.transport.path(&self.symbols, "");
        http.ask(&get_request(authority, &path, "text/event-stream"))?;
        let mut events = EventReader::default();
        loop {
            let take = |data: Option<&[u8]>, now| {
                events.take(data.ok_or("the stream has ended")?, |text| drop(self.take(text, now)))
            };
            http.receive(take).await?;
        }
    }

    async fn poll(&self, mut http: Http, authority: &str, wait: Duration) -> Result<(), String> {
        let interval = self.group.transport.interval();
        let mut turns = interval_at(Instant::now() + wait, interval.max(Duration::from_nanos(1)));
        // An answer that is late is waited for: a client has one question at a time.
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut cursor, mut body) = (String::new(), Vec::new());
        loop {
            if !interval.is_zero() {
                turns.tick().await;
            }
            let path = self.group.transport.path(&self.symbols, &cursor);
            http.ask(&get_request(authority, &path, "application/json"))?;
            let now = http.body(&mut body).await?;
            cursor = self.take(&body, now).ok_or("an answer without a cursor")?;
        }
    }
}
