//! `VendorMessage`: a message of a vendor's server as its client reads it. The dialects decode it (`alpaca::listen`, `massive::listen`) beside
//! their encoders.

use std::fmt;

use crate::domain::{CancelKind, EventBody, Price, Size, Symbol, Timestamp, Trade};
use crate::protocol::Refusal;

/// Most characters of a message that are shown.
const SHOWN_CHARS_MAX: usize = 256;

/// A message of a vendor's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VendorMessage {
    /// The server has accepted the connection, and waits for a key.
    Connected,
    /// The server has accepted the key.
    Authenticated,
    /// The server has accepted a subscription.
    Subscribed,
    /// The server refuses a request, or ends the session.
    Refused {
        /// The reason, if it is a known one.
        refusal: Option<Refusal>,
        /// The server's words, in one line.
        text: String,
    },
    /// An event.
    Event(VendorEvent),
    /// An event that this program does not have.
    LeftOut(LeftOut),
    /// A message of another kind: it, shortened.
    Unknown(String),
}

/// An event in the words of a vendor: without numbers of its own, and a correction names its trade by the id of the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorEvent {
    /// The symbol.
    pub symbol: Symbol,
    /// Kind and values.
    pub body: VendorBody,
    /// Whether a price had more than four decimals, or a size more than six: they are rounded half to even.
    pub is_rounded: bool,
}

/// The kind and the values of a [`VendorEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VendorBody {
    /// A trade.
    Trade {
        /// Its values.
        trade: Trade,
        /// Its id among the trades of the symbol, if corrections can name it.
        id: Option<u64>,
    },
    /// A quote or a bar. The day of a bar is the bar itself where the vendor does not tell, and its number of trades is 0.
    Other(EventBody),
    /// A correction of a trade.
    Correction(VendorCorrection),
    /// A trade that is cancelled.
    Cancel(VendorCancel),
}

/// A trade that was reported wrongly, and its right values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorCorrection {
    /// Time of the correction.
    pub ts: Timestamp,
    /// Id of the trade.
    pub id: u64,
    /// Price of the trade as it was published.
    pub price: Price,
    /// Size of the trade as it was published.
    pub size: Size,
    /// Id of the trade from now on, if it has one.
    pub right_id: Option<u64>,
    /// Right price.
    pub right_price: Price,
    /// Right size.
    pub right_size: Size,
}

/// A trade that does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorCancel {
    /// Time of the cancellation.
    pub ts: Timestamp,
    /// Id of the trade.
    pub id: u64,
    /// Price of the trade.
    pub price: Price,
    /// Size of the trade.
    pub size: Size,
    /// The reason.
    pub kind: CancelKind,
}

/// The reason why an event of a vendor is none of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A quote without a bid or without an ask.
    OneSided,
    /// A trade or bar of no shares.
    NoVolume,
    /// A name that is no symbol.
    Name,
}

/// A message, or a frame of messages, that cannot be read. Displays as one line of bounded length, with the beginning of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    mistake: String,
    message: String,
}

impl Unreadable {
    pub(super) fn new(mistake: &impl fmt::Display, message: &str) -> Self {
        Self { mistake: shown(&mistake.to_string()), message: shown(message) }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mistake, self.message)
    }
}

impl std::error::Error for Unreadable {}

/// Returns the beginning of a text of a server, fit to be shown in one line.
pub(super) fn shown(text: &str) -> String {
    let (mut short, mut count) = (String::new(), 0);
    for char in text.chars() {
        count += 1;
        if count > SHOWN_CHARS_MAX {
            return short + "…";
        }
        if char.is_control() {
            short.extend(char.escape_debug());
        } else {
            short.push(char);
        }
    }
    short
}
