//! `PublishDesk`: what a worker needs to publish events, over each transport.

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use actix_web::web;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::access::VisibleTable;
use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::feed::Newcomers;
use crate::feed::publish::{
    BadEvents, Names, NewEvent, Publish, PublishConfig, Published, RequestKey, Rules, Symbols, read_events,
};

/// Longest text that is read on the thread of the worker, in bytes: a tenth of a millisecond.
const QUICK_BYTES_MAX: usize = 16_384;

/// The state that the requests of publishers on one worker thread share.
pub struct PublishDesk {
    /// Publishes the events.
    pub feed: Recipient<Publish>,
    /// The rules.
    pub config: PublishConfig,
    /// Adds new symbols to the table; `None` if it has those of the configuration alone.
    pub newcomers: Option<Arc<Newcomers>>,
    /// One permit for each request whose body is being received or read, `feed.publish.requests_max`.
    pub reads: Semaphore,
    /// Longest time for a body to arrive.
    pub body_timeout: Duration,
}

/// Why there are no events in a text.
#[derive(Debug)]
pub(super) enum Unread {
    /// A mistake of the publisher.
    Bad(BadEvents),
    /// The server is ending.
    Ending,
}

impl PublishDesk {
    /// Does work with so many bytes of text. With a long text it is done on another thread, so that the sessions of this one do not wait.
    pub(super) async fn away<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unread> {
        if bytes <= QUICK_BYTES_MAX { Ok(work()) } else { web::block(work).await.map_err(|_| Unread::Ending) }
    }
}

impl Symbols for VisibleTable {
    fn id(&self, symbol: Symbol) -> Option<SymbolId> {
        self.id(symbol)
    }

    fn permits(&self, symbol: Symbol) -> bool {
        self.rights().permit_name(symbol)
    }
}

/// The conditions for the events of one request.
#[derive(Clone)]
pub(super) struct Terms {
    rules: Rules,
    symbols: VisibleTable,
    newcomers: Option<Arc<Newcomers>>,
}

impl PublishDesk {
    /// Returns the answer to an earlier request with this name, if there was one.
    pub(super) async fn repeated(&self, request: Option<RequestKey>) -> Option<Published> {
        let answered = self.feed.send(Publish { events: Arc::new([]), request: Some(request?) }).await;
        answered.ok()?.ok().filter(|published| published.is_repeat)
    }

    /// Returns the terms at this time for a publisher who may use these symbols.
    pub(super) fn terms(&self, symbols: VisibleTable, now: Timestamp) -> Terms {
        Terms { rules: Rules::new(&self.config, now), symbols, newcomers: self.newcomers.clone() }
    }
}

impl Terms {
    /// Reads the events of a request, and adds its new symbols to the table if all are good.
    pub(super) fn read(&self, text: &[u8]) -> Result<Arc<[NewEvent]>, BadEvents> {
        let names = Names::new(&self.symbols, self.newcomers.as_deref());
        let mut events = read_events(text, &self.rules, &|name| names.find(name))?;
        names.add_new(&mut events)?;
        Ok(events.into())
    }
}

/// The answer to a publisher.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    /// Offset of the first event; `null` if all were dropped.
    first: Option<u64>,
    last: Option<u64>,
    /// The first and the last offset of each run of these events.
    offsets: &'a [(u64, u64)],
    events: usize,
    late_dropped: usize,
}

impl<'a> Answer<'a> {
    /// Returns the answer to events that were published.
    pub(super) fn new(Published { events, offsets, late_dropped, .. }: &'a Published) -> Self {
        let (first, last) = (offsets.first().map(|run| run.0), offsets.last().map(|run| run.1));
        Self { first, last, offsets, events: *events, late_dropped: *late_dropped }
    }

    /// Returns the JSON object.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers are JSON, and a vector takes them")
    }
}
