//! `Session`: one connection: subscribes after the cursor, and passes the messages to the journal.

use std::io;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use crate::record::remote::connection::Socket;
use crate::record::remote::journal::{Journal, Place};
use crate::record::remote::{RemoteConfig, RemoteError};

/// Time after which recorded events can be read even if the process is killed.
pub(super) const FRAME: Duration = Duration::from_secs(1);
/// Time until the next session after an error of the disk.
pub(super) const DISK_RETRY: Duration = Duration::from_secs(5);
/// Silence after which the connection counts as lost, beyond two heartbeats.
const SILENCE_MARGIN: Duration = Duration::from_secs(5);

/// The end of a session.
pub(super) enum Ended {
    /// The server refuses the session, or nothing more is to be recorded.
    Refused(RemoteError),
    /// Another session may follow.
    Lost {
        /// The reason.
        complaint: String,
        /// Least time until the next connection.
        retry_after: Option<Duration>,
    },
}

/// The next answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Welcome,
    Subscribed,
    /// Snapshots of a subscription that begins, or of one that goes on if `is_whole`.
    Snapshot {
        is_whole: bool,
    },
    Nothing,
}

/// A message of the server, with the keys that steer the session.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    offset: Option<u64>,
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    moved: bool,
    id: Option<u64>,
    recovered: Option<bool>,
    heartbeat_ms: Option<u64>,
    retry_after_ms: Option<u64>,
    code: Option<&'a str>,
    #[serde(default)]
    message: String,
}

/// See the module.
pub(super) struct Session<'a> {
    socket: Socket,
    journal: &'a mut Journal,
    config: &'a RemoteConfig,
    epoch: String,
    awaited: Awaited,
    /// The `id` of the newest subscription.
    id: u64,
    /// Longest silence.
    silence: Duration,
    retry_after: Option<Duration>,
    is_live: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(socket: Socket, journal: &'a mut Journal, config: &'a RemoteConfig) -> Self {
        Self {
            socket,
            journal,
            config,
            epoch: String::new(),
            awaited: Awaited::Welcome,
            id: 0,
            silence: Duration::from_secs(15),
            retry_after: None,
            is_live: false,
        }
    }

    /// Returns whether events were recorded, or could have been.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Records until the session ends.
    pub(super) async fn run(&mut self) -> Ended {
        let mut next_frame = Instant::now() + FRAME;
        let mut heard = Instant::now();
        loop {
            let until = next_frame.min(heard + self.silence);
            let received = tokio::time::timeout_at(until.into(), self.socket.next()).await;
            let handled = match received {
                Ok(Some(Ok(Message::Text(text)))) => {
                    heard = Instant::now();
                    self.frame(&text).await
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    Err(self
                        .lost(frame.map_or("closed".into(), |frame| format!("closed {} {}", frame.code, frame.reason))))
                }
                Ok(Some(Ok(_))) => {
                    heard = Instant::now();
                    Ok(())
                }
                Ok(Some(Err(err))) => Err(self.lost(err.to_string())),
                Ok(None) => Err(self.lost("lost".into())),
                Err(_) if heard.elapsed() >= self.silence => Err(self.lost("silence".into())),
                Err(_) => Ok(()),
            };
            let mut handled = handled;
            if handled.is_ok() && Instant::now() >= next_frame {
                next_frame = Instant::now() + FRAME;
                handled = self.tick().await;
            }
            if let Err(ended) = handled {
                return ended;
            }
        }
    }

    fn lost(&self, complaint: String) -> Ended {
        Ended::Lost { complaint, retry_after: self.retry_after }
    }

    /// Ends the file at its last frame.
    fn disk(&mut self, err: &io::Error) -> Ended {
        self.journal.fail(err);
        Ended::Lost { complaint: "the disk takes no more".into(), retry_after: Some(DISK_RETRY) }
    }

    /// Ends a frame of the file; for the next file it asks for snapshots.
    async fn tick(&mut self) -> Result<(), Ended> {
        self.journal.frame().map_err(|err| self.disk(&err))?;
        if self.awaited == Awaited::Nothing && self.journal.is_rotation_due() {
            self.awaited = Awaited::Subscribed;
            self.subscribe(None).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self, after: Option<Place>) -> Result<(), Ended> {
        self.id += 1;
        let channels: Vec<_> = self.config.channels.iter().map(|channel| channel.name()).collect();
        let mut request =
            json!({"action": "subscribe", "id": self.id, "symbols": self.config.symbols, "channels": channels});
        if let Some(Place { epoch, offset }) = after {
            request["after"] = json!({"epoch": epoch, "offset": offset});
        }
        let sent = self.socket.send(Message::Text(request.to_string().into())).await;
        sent.map_err(|err| self.lost(err.to_string()))
    }

    /// Handles the messages of a frame.
    async fn frame(&mut self, text: &str) -> Result<(), Ended> {
        let messages: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|err| self.lost(format!("a frame is no array of messages: {err}")))?;
        for message in messages {
            let text = message.get();
            let head: Head =
                serde_json::from_str(text).map_err(|err| self.lost(format!("a message cannot be read: {err}")))?;
            self.message(&head, text).await?;
        }
        Ok(())
    }

    async fn message(&mut self, head: &Head<'_>, text: &str) -> Result<(), Ended> {
        let written = match (head.kind, head.offset) {
            ("welcome", _) => {
                self.epoch.clone_from(&head.epoch);
                self.silence = Duration::from_millis(head.heartbeat_ms.unwrap_or_default()) * 2 + SILENCE_MARGIN;
                self.awaited = Awaited::Subscribed;
                return self.subscribe(self.journal.place().cloned()).await;
            }
            ("subscribed", _) => self.subscribed(head),
            ("snapshot", Some(offset)) => self.snapshot(offset, text),
            ("heartbeat" | "pong", Some(offset)) => {
                if self.awaited == Awaited::Nothing {
                    self.journal.reach(offset);
                }
                Ok(())
            }
            ("lag", _) => self.journal.lag(text),
            ("error", _) => return self.refused(head).await,
            // The market has moved to another time: snapshots follow.
            ("epoch", _) if head.moved => {
                self.epoch.clone_from(&head.epoch);
                self.awaited = Awaited::Snapshot { is_whole: self.is_live };
                Ok(())
            }
            ("goodbye", _) => {
                self.retry_after = head.retry_after_ms.map(Duration::from_millis);
                Ok(())
            }
            ("trade" | "quote" | "bar" | "correction" | "cancel" | "day" | "gap", Some(offset)) => {
                self.journal.event(offset, text)
            }
            _ => Ok(()),
        };
        written.map_err(|err| self.disk(&err))
    }

    fn subscribed(&mut self, head: &Head<'_>) -> io::Result<()> {
        if self.awaited != Awaited::Subscribed || head.id != Some(self.id) {
            return Ok(());
        }
        if head.recovered == Some(true) {
            (self.awaited, self.is_live) = (Awaited::Nothing, true);
            return self.journal.go_on(&self.epoch);
        }
        self.awaited = Awaited::Snapshot { is_whole: self.is_live };
        Ok(())
    }

    /// All snapshots of a subscription have the same offset; with the first one a file begins.
    fn snapshot(&mut self, offset: u64, text: &str) -> io::Result<()> {
        if let Awaited::Snapshot { is_whole } = self.awaited {
            (self.awaited, self.is_live) = (Awaited::Nothing, true);
            self.journal.begin_at(Place { epoch: self.epoch.clone(), offset }, is_whole)?;
        }
        self.journal.line(text)
    }

    async fn refused(&mut self, head: &Head<'_>) -> Result<(), Ended> {
        if head.id != Some(self.id) {
            return Ok(());
        }
        if head.code == Some("rate_limited") {
            tokio::time::sleep(Duration::from_millis(head.retry_after_ms.unwrap_or(1_000))).await;
            let after = self.journal.place().cloned().filter(|_| !self.is_live);
            return self.subscribe(after).await;
        }
        let complaint = format!("{} {}", head.code.unwrap_or("error"), head.message);
        Err(Ended::Refused(RemoteError::Subscription(complaint)))
    }
}
