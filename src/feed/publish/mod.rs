//! A feed of events that other programs publish: over HTTP, or by a WebSocket. docs/PUBLISH.md describes it to users.
//!
//! A transport reads events and checks each by itself (`events.rs`), and sends them to the feed as one [`Publish`]. The feed's [`Door`]
//! knows which requests are repeated and which events are too late (`door.rs`), and the feed publishes the others at once (`handler.rs`).

mod answers;
mod config;
mod door;
mod events;
mod handler;
mod names;

use std::sync::Arc;

use actix::Message;

use crate::domain::{EventBody, Reading, SymbolId, Timestamp};
use crate::feed::control::FeedStatus;
use crate::feed::source::Source;

pub use config::PublishConfig;
pub use door::Door;
pub use events::{BadEvents, Rules, read_events};
pub use names::{Names, NoSymbol, Symbols};

/// An event that a publisher has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The symbol.
    pub id: SymbolId,
    /// A trade or a quote.
    pub body: EventBody,
    /// Whether it gets its time from the feed.
    pub is_stamped_here: bool,
}

/// Asks the feed to publish these events, all or none. Without events it asks for the answer to an earlier request.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Published, PublishError>")]
pub struct Publish {
    /// The events, in the order in which they are published.
    pub events: Arc<[NewEvent]>,
    /// Tells a repeated request from another one.
    pub request: Option<RequestKey>,
}

/// Asks the feed to publish nothing more, because the server ends: further requests are answered with [`PublishError::Busy`], so that no
/// event is answered and then missing in the last state.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseDoor;

/// The name that a publisher has given its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The name of the publisher, and its name for the request.
    pub name: (String, String),
    /// SHA-256 of the request: another one with the same name is a mistake.
    pub digest: [u8; 32],
}

/// The answer to published events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Events that were published.
    pub events: usize,
    /// The first and the last offset of each run of these events. Bars that close in between have offsets of their own.
    pub offsets: Vec<(u64, u64)>,
    /// Events that were dropped because they were too late.
    pub late_dropped: usize,
    /// Whether the request was repeated, and nothing was published now.
    pub is_repeat: bool,
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The feed has another source.
    #[error("nothing can be published, because feed.kind is not \"publish\"")]
    OtherSource,
    /// The receivers of events are behind, or the server ends. The publisher must wait.
    #[error("the server is behind with the events that were published before: send the same again")]
    Busy,
    /// Another request of the publisher has had this name.
    #[error("another request was published with this Idempotency-Key")]
    OtherRequest,
}

/// A source without events of its own: its time is that of the wall clock, but never goes back.
#[derive(Clone, Copy, Debug)]
pub struct PublishSource {
    now: Timestamp,
}

impl PublishSource {
    /// Returns a source whose time begins at `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self { now: start }
    }
}

impl Source for PublishSource {
    fn tick(&mut self, reading: Reading) {
        self.now = self.now.max(reading.wall);
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn speed(&self) -> f64 {
        1.0
    }

    fn take(&mut self) -> Option<(SymbolId, EventBody)> {
        None
    }

    fn next_ts(&mut self) -> Option<Timestamp> {
        None
    }

    fn status(&self) -> FeedStatus {
        FeedStatus {
            kind: "publish",
            state: "running",
            market_ts: self.now.micros(),
            speed: self.speed(),
            paused: false,
            replay: None,
        }
    }
}
