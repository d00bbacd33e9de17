//! `ServerMessage`: what the server sends a session, as a value. A dialect turns it into bytes when it is written.

use std::mem::size_of;
use std::sync::Arc;

use crate::domain::{ChannelSet, Snapshot, Symbol, Timestamp};
use crate::protocol::{Mistake, Mode, Rate, Refusal, RequestId};

/// One message to a client. Events are not among them: a session refers to a [`Publication`](crate::protocol::Publication),
/// which all sessions share.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// The first message of a session.
    Welcome(Box<Welcome>),
    /// The answer to `subscribe`, `unsubscribe` and `list`.
    Subscribed(Box<Subscribed>),
    /// The state of a symbol directly after the event `offset`.
    Snapshot {
        /// The symbol.
        symbol: Symbol,
        /// The position in the stream.
        offset: u64,
        /// The state, shared with the router.
        state: Arc<Snapshot>,
        /// The channels to which the client has just subscribed; empty if it only asked for the state.
        channels: ChannelSet,
        /// The channels whose values the client may see; the others are left out.
        shown: ChannelSet,
    },
    /// The session was too slow, so events were skipped.
    Lag {
        /// Number of events skipped, at least one.
        skipped: u64,
        /// Offset of the first of them.
        since_offset: u64,
    },
    /// The server had nothing else to send for `session.heartbeat_ms`.
    Heartbeat {
        /// The server's wall clock.
        ts: Timestamp,
        /// The session's cursor.
        offset: u64,
    },
    /// The answer to `ping`.
    Pong(Box<Pong>),
    /// The answer to a request that was refused, or to a part of one.
    Error {
        /// The request's own id.
        id: Option<RequestId>,
        /// The mistake in the request.
        mistake: Box<Mistake>,
    },
    /// The answer to `auth`: who the client is from now on.
    Renewed(Box<Renewed>),
    /// The client's key expires soon, and the session ends some time after that.
    AuthExpiring {
        /// Time at which the key expires, by the server's wall clock.
        expires_at: Timestamp,
    },
    /// The state of a replay for one client: when it begins, after each order, after a seek, and at its end.
    Status(Box<Status>),
    /// The stream goes on under another name.
    Epoch {
        /// The name.
        epoch: Arc<str>,
        /// The offset at which it begins. No event has it.
        offset: u64,
        /// Whether the market goes on from another time: snapshots follow.
        is_moved: bool,
    },
    /// The last message before the server ends the session.
    Goodbye {
        /// Name of a close reason, or `full` if there is no place for a session.
        reason: &'static str,
        /// Least delay before the client should reconnect, in milliseconds.
        retry_after_ms: u64,
    },
    /// Only in the dialects of vendors: the credentials are accepted.
    Authenticated,
    /// Only in the dialects of vendors: a request is refused, or the session ends.
    Refused(Refusal),
    /// Only in the dialects of vendors: the answer to a request that changes subscriptions.
    Acknowledged(Vec<NameList>),
}

/// Names under a heading, in the words of a vendor: the symbols of one channel, or the subscriptions that have been added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameList {
    /// The heading, such as `trades`.
    pub heading: &'static str,
    /// The names, in the order in which they are sent.
    pub names: Vec<String>,
}

/// The fields of [`ServerMessage::Welcome`].
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// Random name of the session.
    pub session: String,
    /// Epoch of this run of the server.
    pub epoch: Arc<str>,
    /// Offset of the hub.
    pub offset: u64,
    /// `session.heartbeat_ms`.
    pub heartbeat_ms: u64,
    /// The limits of the session.
    pub limits: Limits,
    /// The present time.
    pub times: Times,
    /// Seconds of the market per second.
    pub speed: f64,
    /// The key of the client and its rights; `None` for a client without a key.
    pub auth: Option<Box<Authenticated>>,
}

/// A client with a key, as [`ServerMessage::Welcome`] describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// Id of the key.
    pub name: String,
    /// Time at which the key expires, by the server's wall clock.
    pub expires_at: Option<Timestamp>,
    /// Highest rate of each topic.
    pub max_hz: Option<Rate>,
    /// The channels that the client may subscribe to.
    pub channels: ChannelSet,
    /// Most connections of the key at the same time; `None` for any number.
    pub connections: Option<usize>,
}

/// The fields of [`ServerMessage::Renewed`].
#[derive(Clone, Debug, PartialEq)]
pub struct Renewed {
    /// The request's own id.
    pub id: Option<RequestId>,
    /// The client's key and its rights.
    pub auth: Authenticated,
    /// The limits of the session.
    pub limits: Limits,
}

/// The fields of [`ServerMessage::Status`].
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The id of the order that it answers.
    pub id: Option<RequestId>,
    /// `running`, `paused`, `seeking`, `ended`, or `failed` if the file could not be read on; `gap` for a silence that was left out.
    pub feed: &'static str,
    /// The name of the stream from here on.
    pub epoch: Arc<str>,
    /// Offset of the newest event before the message.
    pub offset: u64,
    /// Time of the file.
    pub file_ts: Timestamp,
    /// Time of the first event that is played, or of the last one before a `gap`.
    pub from: Timestamp,
    /// Time of the last event that is played, or of the first one after a `gap`.
    pub to: Timestamp,
    /// Seconds of the file per second; 0 for as fast as the client reads.
    pub speed: f64,
    /// Whether the stream goes on from another time: snapshots follow.
    pub is_sought: bool,
    /// Why the replay has failed.
    pub complaint: Option<String>,
}

/// The limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most symbols that one session can name; the wildcard counts as one.
    pub symbols: usize,
    /// Longest message from a client, in bytes.
    pub message_bytes: usize,
    /// How much older than the market everything is that the client gets, by the market's clock; 0 for the present. Milliseconds.
    pub delay_ms: u64,
}

/// The same moment by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The server's wall clock.
    pub server: Timestamp,
    /// The market's clock.
    pub market: Timestamp,
}

/// The fields of [`ServerMessage::Subscribed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The request's own id.
    pub id: Option<RequestId>,
    /// All subscriptions of the session after the request.
    pub items: Vec<SubscriptionItem>,
    /// Whether every event after the request's cursor follows; `None` if the request had no cursor.
    pub recovered: Option<bool>,
}

/// The channels of one symbol that are served in one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionItem {
    /// The symbol, or `None` for the wildcard.
    pub symbol: Option<Symbol>,
    /// The channels, at least one.
    pub channels: ChannelSet,
    /// Their mode.
    pub mode: Mode,
}

/// The fields of [`ServerMessage::Pong`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The request's own id.
    pub id: Option<RequestId>,
    /// The client's timestamp, echoed.
    pub ts: Option<i64>,
    /// The present time.
    pub times: Times,
    /// The session's cursor.
    pub offset: u64,
}

impl ServerMessage {
    /// Returns the memory of the message in bytes, rounded up, without shared parts.
    pub fn bytes(&self) -> usize {
        let heap = match self {
            Self::Welcome(welcome) => {
                let auth = welcome.auth.as_ref().map_or(0, |auth| size_of::<Authenticated>() + auth.name.capacity());
                size_of::<Welcome>() + welcome.session.capacity() + auth
            }
            Self::Subscribed(subscribed) => {
                let items = subscribed.items.capacity() * size_of::<SubscriptionItem>();
                size_of::<Subscribed>() + items + id_bytes(subscribed.id.as_ref())
            }
            Self::Pong(pong) => size_of::<Pong>() + id_bytes(pong.id.as_ref()),
            Self::Renewed(renewed) => {
                size_of::<Renewed>() + id_bytes(renewed.id.as_ref()) + renewed.auth.name.capacity()
            }
            Self::Error { id, mistake } => id_bytes(id.as_ref()) + mistake.bytes(),
            Self::Status(status) => {
                let complaint = status.complaint.as_ref().map_or(0, String::capacity);
                size_of::<Status>() + id_bytes(status.id.as_ref()) + complaint
            }
            Self::Acknowledged(lists) => lists.iter().map(NameList::bytes).sum(),
            Self::Snapshot { .. }
            | Self::Lag { .. }
            | Self::Heartbeat { .. }
            | Self::AuthExpiring { .. }
            | Self::Epoch { .. }
            | Self::Goodbye { .. }
            | Self::Authenticated
            | Self::Refused(_) => 0,
        };
        size_of::<Self>() + heap
    }
}

impl NameList {
    fn bytes(&self) -> usize {
        let names = self.names.iter().map(String::capacity).sum::<usize>();
        size_of::<Self>() + self.names.capacity() * size_of::<String>() + names
    }
}

fn id_bytes(id: Option<&RequestId>) -> usize {
    if let Some(RequestId::Text(text)) = id { text.capacity() } else { 0 }
}
