//! `Rule`: one fault, the sessions that it chooses, and when it strikes.

use std::time::Duration;

use crate::faults::schedule::Schedule;
use crate::faults::text::RuleText;

/// A fault with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Sends no data; pings are answered.
    Mute,
    /// Reads nothing.
    Stall,
    /// Resets the connection.
    Drop,
    /// Sends a close frame.
    Close {
        /// The close code.
        code: u16,
        /// The text after it.
        reason: String,
    },
    /// Answers nothing any more; the socket stays open.
    HalfOpen,
    /// Refuses the request that would begin a session.
    Refuse {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// The header `Retry-After`, in seconds.
        retry_after_s: Option<u32>,
    },
    /// Answers a correct authentication with the vendor's error.
    AuthError {
        /// 402, 406 or 409, as Alpaca numbers them.
        code: u16,
    },
    /// Sends this many bytes per second.
    Slow {
        /// At least one.
        bytes_per_second: u32,
    },
    /// Holds every frame back.
    Delay(Duration),
    /// Holds every frame back for a random time up to this.
    Jitter(Duration),
    /// Leaves events out.
    Gap,
    /// Sends events twice.
    Duplicate,
    /// Sends events after their successor.
    Reorder,
    /// Sends a broken message in the place of an event.
    Garbage,
    /// Sends wrong prices.
    BadPrice(BadPrice),
    /// Moves the timestamps of events, by so many microseconds.
    TimeSkew(i64),
    /// Holds frames back, then sends them at once, again and again.
    Burst(Duration),
}

/// A way in which prices are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPrice {
    /// The bid of a quote is above its ask.
    Crossed,
    /// Every price is zero.
    Zero,
    /// Every price is ten times as high.
    Spike,
}

/// How a kind of fault strikes, which decides the keys that its rule may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// While it lasts.
    Lasting,
    /// Single events, while it lasts.
    Events,
    /// A session, once.
    Once,
    /// Requests to begin a session, or to authenticate.
    Entrance,
}

impl Kind {
    /// Returns the name: the value of `kind`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Stall => "stall",
            Self::Drop => "drop",
            Self::Close { .. } => "close",
            Self::HalfOpen => "half_open",
            Self::Refuse { .. } => "refuse",
            Self::AuthError { .. } => "auth_error",
            Self::Slow { .. } => "slow",
            Self::Delay(_) => "delay",
            Self::Jitter(_) => "jitter",
            Self::Gap => "gap",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Garbage => "garbage",
            Self::BadPrice(_) => "bad_price",
            Self::TimeSkew(_) => "time_skew",
            Self::Burst(_) => "burst",
        }
    }

    /// Returns how this kind strikes.
    pub const fn manner(&self) -> Manner {
        match self {
            Self::Mute | Self::Stall | Self::Slow { .. } | Self::Delay(_) | Self::Jitter(_) | Self::Burst(_) => {
                Manner::Lasting
            }
            Self::Gap | Self::Duplicate | Self::Reorder | Self::Garbage | Self::BadPrice(_) | Self::TimeSkew(_) => {
                Manner::Events
            }
            Self::Drop | Self::Close { .. } | Self::HalfOpen => Manner::Once,
            Self::Refuse { .. } | Self::AuthError { .. } => Manner::Entrance,
        }
    }
}

/// The sessions that a rule chooses: those with every value that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The id of the client's key.
    pub key: Option<String>,
    /// The dialect.
    pub dialect: Option<String>,
    /// The transport.
    pub transport: Option<String>,
    /// The random name of the session, as in `welcome`.
    pub session: Option<u64>,
    /// The client's own name, as in `?client=`.
    pub client: Option<String>,
}

/// A fault, the sessions that it chooses, and when it strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The fault.
    pub kind: Kind,
    /// The sessions.
    pub filter: Filter,
    /// Their share that is chosen, above 0 and at most 1.
    pub share: f64,
    /// Seed of the choice of sessions and events.
    pub seed: u64,
    /// When it strikes.
    pub schedule: Schedule,
    /// The probability that an event is struck, above 0 and at most 1.
    pub chance: f64,
    /// Most strikes, over all sessions.
    pub times: Option<u64>,
    /// The rule as it was written.
    pub text: RuleText,
}
