//! A hub that misses a batch because its mailbox was full reads the batch from the history; a hub that cannot continue
//! ends.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use actix::{Actor, Addr, Arbiter, Recipient};
use tickcast::domain::{
    Channel, ChannelSet, Event, EventBody, Instrument, Interval, Price, Quote, Size, Snapshot, SymbolId, SymbolTable,
    Timestamp, Trade,
};
use tickcast::feed::Batch;
use tickcast::history::{Archive, BarBounds, History, LastValues, Ring, read_state};
use tickcast::hub::{
    Control, Hub, HubConfig, PushConfig, Ready, SessionWriter, SharedOutbox, SharedRouter, Sink, Wakeup,
};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Mode, Publication, Rate, ServerMessage};

use crate::patience::{patiently, wait_until};

/// Collects the offsets of the events drained from an outbox.
#[derive(Default)]
struct Offsets(Vec<u64>);

impl Sink for Offsets {
    fn control(&mut self, control: Control) {
        panic!("nothing goes wrong: {control:?}");
    }

    fn message(&mut self, message: &ServerMessage) {
        panic!("no subscription to {message:?}");
    }

    fn event(&mut self, publication: &Publication, _: u32) {
        self.0.push(publication.event.offset);
    }

    fn is_full(&self) -> bool {
        false
    }
}

fn batch(first: u64, len: u64) -> Batch {
    let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
    let publication = |offset| {
        let symbol = "AAPL".parse().unwrap();
        Publication::new(Event { offset, seq: offset, id: SymbolId(0), symbol, body: EventBody::Trade(trade) })
    };
    Batch((first..first + len).map(publication).collect())
}

fn snapshot() -> Snapshot {
    let (bid, ask, size) = (Price::from_cents(99), Price::from_cents(101), Size::new(1));
    let quote = Quote { ts: Timestamp::default(), bid, bid_size: size, ask, ask_size: size };
    Snapshot::untraded(Price::from_cents(100), &quote, size)
}

fn config() -> HubConfig {
    let instrument = Instrument { symbol: "AAPL".parse().unwrap(), name: String::new(), sector: String::new() };
    HubConfig {
        table: Arc::new(SymbolTable::new(vec![instrument])),
        push: PushConfig { coalesce_ms: 0, ..PushConfig::default() },
        ..HubConfig::default()
    }
}

fn history(config: &HubConfig, events_max: usize) -> Addr<History> {
    record(config, events_max).start()
}

fn record(config: &HubConfig, events_max: usize) -> History {
    let values = LastValues::new(vec![snapshot()]);
    let (open, bounds) = (vec![[None; Interval::COUNT]], BarBounds { bars_max: 10, kept_max: 10 });
    let (past, start) = (Box::new(|_, _| Vec::new()), Timestamp::default());
    let archive = Archive::new(open, start, bounds, past, (0, events_max), config.metrics.clone());
    History::new(values, Arc::new(archive))
}

fn drain(outbox: &SharedOutbox) -> Vec<u64> {
    let mut offsets = Offsets::default();
    let context = Context::from_waker(Waker::noop());
    while let Poll::Ready(drained) = outbox.borrow_mut().poll_drain(&context, Instant::now(), &mut offsets) {
        assert!(drained.is_some(), "the session lives");
    }
    offsets.0
}

/// Starts a hub; returns it, its router, and its recipient of batches.
async fn start(config: &HubConfig, history: &Addr<History>) -> (Addr<Hub>, SharedRouter, Recipient<Batch>) {
    let attached: Rc<RefCell<Option<Recipient<Batch>>>> = Rc::default();
    let slot = attached.clone();
    let (hub, router) = Hub::start(config, history.clone(), move |attach| {
        *slot.borrow_mut() = Some(attach.recipient());
        Box::pin(async {})
    });
    patiently("the hub", hub.send(Ready)).await.unwrap();
    let recipient = attached.borrow().clone().expect("the hub has attached itself");
    (hub, router, recipient)
}

#[actix_web::test]
async fn a_hub_that_has_missed_batches_sends_every_event_once_and_in_order() {
    let config = config();
    let history = history(&config, 1_000);
    let (hub, router, recipient) = start(&config, &history).await;
    let (key, outbox) = router.borrow_mut().join::<Native>(None, Instant::now());
    router.borrow_mut().subscribe(key, &[Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]), Mode::All, None);

    // The history gets every batch; the hub misses the second and the third, and gets the fifth twice.
    for (first, len, is_missed) in
        [(1, 3, false), (4, 5, true), (9, 1, true), (10, 2, false), (12, 4, false), (12, 4, false)]
    {
        let batch = batch(first, len);
        if router.borrow().offset() < first {
            patiently("the history", history.send(batch.clone())).await.unwrap();
        }
        if !is_missed {
            patiently("the hub", recipient.send(batch)).await.unwrap();
        }
    }
    patiently("the hub", hub.send(Ready)).await.unwrap();
    assert_eq!(drain(&outbox), (1..=15).collect::<Vec<_>>());
    assert_eq!(router.borrow().offset(), 15);
    assert_eq!(config.metrics.hub_holes.get(), 1);
}

#[actix_web::test]
async fn the_state_is_read_in_pieces_while_the_market_goes_on() {
    let history = history(&config(), 3_000);
    let mut next = 1;
    let mut record = async |batches: u64, len: u64| {
        for _ in 0..batches {
            patiently("the history", history.send(batch(next, len))).await.unwrap();
            next += len;
        }
        next - 1
    };
    // More batches than one piece has; the oldest are evicted while the pieces are read.
    record(2_900, 1).await;
    let reading = actix::spawn(read_state(history.clone()));
    tokio::task::yield_now().await;
    record(500, 10).await;
    let (values, ring) = patiently("the state", reading).await.unwrap().unwrap();
    let check = |values: &LastValues, ring: &Ring| {
        let offsets: Vec<u64> = ring.batches().flat_map(|batch| batch.iter()).map(|each| each.event.offset).collect();
        assert!(offsets.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no hole");
        assert_eq!((*offsets.last().unwrap(), ring.capacity()), (values.offset(), 3_000));
    };
    check(&values, &ring);
    let newest = record(3_000, 1).await;
    let (values, ring) = patiently("the state", read_state(history.clone())).await.unwrap();
    check(&values, &ring);
    assert_eq!((values.offset(), ring.len()), (newest, 3_000));
}

/// A session gets its first event at once, and the second one by the hub's timer, while the hub reads the history.
async fn gets_while_the_hub_reads(coalesce_ms: u64, mode: Mode) {
    let mut config = config();
    config.push = PushConfig { coalesce_ms, burst_writes: 1, ..PushConfig::default() };
    let thread = Arbiter::new();
    let recording = config.clone();
    let history = History::start_in_arbiter(&thread.handle(), move |_| record(&recording, 1_000));
    let (_hub, router, recipient) = start(&config, &history).await;
    let (key, outbox) = router.borrow_mut().join::<Native>(None, Instant::now());
    router.borrow_mut().subscribe(key, &[Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]), mode, None);
    let (go_on, blocked) = std::sync::mpsc::channel::<()>();
    thread.spawn_fn(move || _ = blocked.recv());

    let mut offsets = Offsets::default();
    for offset in [1, 2] {
        patiently("the hub", recipient.send(batch(offset, 1))).await.unwrap();
        if offset == 2 {
            // The hub has missed a batch, and the history does not answer.
            recipient.try_send(batch(9, 1)).unwrap();
            wait_until("a hub that reads", 1, || config.metrics.hub_holes.get()).await;
        }
        let drained = poll_fn(|cx| outbox.borrow_mut().poll_drain(cx, Instant::now(), &mut offsets));
        assert_eq!(patiently("a write", drained).await, Some(1));
    }
    assert_eq!(offsets.0, [1, 2]);
    go_on.send(()).unwrap();
    thread.stop();
}

#[actix_web::test]
async fn windows_end_while_a_hub_reads_the_history() {
    gets_while_the_hub_reads(1_000, Mode::All).await;
}

#[actix_web::test]
async fn alarms_fire_while_a_hub_reads_the_history() {
    gets_while_the_hub_reads(0, Mode::Latest(Rate::from_hz(1.0))).await;
}

/// A waker that panics, for a session whose task cannot be woken.
struct Deadly;

impl Wake for Deadly {
    fn wake(self: Arc<Self>) {
        // Like a panic, but without the hook that prints it.
        std::panic::resume_unwind(Box::new("for the test"));
    }
}

/// Returns a hub, its router, and the outbox of a session that has got the first event and whose waker panics.
async fn start_deadly(push: PushConfig) -> (Addr<Hub>, SharedRouter, Recipient<Batch>) {
    let config = HubConfig { push, ..config() };
    let (hub, router, recipient) = start(&config, &history(&config, 1_000)).await;
    let (key, outbox) = router.borrow_mut().join::<Native>(None, Instant::now());
    router.borrow_mut().subscribe(key, &[Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]), Mode::All, None);
    patiently("the hub", recipient.send(batch(1, 1))).await.unwrap();
    wait_until("the routed offset", 1, || router.borrow().offset()).await;
    assert_eq!(drain(&outbox), [1]);
    let waker = Waker::from(Arc::new(Deadly));
    let drained = outbox.borrow_mut().poll_drain(&Context::from_waker(&waker), Instant::now(), &mut Offsets::default());
    assert!(drained.is_pending() && hub.connected());
    (hub, router, recipient)
}

#[actix_web::test]
async fn a_hub_ends_if_its_routing_panics() {
    let (hub, router, recipient) = start_deadly(PushConfig { coalesce_ms: 0, ..PushConfig::default() }).await;
    patiently("the hub", recipient.send(batch(2, 1))).await.unwrap();
    wait_until("a living hub", false, || hub.connected()).await;
    assert_eq!(router.borrow().newest(), 2, "it has got the event");
}

#[actix_web::test]
async fn a_hub_ends_if_its_windows_panic() {
    // The first write opens a window: the session is woken when the window ends.
    let push = PushConfig { coalesce_ms: 100, burst_writes: 1, ..PushConfig::default() };
    let (hub, _, recipient) = start_deadly(push).await;
    patiently("the hub", recipient.send(batch(2, 1))).await.unwrap();
    wait_until("a living hub", false, || hub.connected()).await;
}

#[actix_web::test]
#[expect(clippy::await_holding_refcell_ref, reason = "the router is borrowed, so that the hub panics")]
async fn a_hub_ends_if_its_relief_panics() {
    let config = config();
    let (hub, router, _) = start(&config, &history(&config, 1_000)).await;
    let (_, outbox) = router.borrow_mut().join::<Native>(None, Instant::now());
    let borrowed = outbox.borrow_mut();
    config.metrics.waiting_bytes.set(i64::MAX);
    let is_alive = || {
        config.crowded.notify_waiters();
        hub.connected()
    };
    wait_until("a living hub", false, is_alive).await;
    drop(borrowed);
}

#[actix_web::test]
async fn a_hub_ends_if_its_turns_panic() {
    let (hub, router, _) = start_deadly(PushConfig::default()).await;
    let (key, _) = router.borrow_mut().join::<Native>(None, Instant::now());
    let shared = router.borrow().shared().clone();
    shared.turn.borrow_mut().queue(key, Wakeup::Task(Waker::from(Arc::new(Deadly))));
    wait_until("a living hub", false, || hub.connected()).await;
}

/// A session whose writes panic.
struct DeadlyWriter;

impl SessionWriter for DeadlyWriter {
    fn write(&self, _: Instant) -> bool {
        // Unwinds without calling the panic hook, which would print it.
        std::panic::resume_unwind(Box::new("for the test"));
    }

    fn detach(&self) {}
}

#[actix_web::test]
async fn a_hub_ends_if_its_writes_panic() {
    let config = config();
    let (hub, router, _) = start(&config, &history(&config, 1_000)).await;
    let (key, outbox) = router.borrow_mut().join::<Native>(None, Instant::now());
    router.borrow_mut().attach_writer(key, &outbox, Rc::new(DeadlyWriter));
    let mut offsets = Offsets::default();
    let drained = outbox.borrow_mut().poll_drain(&Context::from_waker(Waker::noop()), Instant::now(), &mut offsets);
    assert!(drained.is_pending(), "the hub is told when there is something");
    outbox.borrow_mut().push_control(Control::Ping, Instant::now()).unwrap();
    wait_until("a living hub", false, || hub.connected()).await;
}
