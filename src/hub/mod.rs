//! Who wants what: one `Hub` actor per worker thread, its subscription index and the outboxes of its sessions.
//!
//! The actor is a thin shell: batches come in through its mailbox and wait in the ring until a task beside it routes them,
//! in turns with the sessions; everything else is a plain call on the [`Router`] that they share. How an outbox reaches a
//! socket is `transport`'s business.

mod config;
mod delivery;
mod index;
mod kept;
mod outbox;
mod pacer;
mod router;
mod turn;

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use actix::fut::ready;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};

use tokio::sync::Notify;

use crate::feed::{Attach, Batch};
use crate::history::{History, LastValues, Ring, read_state};
use crate::protocol::CloseReason;
use crate::protocol::native::encode_goodbye;

pub use config::{HubConfig, OutboxShared, PushConfig};
pub use delivery::{Control, Delivery, Pushed, Sink};
pub use index::{Index, Links, SessionKey, Topic};
pub use kept::Kept;
pub use outbox::{Held, Outbox, Reply, Rewind, Snapshots};
pub use pacer::Pacer;
pub use router::{Router, SharedOutbox};
pub use turn::Turn;
use turn::TurnTask;

/// The least time between two groups of sessions that are ended when the server goes down.
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// Batches that may wait in a hub's mailbox; past that the hub reads what it missed from the history.
const MAILBOX_BATCHES_MAX: usize = 256;

/// The router of one worker, as the hub and the sessions of that thread share it.
pub type SharedRouter = Rc<RefCell<Router>>;

/// Attaches a hub to the feed, wherever that is.
type AttachFn = dyn Fn(Attach) -> Pin<Box<dyn Future<Output = ()>>>;

/// Routes the stream to the sessions of the worker thread on which it was started.
pub struct Hub {
    router: SharedRouter,
    history: Addr<History>,
    attach: Box<AttachFn>,
    /// Told when events have arrived that are to be routed.
    arrived: Rc<Notify>,
}

impl Hub {
    /// Starts a hub on this thread. It attaches itself to the feed by calling `attach`, then reads the state from the
    /// history; [`Ready`] is answered when both are done.
    pub fn start(
        config: &HubConfig,
        history: Addr<History>,
        attach: impl Fn(Attach) -> Pin<Box<dyn Future<Output = ()>>> + 'static,
    ) -> (Addr<Self>, SharedRouter) {
        let router = Router::new(config, LastValues::new(Vec::new()), Ring::new(0));
        let router = Rc::new(RefCell::new(router));
        let hub = Self { router: router.clone(), history, attach: Box::new(attach), arrived: Rc::default() };
        (hub.start_actor(), router)
    }

    fn start_actor(self) -> Addr<Self> {
        Actor::start(self)
    }

    /// Reads from the history what this hub has missed, and routes it. No message is handled meanwhile.
    fn recover(&self, ctx: &mut Context<Self>) {
        let state = read_state(self.history.clone()).into_actor(self);
        ctx.wait(state.then(|state, hub, _| {
            // The history ends only with the process.
            if let Ok((values, ring)) = state {
                hub.catch_up(values, ring);
            }
            ready(())
        }));
    }

    fn catch_up(&self, values: LastValues, ring: Ring) {
        let mut router = self.router.borrow_mut();
        let (offset, newest) = (router.offset(), router.newest());
        if !router.is_overrun()
            && let Some(missed) = ring.batches_after(newest, newest)
        {
            missed.for_each(|batch| router.accept(batch.clone()));
            self.arrived.notify_one();
        } else {
            log::error!("hub lost its place offset={offset} newest={}", values.offset());
            router.end_all(&End { reason: CloseReason::HubOverrun, farewell: None }, Instant::now());
            router.restart(values, ring);
        }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_BATCHES_MAX);
        let attached = (self.attach)(Attach(ctx.address().recipient()));
        let history = self.history.clone();
        let state = async move {
            attached.await;
            read_state(history).await
        };
        ctx.wait(state.into_actor(self).then(|state, hub, _| {
            if let Ok((values, ring)) = state {
                hub.router.borrow_mut().restart(values, ring);
            }
            ready(())
        }));
        // Tasks of their own: what the actor waits for is not waited for by its sessions.
        let shared = self.router.borrow().shared().clone();
        let tasks = [
            actix::spawn(relieve(self.router.clone())),
            actix::spawn(WindowTask::new(self.router.clone())),
            actix::spawn(route(self.router.clone(), self.arrived.clone())),
            actix::spawn(TurnTask::new(shared)),
        ];
        for task in tasks {
            // It ends only by a panic. A hub that lacks one of them serves nobody: it ends as well, and that is noticed.
            ctx.spawn(task.into_actor(self).map(|_, _, ctx| ctx.stop()));
        }
    }
}

impl Handler<Batch> for Hub {
    type Result = ();

    fn handle(&mut self, Batch(batch): Batch, ctx: &mut Self::Context) {
        let mut router = self.router.borrow_mut();
        let next = router.newest() + 1;
        match batch.first().map(|first| first.event.offset) {
            Some(first) if first == next => {
                router.accept(batch);
                let is_overrun = router.is_overrun();
                drop(router);
                self.arrived.notify_one();
                if is_overrun {
                    self.recover(ctx);
                }
            }
            Some(first) if first > next => {
                router.metrics().hub_holes.inc();
                drop(router);
                self.recover(ctx);
            }
            _ => log::trace!("batch known already next={next}"),
        }
    }
}

/// Is answered when the hub has found its place in the stream.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ready;

impl Handler<Ready> for Hub {
    type Result = ();

    fn handle(&mut self, _: Ready, _: &mut Self::Context) {}
}

/// Asks the hub to say goodbye to all its sessions and to let none begin. Answered when all have left.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain {
    /// Over how long the sessions are ended, one after the other.
    pub over: Duration,
    /// When their clients may try again: each at another moment of this range, in milliseconds after the drain. Earlier they
    /// would be refused, and a browser's `EventSource` that is refused does not come back.
    pub retry_after_ms: Range<u64>,
}

impl Handler<Drain> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, drain: Drain, ctx: &mut Self::Context) -> Self::Result {
        let mut router = self.router.borrow_mut();
        let (sessions, empty) = router.drain(Instant::now() + drain.over);
        let groups_max = drain.over.as_millis() / DRAIN_STEP.as_millis();
        let each = sessions.len().div_ceil(usize::try_from(groups_max).unwrap_or(usize::MAX).max(1)).max(1);
        let groups = u32::try_from(sessions.len().div_ceil(each)).unwrap_or(u32::MAX);
        for (group, keys) in (0..).zip(sessions.chunks(each)) {
            let (keys, retry_after_ms) = (keys.to_vec(), drain.retry_after_ms.clone());
            ctx.run_later(drain.over * group / groups, move |hub, _| {
                let left_ms = hub.router.borrow().drain_left_ms(Instant::now());
                for key in keys {
                    let retry_after_ms = left_ms + rand::random_range(retry_after_ms.clone());
                    let farewell =
                        Farewell { message: encode_goodbye("shutdown", retry_after_ms).into(), retry_after_ms };
                    let end = End { reason: CloseReason::Shutdown, farewell: Some(farewell) };
                    hub.router.borrow().end(key, &end, Instant::now());
                }
            });
        }
        Box::pin(async move { empty.notified().await })
    }
}

/// Tells a session's transport to end it. Sent by the hub, to sessions that gave it a recipient when they joined.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct End {
    /// Why.
    pub reason: CloseReason,
    /// What to say before.
    pub farewell: Option<Farewell>,
}

/// The last message to a session.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// `goodbye`.
    pub message: Arc<[u8]>,
    /// When the client may come back, as the message says: in milliseconds.
    pub retry_after_ms: u64,
}

/// Where a session wants to be told of its [`End`].
pub type Ender = actix::Recipient<End>;

/// Ends the sessions that hold most whenever too much waits in the whole process, for as long as the hub lives.
async fn relieve(router: SharedRouter) {
    let shared = router.borrow().shared().clone();
    let mut told = shared.crowded.notified();
    loop {
        told.await;
        // From here on: another thread may tell it while this one looks.
        told = shared.crowded.notified();
        while router.borrow().relieve(Instant::now()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Routes what has arrived, in turns with the sessions of the thread, for as long as the hub lives.
async fn route(router: SharedRouter, arrived: Rc<Notify>) {
    loop {
        arrived.notified().await;
        while router.borrow_mut().route_turn(Instant::now()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends coalescing windows when their time has come, for as long as the hub lives.
struct WindowTask {
    router: SharedRouter,
    shared: Rc<OutboxShared>,
    timer: Pin<Box<tokio::time::Sleep>>,
}

impl WindowTask {
    fn new(router: SharedRouter) -> Self {
        let shared = router.borrow().shared().clone();
        Self { router, shared, timer: Pacer::timer() }
    }
}

impl Future for WindowTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let task = &mut *self;
            std::task::ready!(task.shared.pacer.borrow_mut().poll_ended(&mut task.timer, cx));
            task.router.borrow_mut().end_windows(Instant::now());
        }
    }
}
