//! `Request`: what a client asks for, as a value. A dialect reads it out of the client's bytes.

use serde_json::Number;

use crate::domain::ChannelSet;
use crate::protocol::{Cursor, ErrorCode, Mode, OnLag};

/// The symbol that stands for every symbol.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// The request's own id.
    pub id: Option<RequestId>,
    /// The request.
    pub request: Request,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begin to send these channels of these symbols.
    Subscribe(Subscribe),
    /// Stop sending these channels of these symbols.
    Unsubscribe {
        /// At least one.
        symbols: Vec<Selector>,
        /// At least one; every channel when the client named none.
        channels: ChannelSet,
    },
    /// List what is subscribed.
    List,
    /// Answer with the server's time.
    Ping {
        /// The client's own time stamp, echoed.
        ts: Option<i64>,
    },
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
    /// What happens when the whole session lags; unchanged when the client does not say.
    pub on_lag: Option<OnLag>,
    /// The newest event that the client has: those after it are sent first.
    pub after: Option<Cursor>,
}

/// One symbol, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// [`WILDCARD`].
    All,
    /// A symbol's name, not yet looked up.
    Symbol(String),
}

/// Why a request, or a part of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Mistake {
    /// The kind of mistake.
    pub code: ErrorCode,
    /// What is wrong, in words.
    pub message: String,
    /// The symbols that it is about, as the client wrote them.
    pub symbols: Vec<String>,
}

impl Mistake {
    /// Returns a mistake that is about no symbol in particular.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), symbols: Vec::new() }
    }

    /// Returns the bytes of memory that it takes, rounded up.
    pub(super) fn bytes(&self) -> usize {
        /// An allocator rounds up the few bytes of a name.
        const NAME_ROUNDING: usize = 16;
        let name = |name: &String| size_of::<String>() + name.capacity().next_multiple_of(NAME_ROUNDING);
        let spare = (self.symbols.capacity() - self.symbols.len()) * size_of::<String>();
        size_of::<Self>() + self.message.capacity() + self.symbols.iter().map(name).sum::<usize>() + spare
    }
}

/// Why a client's message could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct DecodeError {
    /// The request's own id, if it could be read.
    pub id: Option<RequestId>,
    /// What is wrong.
    pub mistake: Mistake,
}
