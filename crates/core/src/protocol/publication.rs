//! `Publication`: an event with its encoded bytes, which are made at most once per process and dialect.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Instant;

use bytes::BufMut;
use once_cell::race::OnceBox;

use crate::domain::Event;
use crate::protocol::Dialect;
use crate::protocol::native::Native;

/// The event as one message of a dialect.
type Encoded = OnceLock<Box<[u8]>>;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An event that is ready to be sent, shared by all sessions on all threads.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The event.
    pub event: Event,
    /// Time of publication, from which the age of the event counts.
    pub made: Instant,
    native: Encoded,
    /// The event in other dialects. Eight bytes if no session uses one of them.
    others: OnceBox<Other>,
}

/// The event in a dialect that is not the native one; a list, as there are few of them.
#[derive(Clone, Debug)]
struct Other {
    dialect: TypeId,
    encoded: Encoded,
    next: OnceBox<Self>,
}

impl Publication {
    /// Returns the publication of this event, not encoded yet.
    pub fn new(event: Event) -> Self {
        Self { event, made: Instant::now(), native: Encoded::new(), others: OnceBox::new() }
    }

    /// Returns a copy that shares nothing with this one, encoded as far as this one is.
    #[must_use]
    pub fn detached(&self) -> Self {
        self.clone()
    }

    /// Returns the event as one message of the dialect, which must have it ([`Dialect::event_group`]): encoded by the first
    /// caller, shared by all others. An event that nobody asks for is never encoded.
    #[inline]
    pub fn encoded<D: Dialect>(&self) -> &[u8] {
        let is_native = TypeId::of::<D>() == TypeId::of::<Native>();
        let encoded = if is_native { &self.native } else { self.other(TypeId::of::<D>()) };
        // Into a buffer that is used again, then into an allocation of exactly the right size: these bytes stay in the ring for
        // as long as the event.
        encoded.get_or_init(|| {
            BUFFER.with_borrow_mut(|buffer| {
                buffer.clear();
                D::encode_event(&self.event, buffer);
                buffer.as_slice().into()
            })
        })
    }

    /// Appends the event in the native dialect. Unlike [`Self::encoded`] it keeps no bytes: for a reader that may be the only one.
    pub fn append_native(&self, out: &mut Vec<u8>) {
        match self.native.get() {
            Some(encoded) => out.extend_from_slice(encoded),
            None => Native::encode_event(&self.event, out),
        }
    }

    /// Encodes the event for this dialect, if the dialect has it, unless that has been done.
    pub fn prepare<D: Dialect>(&self) {
        if D::event_group(&self.event).is_some() {
            self.encoded::<D>();
        }
    }

    /// Appends the event as one message of the dialect, which must have it, together with the number of older events that it
    /// replaces in mode `latest`.
    #[inline]
    pub fn write<D: Dialect>(&self, skipped: u32, out: &mut impl BufMut) {
        let bytes = self.encoded::<D>();
        if skipped == 0 { out.put_slice(bytes) } else { D::encode_skipped(bytes, skipped, out) }
    }

    fn other(&self, dialect: TypeId) -> &Encoded {
        let mut place = &self.others;
        loop {
            // Another thread may put another dialect there first; the next place is tried then.
            let other =
                place.get_or_init(|| Box::new(Other { dialect, encoded: Encoded::new(), next: OnceBox::new() }));
            if other.dialect == dialect {
                return &other.encoded;
            }
            place = &other.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::BytesMut;

    use super::*;
    use crate::domain::{EventBody, Price, Size, SymbolId, Timestamp, Trade};
    use crate::protocol::{ClientMessage, DecodeError, ErrorCode, Group, Mistake, ServerMessage};

    static ENCODED: AtomicUsize = AtomicUsize::new(0);

    /// One of a few dialects that write their number.
    struct Number<const NUMBER: u8>;

    impl<const NUMBER: u8> Dialect for Number<NUMBER> {
        type Request = ClientMessage;
        type Mistake = DecodeError;
        const IS_TEXT: bool = false;
        const JOINT: &'static [u8] = b"";

        fn decode(_: &[u8]) -> Result<ClientMessage, DecodeError> {
            Err(DecodeError { id: None, mistake: Mistake::new(ErrorCode::BadRequest, "a dialect of events only") })
        }

        fn encode_event(_: &Event, out: &mut Vec<u8>) {
            ENCODED.fetch_add(1, Ordering::Relaxed);
            out.push(NUMBER);
        }

        fn encode_message(_: &ServerMessage, _: &mut impl BufMut) {}

        fn event_group(_: &Event) -> Option<Group> {
            (NUMBER > 0).then_some(Group::Alone)
        }

        fn message_group(_: &ServerMessage) -> Option<Group> {
            None
        }

        fn begin_frame(_: Group, _: &mut BytesMut) {}

        fn end_frame(_: Group, _: usize, _: usize, _: &mut BytesMut) {}
    }

    fn publication() -> Publication {
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
        let symbol = "S".parse().unwrap();
        Publication::new(Event { offset: 1, seq: 1, id: SymbolId(0), symbol, body: EventBody::Trade(trade) })
    }

    #[test]
    fn each_dialect_encodes_an_event_once_however_many_threads_want_it() {
        const THREADS: usize = 4;
        const EVENTS: usize = 200;
        let publications: Vec<_> = (0..EVENTS).map(|_| publication()).collect();
        let start = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for each in &publications {
                        assert_eq!((each.encoded::<Number<1>>(), each.encoded::<Number<2>>()), (&[1][..], &[2][..]));
                        assert_eq!(each.encoded::<Number<3>>(), [3]);
                    }
                });
            }
        });
        assert_eq!(ENCODED.load(Ordering::Relaxed), 3 * EVENTS);
        assert!(publications.iter().all(|each| each.native.get().is_none()), "nobody wants that");
    }

    #[test]
    fn an_event_is_prepared_only_for_a_dialect_that_has_it() {
        let publication = publication();
        publication.prepare::<Number<0>>();
        assert!(publication.others.get().is_none());
        publication.prepare::<Native>();
        assert!(publication.native.get().is_some());
    }

    #[test]
    fn dialects_that_nobody_speaks_take_eight_bytes_of_an_event() {
        let rest = size_of::<Event>() + size_of::<Instant>() + size_of::<Encoded>();
        assert_eq!(size_of::<Publication>() - rest, 8, "there are hundreds of thousands of events");
    }
}
