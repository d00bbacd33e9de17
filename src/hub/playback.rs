//! `Playback`: a file that is played for one client. It has a router of its own, whose one session gets what it subscribes to exactly as
//! from a hub; a task takes events from the source when they are due, and waits while the client does not read.
//!
//! It runs on the thread of its session, in turns with the others there. Files are read on threads of their own (`feed/replay/`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::domain::{ChannelSet, Clock, MarketClock};
use crate::feed::replay::OpenedReplay;
use crate::feed::{FeedError, FeedOrder, FeedStatus, ReplaySource, Restart, Sequencer, Source};
use crate::history::{LastValues, Ring};
use crate::hub::router::Router;
use crate::hub::{End, HubConfig, SharedRouter, keep_time, relieve, write};
use crate::protocol::{CloseReason, Publication, RequestId, ServerMessage};

/// Newest events that are kept, for a client that subscribes again with a cursor.
const RING_EVENTS: usize = 4_096;
/// The shortest and the longest time between two looks at a client that does not read, or at a file that is being read.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));
/// The longest time between two looks at the clock while no event is due: bars close meanwhile.
const IDLE_MAX: Duration = Duration::from_millis(20);

/// A file that is played for one session, until this is dropped.
pub struct Playback {
    player: Rc<Player>,
    tasks: Vec<JoinHandle<()>>,
}

struct Player {
    router: SharedRouter,
    clock: Arc<dyn Clock>,
    state: RefCell<State>,
    /// Notified when an order or a subscription has come.
    changed: Notify,
    /// Whether the time begins with the first subscription.
    starts: Cell<bool>,
    /// The channels whose values the client may see.
    shown: Cell<ChannelSet>,
    /// Whether the client has been told of the end.
    is_told: Cell<bool>,
    /// Looks in vain at a client that does not read, or at a file, since the last event.
    looks: Cell<u32>,
}

struct State {
    source: ReplaySource,
    sequencer: Sequencer,
}

/// When the player goes on.
enum Next {
    /// After the other tasks of the thread.
    Turn,
    /// After this time, or with the next order.
    After(Duration),
    /// With the next order.
    Order,
    /// Never: the session has been told to end.
    Over,
}

impl Playback {
    /// Begins to play what was opened, for the one session that joins the router which is returned. Its time begins with the first
    /// subscription, unless it is `paused`. `market` is the router of the market on this thread; the entitlement of the client has `delay_ms`.
    pub fn begin(
        opened: OpenedReplay,
        market: &SharedRouter,
        delay_ms: u64,
        paused: bool,
        clock: Arc<dyn Clock>,
    ) -> (SharedRouter, Self) {
        let OpenedReplay { source, table, opening } = opened;
        let config = HubConfig {
            table: table.clone(),
            epoch: format!("{:016x}", rand::random::<u64>()).into(),
            head: Arc::default(),
            delay_ms,
            market: Arc::new(MarketClock::new(clock.read(), opening.start, 0.0)),
            is_private: true,
            is_lossless: true,
            ..market.borrow().config().clone()
        };
        let sequencer = opening.sequencer(table);
        let router = Router::new(&config, LastValues::new(opening.snapshots), Ring::new(RING_EVENTS));
        let router = Rc::new(RefCell::new(router));
        market.borrow_mut().add_guest(&router);
        let player = Rc::new(Player {
            router: router.clone(),
            clock,
            state: RefCell::new(State { source, sequencer }),
            changed: Notify::new(),
            starts: Cell::new(!paused),
            shown: Cell::new(ChannelSet::EMPTY),
            is_told: Cell::default(),
            looks: Cell::default(),
        });
        let tasks = vec![
            actix::spawn(relieve(router.clone())),
            actix::spawn(keep_time(router.clone())),
            actix::spawn(tokio::task::unconstrained(write(router.clone()))),
            actix::spawn(play(player.clone())),
        ];
        (router, Self { player, tasks })
    }

    /// Sets the channels whose values the client may see, in the snapshots after a seek.
    pub fn show(&self, channels: ChannelSet) {
        self.player.shown.set(channels);
    }

    /// Lets the time begin: the client has subscribed to something.
    pub fn subscribed(&self) {
        if self.player.starts.get() {
            // The order is always obeyed.
            let _ = self.obey(FeedOrder::Resume);
        }
    }

    /// Obeys an order.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be obeyed.
    pub fn obey(&self, order: FeedOrder) -> Result<(), FeedError> {
        let player = &self.player;
        let mut state = player.state.borrow_mut();
        // The order counts from now on, not from the last step.
        let reading = player.clock.read();
        state.source.tick(reading);
        state.source.obey(order)?;
        player.router.borrow().config().market.set(reading, state.source.now(), state.source.speed());
        if matches!(order, FeedOrder::Pause | FeedOrder::Resume) {
            player.starts.set(false);
        }
        player.looks.set(0);
        player.changed.notify_one();
        Ok(())
    }

    /// Returns the state, as the answer to the request with this id.
    pub fn status(&self, id: Option<RequestId>) -> ServerMessage {
        let status = self.player.state.borrow().source.status();
        self.player.message(id, &status, false)
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Plays until the session has been told to end.
async fn play(player: Rc<Player>) {
    loop {
        match player.step(Instant::now()) {
            Next::Turn => tokio::task::yield_now().await,
            Next::After(wait) => drop(timeout(wait, player.changed.notified()).await),
            Next::Order => player.changed.notified().await,
            Next::Over => return,
        }
    }
}

impl Player {
    fn step(&self, now: Instant) -> Next {
        if self.router.borrow_mut().route_turn(now) {
            return Next::Turn;
        }
        let reading = self.clock.read();
        let State { source, sequencer } = &mut *self.state.borrow_mut();
        if self.is_behind() {
            source.hold(reading);
            return self.look_again();
        }
        source.tick(reading);
        if let Some(opening) = source.take_opening() {
            self.move_to(&Restart::within(sequencer, opening), &source.status(), now);
            return Next::Turn;
        }
        if let Some(gap) = source.take_gap() {
            self.router.borrow().tell_all(&self.message(None, &gap, false), now);
        }
        let due = self.take_due(source, sequencer);
        self.router.borrow().config().market.set(reading, source.now(), source.speed());
        if !due.is_empty() {
            self.looks.set(0);
            self.is_told.set(false);
            let mut router = self.router.borrow_mut();
            router.accept(due.into());
            router.route_turn(now);
            return Next::Turn;
        }
        if source.is_over() { self.end(&source.status(), now) } else { self.wait(source) }
    }

    /// Returns whether the client has still to read events before others follow.
    fn is_behind(&self) -> bool {
        let router = self.router.borrow();
        router.offset() < router.newest() || router.is_jammed()
    }

    /// Returns the next events, as many as are routed in one turn and what closes before them.
    fn take_due(&self, source: &mut ReplaySource, sequencer: &mut Sequencer) -> Vec<Publication> {
        let turn = self.router.borrow().config().push.turn_events_max();
        let mut due = Vec::new();
        while due.len() < turn
            && let Some((id, body)) = source.take()
        {
            sequencer.push(id, body, &mut due);
        }
        // Nothing happens while the replay is paused, and no bar closes.
        if due.len() < turn && !source.is_idle() {
            sequencer.close_bars(source.now(), &mut due);
        }
        due
    }

    /// Goes on from another time of the file. The session is told, and gets snapshots.
    fn move_to(&self, restart: &Restart, status: &FeedStatus, now: Instant) {
        self.is_told.set(false);
        self.router.borrow_mut().go_on_from(restart);
        let router = self.router.borrow();
        router.tell_all(&self.message(None, status, true), now);
        router.show_all(self.shown.get(), now);
    }

    /// Tells the client of the end, and ends the session when that has been written.
    fn end(&self, status: &FeedStatus, now: Instant) -> Next {
        let is_failed = status.state == "failed";
        if !self.is_told.replace(true) {
            self.looks.set(0);
            self.router.borrow().tell_all(&self.message(None, status, false), now);
        }
        if !self.router.borrow().is_drained() {
            return self.look_again();
        }
        let reason = if is_failed { CloseReason::ReplayFailed } else { CloseReason::ReplayEnded };
        self.router.borrow_mut().end_all(&End { reason, retry_after_ms: None }, now);
        Next::Over
    }

    /// Waits until something may be due.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a wait")]
    fn wait(&self, source: &mut ReplaySource) -> Next {
        if source.is_idle() {
            return Next::Order;
        }
        let (now, speed) = (source.now(), source.speed());
        match source.next_ts().filter(|_| speed > 0.0) {
            Some(next) => {
                let wait = (next.micros() - now.micros()).max(0) as f64 / speed;
                Next::After(Duration::from_micros(wait as u64).clamp(LOOK.0, IDLE_MAX))
            }
            None => self.look_again(),
        }
    }

    /// Waits longer with each look in vain.
    fn look_again(&self) -> Next {
        let looks = self.looks.get();
        self.looks.set(looks.saturating_add(1));
        Next::After(LOOK.0.saturating_mul(1 << looks.min(8)).min(LOOK.1))
    }

    fn message(&self, id: Option<RequestId>, status: &FeedStatus, is_sought: bool) -> ServerMessage {
        self.router.borrow().status_message(id, status, is_sought)
    }
}
