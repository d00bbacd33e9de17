//! `Publication`: an event together with its encoded bytes, which are made at most once per process and dialect.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Instant;

use crate::domain::Event;
use crate::protocol::native;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `tickcast.v1`, see `docs/PROTOCOL.md`.
    Native,
}

impl Dialect {
    /// How many dialects there are.
    pub const COUNT: usize = 1;
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An event ready to be sent: shared by everybody who gets it, on every thread.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The event.
    pub event: Event,
    /// When it was made: from then on it is on its way.
    pub made: Instant,
    encoded: [OnceLock<Box<[u8]>>; Dialect::COUNT],
}

impl Publication {
    /// Returns the publication of this event, not yet encoded.
    pub fn new(event: Event) -> Self {
        Self { event, made: Instant::now(), encoded: [const { OnceLock::new() }; Dialect::COUNT] }
    }

    /// Returns a copy that shares nothing with this one, encoded as far as this one is.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { event: self.event.clone(), made: self.made, encoded: self.encoded.clone() }
    }

    /// Returns the event as one message of the dialect: encoded by the first caller, shared by all others. An event that
    /// nobody asks for is never encoded.
    pub fn encoded(&self, dialect: Dialect) -> &[u8] {
        self.encoded[dialect as usize].get_or_init(|| match dialect {
            // Into a buffer that is used again, then into an allocation of exactly the right size: these bytes stay in the
            // ring for as long as the event.
            Dialect::Native => BUFFER.with_borrow_mut(|buffer| {
                buffer.clear();
                native::encode_event(&self.event, buffer);
                buffer.as_slice().into()
            }),
        })
    }
}
