//! `VendorSession`: one connection to a server that speaks the protocol of Alpaca or Massive.
//!
//! These protocols have neither numbers nor cursors. So each connection is an epoch, whose numbers the recorder gives, and the events between
//! two connections are announced as missing.

use std::io;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::domain::{ChannelSet, Event, Symbol, SymbolId};
use crate::feed::OnBadRecord;
use crate::protocol::native::Native;
use crate::protocol::{Dialect, LeftOut, Refusal, Unreadable, VendorEvent, VendorMessage, WILDCARD};
use crate::record::remote::connection::Socket;
use crate::record::remote::journal::{Journal, Place};
use crate::record::remote::numbering::{Numbering, Unnumbered};
use crate::record::remote::protocol::Frame;
use crate::record::remote::session::{DISK_RETRY, Ended, FRAME};
use crate::record::remote::{RETRY_MAX, RemoteConfig, RemoteError};

/// Silence after which the server is pinged.
const PING_AFTER: Duration = Duration::from_secs(10);
/// Silence after which the connection counts as lost; also the longest time from the connection to the first answer to a subscription.
const SILENCE: Duration = Duration::from_secs(30);
/// Messages with a mistake, or of unknown kinds, that the log shows in a minute. All are counted.
const TOLD_MAX: u32 = 10;

/// The next answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Authenticating,
    Subscribing,
    Live,
}

/// See the module.
pub(super) struct VendorSession<'a> {
    socket: Socket,
    journal: &'a mut Journal,
    config: &'a RemoteConfig,
    channels: ChannelSet,
    epoch: String,
    /// The number of the newest event.
    offset: u64,
    numbering: Numbering,
    state: State,
    /// The request that follows the present frame.
    request: Option<Frame>,
    began: Instant,
    heard: Instant,
    is_pinged: bool,
    /// Messages shown since this time.
    told: (u32, Instant),
    line: Vec<u8>,
}

impl<'a> VendorSession<'a> {
    pub(super) fn new(socket: Socket, journal: &'a mut Journal, config: &'a RemoteConfig) -> Self {
        let now = Instant::now();
        Self {
            socket,
            journal,
            config,
            channels: config.channels.iter().copied().collect(),
            epoch: format!("{:016x}", rand::random::<u64>()),
            offset: 0,
            numbering: Numbering::default(),
            state: State::Connecting,
            request: None,
            began: now,
            heard: now,
            is_pinged: false,
            told: (0, now),
            line: Vec::new(),
        }
    }

    fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Returns whether the server has served it for a while. A server that ends every connection at once is asked ever more rarely, because each
    /// one is a file.
    pub(super) fn is_steady(&self) -> bool {
        self.is_live() && self.began.elapsed() >= RETRY_MAX
    }

    /// Records until the session ends.
    pub(super) async fn run(&mut self) -> Ended {
        let mut next_frame = Instant::now() + FRAME;
        loop {
            let received = tokio::time::timeout_at(next_frame.into(), self.socket.next()).await;
            if received.is_ok() {
                (self.heard, self.is_pinged) = (Instant::now(), false);
            }
            let mut handled = match received {
                Ok(Some(Ok(Message::Text(text)))) => self.frame(text.as_bytes(), true).await,
                Ok(Some(Ok(Message::Binary(bytes)))) => self.frame(&bytes, false).await,
                Ok(Some(Ok(Message::Close(frame)))) => {
                    Err(lost(frame.map_or("closed".into(), |frame| format!("closed {} {}", frame.code, frame.reason))))
                }
                Ok(Some(Err(err))) => Err(lost(err.to_string())),
                Ok(None) => Err(lost("lost".into())),
                Ok(Some(Ok(_))) | Err(_) => Ok(()),
            };
            if handled.is_ok() && Instant::now() >= next_frame {
                next_frame = Instant::now() + FRAME;
                handled = self.tick().await;
            }
            if let Err(ended) = handled {
                return ended;
            }
        }
    }

    /// Ends a frame of the file, begins the next file if it is time, and looks after a silent server.
    async fn tick(&mut self) -> Result<(), Ended> {
        self.journal.frame().map_err(|err| self.disk(&err))?;
        if self.journal.is_rotation_due() && self.is_live() {
            self.begin()?;
        }
        if self.heard.elapsed() >= SILENCE || (!self.is_live() && self.began.elapsed() >= SILENCE) {
            return Err(lost("silence".into()));
        }
        if self.heard.elapsed() >= PING_AFTER && !self.is_pinged {
            self.is_pinged = true;
            self.send(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    fn disk(&mut self, err: &io::Error) -> Ended {
        self.journal.fail(err);
        Ended::Lost { complaint: "the disk takes no more".into(), retry_after: Some(DISK_RETRY) }
    }

    /// Begins a file: the first one of the connection, or the next one.
    fn begin(&mut self) -> Result<(), Ended> {
        let place = Place { epoch: self.epoch.clone(), offset: self.offset };
        let is_next = self.is_live();
        self.state = State::Live;
        self.journal.begin_at(place, is_next).map_err(|err| self.disk(&err))
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        self.socket.send(message).await.map_err(|err| lost(err.to_string()))
    }

    /// Handles the messages of a frame, then sends the request that they lead to.
    async fn frame(&mut self, bytes: &[u8], is_text: bool) -> Result<(), Ended> {
        let mut handled = Ok(());
        let whole = self.config.protocol.listen(bytes, is_text, |message| {
            if handled.is_ok() {
                handled = self.message(message);
            }
        });
        handled?;
        if let Err(bad) = whole {
            self.missing(&bad)?;
        }
        match self.request.take() {
            Some(Frame::Text(text)) => self.send(Message::Text(text.into())).await,
            Some(Frame::Binary(bytes)) => self.send(Message::Binary(bytes.into())).await,
            None => Ok(()),
        }
    }

    fn message(&mut self, message: Result<VendorMessage, Unreadable>) -> Result<(), Ended> {
        let omissions = self.journal.omissions();
        match message {
            Ok(VendorMessage::Connected) => {
                if self.state == State::Connecting {
                    self.state = State::Authenticating;
                    self.request = Some(self.config.protocol.auth(self.config.token.as_deref().unwrap_or_default()));
                }
            }
            Ok(VendorMessage::Authenticated) => {
                if matches!(self.state, State::Connecting | State::Authenticating) {
                    self.state = State::Subscribing;
                    self.request = Some(self.config.protocol.subscription(self.channels, &symbols(self.config)));
                }
            }
            Ok(VendorMessage::Subscribed) => {
                if self.state == State::Subscribing {
                    self.begin()?;
                }
            }
            Ok(VendorMessage::Refused { refusal, text }) => return self.refused(refusal, text),
            Ok(VendorMessage::Event(event)) => return self.event(event),
            Ok(VendorMessage::LeftOut(LeftOut::OneSided)) => omissions.one_sided += 1,
            Ok(VendorMessage::LeftOut(LeftOut::NoVolume)) => omissions.no_volume += 1,
            Ok(VendorMessage::LeftOut(LeftOut::Name)) => omissions.names += 1,
            Ok(VendorMessage::Unknown(message)) => {
                omissions.unknown += 1;
                self.tell(&format!("a message of an unknown kind: {message}"));
            }
            Err(bad) => return self.missing(&bad),
        }
        Ok(())
    }

    /// Writes an event that the recording wants.
    fn event(&mut self, event: VendorEvent) -> Result<(), Ended> {
        match self.state {
            State::Live => {}
            // A subscription of many symbols may be answered after its first events.
            State::Subscribing => self.begin()?,
            State::Connecting | State::Authenticating => return Ok(()),
        }
        let (symbol, is_rounded) = (event.symbol, event.is_rounded);
        let (seq, body) = match self.numbering.number(event) {
            Ok(numbered) => numbered,
            Err(Unnumbered::Trade) => {
                self.journal.omissions().amendments += 1;
                return Ok(());
            }
            Err(Unnumbered::Symbol) => {
                self.journal.omissions().names += 1;
                return Ok(());
            }
        };
        let event = Event { offset: self.offset + 1, seq, id: SymbolId(0), symbol, body };
        if !self.channels.contains(event.channel()) {
            return Ok(());
        }
        self.offset += 1;
        self.journal.omissions().rounded += u64::from(is_rounded);
        self.line.clear();
        Native::encode_event(&event, &mut self.line);
        let written = self.journal.event(self.offset, &String::from_utf8_lossy(&self.line));
        written.map_err(|err| self.disk(&err))
    }

    /// Announces a message, or the rest of a frame, that cannot be read: nobody knows whether it was an event.
    fn missing(&mut self, bad: &Unreadable) -> Result<(), Ended> {
        if self.config.bad_record == OnBadRecord::Stop {
            return Err(Ended::Refused(RemoteError::Message(bad.to_string())));
        }
        self.tell(&format!("a message cannot be read: {bad}"));
        self.journal.omissions().bad += 1;
        if !self.is_live() {
            return Ok(());
        }
        self.offset += 1;
        self.journal.missing(self.offset, "bad_message").map_err(|err| self.disk(&err))
    }

    /// Tells the log, but not without end.
    fn tell(&mut self, complaint: &str) {
        if self.told.1.elapsed() >= Duration::from_mins(1) {
            self.told = (0, Instant::now());
        }
        self.told.0 = self.told.0.saturating_add(1);
        match self.told.0 {
            1..TOLD_MAX => log::warn!("{complaint}"),
            TOLD_MAX => log::warn!("{complaint}; the next ones are only counted"),
            _ => {}
        }
    }

    fn refused(&mut self, refusal: Option<Refusal>, text: String) -> Result<(), Ended> {
        match refusal {
            Some(Refusal::AlreadyAuthenticated) => Ok(()),
            Some(Refusal::AuthFailed | Refusal::NotAuthenticated) => {
                let form = self.config.protocol.token_form();
                Err(Ended::Refused(RemoteError::Key(format!("{text}: --token must be {form}"))))
            }
            Some(Refusal::NotEntitled) => Err(Ended::Refused(RemoteError::Key(text))),
            // Another program has the connection of the key. At once, they would end each other's for ever.
            Some(Refusal::ConnectionLimit) => Err(Ended::Lost { complaint: text, retry_after: Some(RETRY_MAX) }),
            Some(Refusal::SlowClient) => {
                self.journal.blame("slow_client");
                Err(lost(text))
            }
            Some(Refusal::AuthTimeout | Refusal::Internal) => Err(lost(text)),
            None if self.is_live() => Err(lost(text)),
            Some(
                Refusal::InvalidSyntax | Refusal::SymbolLimit | Refusal::UnsupportedChannel | Refusal::UnknownSymbol,
            )
            | None => Err(Ended::Refused(RemoteError::Subscription(text))),
        }
    }
}

fn lost(complaint: String) -> Ended {
    Ended::Lost { complaint, retry_after: None }
}

/// Returns the symbols of a configuration that has been checked; `None` for all.
fn symbols(config: &RemoteConfig) -> Vec<Option<Symbol>> {
    config
        .symbols
        .iter()
        .filter(|text| *text == WILDCARD || text.parse::<Symbol>().is_ok())
        .map(|text| text.parse().ok())
        .collect()
}
