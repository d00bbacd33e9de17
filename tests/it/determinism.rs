//! One seed gives one stream, whatever the number of workers and clients, and the steps of the clock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use actix::{Actor, Context, Handler};
use serde_json::json;
use tickcast::domain::{ManualClock, Timestamp};
use tickcast::feed::Batch;
use tokio::sync::oneshot;

use crate::client::{ALL_CHANNELS, Client};
use crate::patience::patiently;
use crate::raw::{RawClient, TEXT};
use crate::spawn::spawn;

const EVENTS: u64 = 1_000_000;
const EVENTS_PER_SECOND: f64 = 200_000.0;
/// More than the mean time between two events: once the feed has published this many, it is nearly up to date.
const MICROS_PER_EVENT: u64 = 6;
/// Most events that a hub may be behind when the clock advances.
const BEHIND_MAX: u64 = 8_192;
/// Two seconds before midnight, so that bars of every interval close during the test.
const START: Timestamp = Timestamp::from_micros(1_772_495_998_123_456);

/// Hashes the first [`EVENTS`] events of the stream: offset, symbol and content of each.
struct Hashing {
    hasher: DefaultHasher,
    offset: u64,
    done: Option<oneshot::Sender<u64>>,
}

impl Actor for Hashing {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // The receiver must not miss a batch, however busy the machine is.
        ctx.set_mailbox_capacity(1 << 20);
    }
}

impl Handler<Batch> for Hashing {
    type Result = ();

    fn handle(&mut self, Batch(batch): Batch, _: &mut Self::Context) {
        for publication in batch.iter() {
            if self.offset == EVENTS {
                break;
            }
            let event = &publication.event;
            self.offset += 1;
            assert_eq!(event.offset, self.offset, "no hole");
            event.hash(&mut self.hasher);
            event.ts().hash(&mut self.hasher);
        }
        if self.offset == EVENTS
            && let Some(done) = self.done.take()
        {
            let _ = done.send(self.hasher.finish());
        }
    }
}

/// Returns the hash of a run with this seed and number of workers, with the clock moved in steps of `step_micros`.
async fn hash_of(seed: u64, workers: usize, with_clients: bool, step_micros: i64) -> u64 {
    let (done, mut hash) = oneshot::channel();
    let hashing = Hashing { hasher: DefaultHasher::new(), offset: 0, done: Some(done) }.start();
    let clock = Arc::new(ManualClock::new(START));
    let server = spawn(clock.clone(), Some(hashing.recipient()), |settings| {
        settings.feed.seed = seed;
        settings.feed.amendments_per_million_trades = 1_000;
        settings.feed.events_per_second = EVENTS_PER_SECOND;
        settings.feed.step_ms = if with_clients { 7 } else { 1 };
        settings.server.workers = workers;
        // The clock jumps faster than the market follows.
        settings.feed.catch_up_max_ms = 86_400_000;
    });
    let mut clients = Vec::new();
    let mut idlers = Vec::new();
    for symbols in [["*"], ["AAPL"]].into_iter().cycle().take(if with_clients { 6 } else { 0 }) {
        let mut client = Client::connect(server.address).await;
        client.subscribe(&symbols, &ALL_CHANNELS).await;
        clients.push(client);
        let mut idler = RawClient::open_narrow(server.address).await;
        idler.send_frame(TEXT, json!({"action": "subscribe", "symbols": symbols}).to_string().as_bytes()).await;
        idlers.push(idler);
    }
    let mut moved_micros = 0_u64;
    loop {
        // As fast as the feed and the hubs are on this machine: a hub that is too far behind loses its place.
        let newest = server.metrics.feed_offset();
        let is_near = |offset: u64| newest.saturating_sub(offset) < BEHIND_MAX;
        let is_made = newest * MICROS_PER_EVENT + step_micros.unsigned_abs() >= moved_micros;
        if moved_micros == 0 || is_made && server.metrics.hub_offsets().into_iter().all(is_near) {
            moved_micros += step_micros.unsigned_abs();
            clock.advance_micros(step_micros);
        }
        // Clients connect, send requests and disconnect while the market runs.
        if with_clients {
            let mut client = Client::connect(server.address).await;
            client.subscribe(&["MSFT", "NVDA"], &ALL_CHANNELS).await;
            clients[0].next_frame().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        match hash.try_recv() {
            Ok(hash) => return hash,
            Err(err) => assert_eq!(err, oneshot::error::TryRecvError::Empty),
        }
    }
}

#[actix_web::test]
async fn a_million_events_are_the_same_with_one_worker_and_with_four_clients_and_longer_steps() {
    let alone = patiently("a run alone", hash_of(42, 1, false, 6_000_000)).await;
    let crowded = patiently("a run with clients", hash_of(42, 4, true, 77_777)).await;
    assert_eq!(alone, crowded);
    let other = patiently("a run with another seed", hash_of(43, 1, false, 6_000_000)).await;
    assert_ne!(alone, other);
}
