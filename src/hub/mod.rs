//! Fan-out: one `Hub` actor per worker thread, with its subscription index and the outboxes of its sessions.
//!
//! The actor is a thin shell. Batches arrive in its mailbox and wait in the ring; a task beside the actor routes them,
//! in turns with the sessions. Everything else is a plain call on the [`Router`] that they share. `transport` drains
//! the outboxes into sockets.

mod config;
mod delivery;
mod index;
mod outbox;
mod pacer;
mod pass;
mod playback;
mod roll;
mod router;
mod slowest;
mod turn;

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::fut::ready;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};

use tokio::sync::Notify;

use crate::feed::{Batch, Evict, Notice, Restart};
use crate::history::{History, LastValues, Ring, read_state};
use crate::protocol::CloseReason;

pub use config::{HubConfig, OutboxShared, PushConfig};
pub use delivery::{Control, Delivery, Sink};
pub use index::{Index, Links, SessionKey, Topic, topic};
pub use outbox::{Held, Outbox, Recovery, Snapshots};
pub use pacer::Pacer;
pub use pass::{Pass, SessionWriter, Wakeup};
pub use playback::Playback;
pub use roll::{EndOnRoll, Figures, LookAtRoll, SessionFacts, SessionStatus};
pub use router::{PartialWildcard, Router, SharedOutbox};
pub use slowest::Look;
pub use turn::Turn;

/// Least time between two groups of sessions that are ended at shutdown.
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// Time until a router that waits for a session looks again.
const JAM_PAUSE: Duration = Duration::from_millis(1);
/// Capacity of a hub's mailbox in batches. The hub reads batches over the limit from the history.
const MAILBOX_BATCHES_MAX: usize = 256;

/// The router of one worker, shared by the hub and the sessions of its thread.
pub type SharedRouter = Rc<RefCell<Router>>;

/// Attaches a hub to the feed, on whichever thread that runs.
type AttachFn = dyn Fn(Addr<Hub>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Routes the stream to the sessions of the worker thread on which it was started.
pub struct Hub {
    router: SharedRouter,
    history: Addr<History>,
    attach: Box<AttachFn>,
    /// Notified when events have arrived that are to be routed.
    arrived: Rc<Notify>,
}

impl Hub {
    /// Starts a hub on this thread. The hub attaches itself to the feed by calling `attach`, then reads the state from
    /// the history; [`Ready`] is answered when both are done.
    pub fn start(
        config: &HubConfig,
        history: Addr<History>,
        attach: impl Fn(Addr<Self>) -> Pin<Box<dyn Future<Output = ()>>> + 'static,
    ) -> (Addr<Self>, SharedRouter) {
        let router = Router::new(config, LastValues::new(Vec::new()), Ring::new(0));
        let router = Rc::new(RefCell::new(router));
        let hub = Self { router: router.clone(), history, attach: Box::new(attach), arrived: Rc::default() };
        (Actor::start(hub), router)
    }

    pub(super) const fn router(&self) -> &SharedRouter {
        &self.router
    }

    /// Reads the events that this hub has missed from the history, and routes them. The actor handles no message
    /// meanwhile.
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
        let has_restarted = values.epoch() != router.newest_epoch();
        if !router.is_overrun()
            && !has_restarted
            && let Some(missed) = ring.batches_after(newest, newest)
        {
            missed.for_each(|batch| router.accept(batch.clone()));
            self.arrived.notify_one();
        } else {
            log::error!("hub lost its place offset={offset} newest={}", values.offset());
            router.end_all(&End { reason: CloseReason::HubOverrun, retry_after_ms: None }, Instant::now());
            router.restart(values, ring);
        }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_BATCHES_MAX);
        let attached = (self.attach)(ctx.address());
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
        // Separate tasks, because sessions must not wait while the actor waits.
        let tasks = [
            actix::spawn(relieve(self.router.clone())),
            actix::spawn(keep_time(self.router.clone())),
            actix::spawn(route(self.router.clone(), self.arrived.clone())),
            // A write is bounded by `Pass`, not by the budget of one task of tokio.
            actix::spawn(tokio::task::unconstrained(write(self.router.clone()))),
        ];
        for task in tasks {
            // A task ends only by a panic. A hub without one of its tasks would serve no session, so it ends, too, and
            // the watchdog detects that.
            ctx.spawn(task.into_actor(self).map(|_, _, ctx| ctx.stop()));
        }
    }
}

impl Handler<Restart> for Hub {
    type Result = ();

    /// The market has moved to another time, which sessions learn in its place of the stream.
    fn handle(&mut self, restart: Restart, ctx: &mut Self::Context) {
        let mut router = self.router.borrow_mut();
        let next = router.newest() + 1;
        if restart.offset == next {
            router.expect(restart);
            self.arrived.notify_one();
        } else if restart.offset > next {
            router.config().metrics.hub_holes.inc();
            drop(router);
            self.recover(ctx);
        }
    }
}

impl Handler<Notice> for Hub {
    type Result = ();

    fn handle(&mut self, Notice(status): Notice, _: &mut Self::Context) {
        self.router.borrow_mut().add_notice(status, Instant::now());
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
                router.config().metrics.hub_holes.inc();
                drop(router);
                self.recover(ctx);
            }
            _ => log::trace!("batch known already next={next}"),
        }
    }
}

/// Answered when the hub has reached the stream.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ready;

impl Handler<Ready> for Hub {
    type Result = ();

    fn handle(&mut self, _: Ready, _: &mut Self::Context) {}
}

/// Asks the hub to end all its sessions and to refuse new ones. Answered when the last session has left.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain {
    /// Time over which the sessions are ended.
    pub over: Duration,
    /// Range of the clients' random retry delays, in milliseconds after the drain. A client that reconnects earlier is
    /// refused, and a browser's `EventSource` never reconnects after that.
    pub retry_after_ms: Range<u64>,
}

impl Handler<Drain> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, drain: Drain, ctx: &mut Self::Context) -> Self::Result {
        let mut router = self.router.borrow_mut();
        let (sessions, empty) = router.drain(Instant::now() + drain.over);
        for guest in router.guests() {
            let retry_after_ms =
                router.drain_left_ms(Instant::now()) + rand::random_range(drain.retry_after_ms.clone());
            let end = End { reason: CloseReason::Shutdown, retry_after_ms: Some(retry_after_ms) };
            guest.borrow_mut().end_all(&end, Instant::now());
        }
        let groups_max = drain.over.as_millis() / DRAIN_STEP.as_millis();
        let each = sessions.len().div_ceil(usize::try_from(groups_max).unwrap_or(usize::MAX).max(1)).max(1);
        let groups = u32::try_from(sessions.len().div_ceil(each)).unwrap_or(u32::MAX);
        for (group, keys) in (0..).zip(sessions.chunks(each)) {
            let (keys, retry_after_ms) = (keys.to_vec(), drain.retry_after_ms.clone());
            ctx.run_later(drain.over * group / groups, move |hub, _| {
                let left_ms = hub.router.borrow().drain_left_ms(Instant::now());
                for key in keys {
                    let retry_after_ms = left_ms + rand::random_range(retry_after_ms.clone());
                    let end = End { reason: CloseReason::Shutdown, retry_after_ms: Some(retry_after_ms) };
                    hub.router.borrow().end(key, &end, Instant::now());
                }
            });
        }
        Box::pin(async move { empty.notified().await })
    }
}

impl Handler<Evict> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Evict, _: &mut Self::Context) -> Self::Result {
        let end = End { reason: CloseReason::HubOverrun, retry_after_ms: None };
        self.router.borrow_mut().end_all(&end, Instant::now());
        let (router, left) = (self.router.clone(), self.router.borrow().left());
        Box::pin(async move {
            loop {
                let left = left.notified();
                if router.borrow().sessions() == 0 {
                    return;
                }
                left.await;
            }
        })
    }
}

/// Asks a session's transport to end it. Sent by the hub to sessions that gave it a recipient.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct End {
    /// The close reason.
    pub reason: CloseReason,
    /// The `retry_after_ms` of a `goodbye` before the end, in milliseconds; without it a WebSocket is closed without `goodbye`.
    pub retry_after_ms: Option<u64>,
}

/// Recipient of a session's [`End`].
pub type Ender = actix::Recipient<End>;

/// Ends the sessions with most unsent bytes whenever the limit for all clients is exceeded, for the life of the hub.
async fn relieve(router: SharedRouter) {
    let shared = router.borrow().shared().clone();
    let mut notified = shared.config.crowded.notified();
    loop {
        notified.await;
        // Registered before the check, because another thread may notify during it.
        notified = shared.config.crowded.notified();
        while router.borrow().relieve(Instant::now()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Routes arrived events, in turns with the sessions of the thread, for the life of the hub.
async fn route(router: SharedRouter, arrived: Rc<Notify>) {
    loop {
        arrived.notified().await;
        loop {
            if router.borrow_mut().route_turn(Instant::now()) {
                tokio::task::yield_now().await;
            } else if router.borrow().is_jammed() {
                tokio::time::sleep(JAM_PAUSE).await;
            } else {
                break;
            }
        }
    }
}

/// Writes to the sessions with data due, in turns with the other tasks of the thread, for the life of the hub.
async fn write(router: SharedRouter) {
    let pass = router.borrow().shared().pass.clone();
    loop {
        pass.arrived().await;
        while router.borrow().write_turn(Instant::now()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends coalescing windows, fires alarms, and begins one turn after another while sessions wait, for the life of the hub.
async fn keep_time(router: SharedRouter) {
    let shared = router.borrow().shared().clone();
    loop {
        let turn = shared.turn.borrow_mut().next(Instant::now());
        let next = shared.pacer.borrow().next().into_iter().chain(turn).min();
        match next {
            Some(next) => drop(tokio::time::timeout_at(next.into(), shared.timer.notified()).await),
            None => shared.timer.notified().await,
        }
        router.borrow_mut().end_windows(Instant::now());
    }
}
