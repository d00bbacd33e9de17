//! `Request`: a client's request as a value. A dialect decodes it from the client's bytes.

use std::fmt;

use serde_json::Number;

use crate::domain::{ChannelSet, Timestamp};
use crate::protocol::{Cursor, ErrorCode, Mode, OnLag};

/// The name that stands for every symbol.
pub const WILDCARD: &str = "*";

/// A client's name for its request, echoed in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// An integer of 64 bits, signed or unsigned.
    Integer(Number),
    /// A string.
    Text(String),
}

/// One message of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientMessage {
    /// The request's own id.
    pub id: Option<RequestId>,
    /// The request.
    pub request: Request,
}

/// A client's request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Subscribe to these channels of these symbols.
    Subscribe(Subscribe),
    /// Unsubscribe from these channels of these symbols.
    Unsubscribe {
        /// At least one.
        symbols: Vec<Selector>,
        /// At least one; every channel if the client named none.
        channels: ChannelSet,
    },
    /// List the subscriptions.
    List,
    /// Answer with the server's time.
    Ping {
        /// The client's timestamp, echoed.
        ts: Option<i64>,
    },
    /// Say who the client is, or renew that.
    Auth {
        /// The token.
        token: Token,
    },
    /// Change the time of a replay that is played for this client alone.
    Replay(ReplayOrder),
}

/// An order to a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplayOrder {
    /// Stop its time.
    Pause,
    /// Let it go on.
    Resume,
    /// Send the next events of a paused replay, this many.
    Step(u32),
    /// Change its speed: seconds of the file per second; 0 for as fast as the client reads.
    Speed(f64),
    /// Go to this time of the file, forward or back.
    Seek(Timestamp),
}

impl ReplayOrder {
    /// Most events of one step.
    pub const STEP_EVENTS_MAX: u32 = 1_000_000;
    /// The speeds but 0: seconds of the file per second.
    pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=1_000.0;
}

/// A token that a client has sent: of a key its secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Returns the token that is this text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, which must not be logged or sent.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A subscription to some channels of some symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// At least one.
    pub symbols: Vec<Selector>,
    /// At least one.
    pub channels: ChannelSet,
    /// Every event, or the newest only.
    pub mode: Mode,
    /// The reaction to a lag of the session; unchanged if absent.
    pub on_lag: Option<OnLag>,
    /// Offset of the newest event that the client has: later ones are sent first.
    pub after: Option<Cursor>,
}

/// One symbol, or all symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// [`WILDCARD`].
    All,
    /// A symbol's name, not looked up yet.
    Symbol(String),
}

/// The reason why a request, or a part of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Mistake {
    /// The kind of mistake.
    pub code: ErrorCode,
    /// The mistake in words.
    pub message: String,
    /// The symbols with the mistake, as the client wrote them.
    pub symbols: Vec<String>,
    /// Time after which the client may ask again, in milliseconds; `None` if that would change nothing.
    pub retry_after_ms: Option<u64>,
}

impl Mistake {
    /// Returns a mistake without symbols.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), symbols: Vec::new(), retry_after_ms: None }
    }

    /// Returns the memory of the mistake in bytes, rounded up.
    pub(super) fn bytes(&self) -> usize {
        /// An allocator rounds up the few bytes of a name.
        const NAME_ROUNDING: usize = 16;
        let name = |name: &String| size_of::<String>() + name.capacity().next_multiple_of(NAME_ROUNDING);
        let spare = (self.symbols.capacity() - self.symbols.len()) * size_of::<String>();
        size_of::<Self>() + self.message.capacity() + self.symbols.iter().map(name).sum::<usize>() + spare
    }
}

/// The reason why a client's message could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct DecodeError {
    /// Id of the request, if it could be decoded.
    pub id: Option<RequestId>,
    /// The mistake.
    pub mistake: Mistake,
}
