//! Whether the client of an open session is still there, over WebSocket and server-sent events alike: when to send a heartbeat or
//! a ping, when to end a session whose client is silent or whose socket takes nothing, and when to reset the socket after that.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use tokio::time::sleep;

use crate::hub::{Control, SharedOutbox};
use crate::protocol::CloseReason;
use crate::session::SessionConfig;
use crate::transport::connection::state::{ConnectionState, Dismissal};
use crate::transport::second_look::{SECOND_LOOK_DELAY, SecondLook, Verdict};
use crate::transport::traffic::{self, Meter};

/// The shortest time between two checks of one session.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(1);
/// The longest silence towards a client that has shut down its sending side: it may be gone, and only a write to it tells.
const HALF_CLOSED_SILENCE_MAX: Duration = Duration::from_secs(1);

/// The timers of one session.
pub(super) struct Liveness {
    outbox: SharedOutbox,
    config: Rc<SessionConfig>,
    meter: Rc<Meter>,
    connection: Option<Rc<ConnectionState>>,
    /// `None` for a client that cannot send after its request.
    signs: Option<Signs>,
    second_look: SecondLook,
}

/// Signs of life of a client.
struct Signs {
    /// When the last frame arrived; in the future while the session does not read frames.
    last: Instant,
    pinged: Instant,
    /// When the oldest ping without an answer was sent.
    unanswered: Option<Instant>,
    /// When the unfinished message in fragments began.
    message_since: Option<Instant>,
}

impl Liveness {
    /// Returns the timers of a session over the connection of this request.
    pub(super) fn new(request: &HttpRequest, outbox: SharedOutbox, config: Rc<SessionConfig>) -> Self {
        let (meter, connection) = (traffic::meter(request), ConnectionState::of(request));
        Self { outbox, config, meter, connection, signs: None, second_look: SecondLook::default() }
    }

    /// Pings the client, and expects an answer or another frame within the idle timeout.
    #[must_use]
    pub(super) fn with_pings(self, now: Instant) -> Self {
        Self { signs: Some(Signs { last: now, pinged: now, unanswered: None, message_since: None }), ..self }
    }

    /// Records a frame of the client; or, at a time in the future, that the session reads none until then.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(signs) = &mut self.signs {
            signs.last = now;
        }
    }

    /// Records an answer to a ping. Returns the time since the oldest ping without one, if there is one.
    pub(super) fn answered(&mut self, now: Instant) -> Option<Duration> {
        let pinged = self.signs.as_mut()?.unanswered.take()?;
        Some(now.saturating_duration_since(pinged))
    }

    /// Records whether the client has begun a message in fragments and not finished it. Further fragments are no sign of life.
    pub(super) fn set_unfinished(&mut self, is_unfinished: bool, now: Instant) {
        if let Some(signs) = &mut self.signs {
            signs.message_since = is_unfinished.then(|| signs.message_since.unwrap_or(now));
        }
    }

    /// Sends what is due, `heartbeat` included, and returns in what time to check again. `deadline` is the time at which the
    /// session must end, and why, if there is one.
    ///
    /// # Errors
    ///
    /// Returns why the session must end: [`CloseReason::Stalled`] when no close frame would reach the client.
    pub(super) fn check(
        &mut self,
        now: Instant,
        deadline: Option<(Instant, CloseReason)>,
        heartbeat: impl FnOnce() -> Result<(), CloseReason>,
    ) -> Result<Duration, CloseReason> {
        let overdue = self.outbox.borrow().overdue(now);
        let is_stalled = self.meter.pace().stalled_for(overdue, now) >= self.config.stall_timeout();
        let idle_timeout = self.config.idle_timeout();
        let is_idle = self.signs.as_ref().is_some_and(|signs| {
            let oldest = signs.message_since.map_or(signs.last, |since| since.min(signs.last));
            now.saturating_duration_since(oldest) >= idle_timeout
        });
        let overrun = deadline.filter(|(at, _)| *at <= now).map(|(_, reason)| reason);
        if is_stalled || is_idle || overrun.is_some() {
            return match self.second_look.judge(now) {
                Verdict::LookAgain(after) => Ok(after),
                Verdict::Gone if is_stalled => Err(CloseReason::Stalled),
                Verdict::Gone => Err(overrun.unwrap_or(CloseReason::Idle)),
            };
        }
        self.second_look.clear();
        let mut spoke = self.outbox.borrow().last_drain();
        // A jammed socket would take neither.
        if overdue.is_zero() {
            if spoke + self.silence_max() <= now {
                heartbeat()?;
                spoke = now;
            }
            let heartbeat = self.config.heartbeat();
            if let Some(signs) = &mut self.signs
                && signs.last.max(signs.pinged) + heartbeat <= now
            {
                signs.pinged = now;
                signs.unanswered.get_or_insert(now);
                self.outbox.borrow_mut().push_control(Control::Ping, now)?;
            }
        }
        Ok(self.next_check(now, spoke, deadline.map(|(at, _)| at)))
    }

    fn silence_max(&self) -> Duration {
        let is_half_closed = self.connection.as_ref().is_some_and(|connection| connection.is_half_closed());
        let heartbeat = self.config.heartbeat();
        if is_half_closed { heartbeat.min(HALF_CLOSED_SILENCE_MAX) } else { heartbeat }
    }

    /// Returns for how long nothing can become due, if the last message was sent at `spoke`.
    fn next_check(&self, now: Instant, spoke: Instant, deadline: Option<Instant>) -> Duration {
        let heartbeat = spoke + self.silence_max();
        let signs = self.signs.as_ref().map(|signs| {
            [signs.last.max(signs.pinged) + self.config.heartbeat(), signs.last + self.config.idle_timeout()]
        });
        let stall = now + self.config.stall_timeout() / 4;
        // A heartbeat that is overdue because the socket is jammed waits for the check of the stall.
        let due = signs.into_iter().flatten().chain([heartbeat]).chain(deadline).filter(|due| *due > now).min();
        due.unwrap_or(stall).min(stall).saturating_duration_since(now).max(CHECK_INTERVAL_MIN)
    }

    /// Resets the connection of a session that is being closed for this reason if its socket is jammed and makes no progress
    /// within the close timeout; otherwise the kernel would keep the unsent bytes until the stall timeout. After a close because
    /// the client is slow or the server shuts down, the connection is not reset: the close frame is to reach the client.
    pub(super) fn reset_if_jammed(&self, reason: CloseReason) {
        let is_slow = matches!(
            reason,
            CloseReason::Lagging
                | CloseReason::HubOverrun
                | CloseReason::MarketMoved
                | CloseReason::ReplayEnded
                | CloseReason::ReplayFailed
                | CloseReason::Shutdown
        );
        let Some(connection) = self.connection.clone().filter(|_| !is_slow) else { return };
        let (meter, close_timeout) = (self.meter.clone(), self.config.close_timeout());
        actix_web::rt::spawn(async move {
            loop {
                let since = Instant::now();
                sleep(close_timeout).await;
                if !connection.is_jammed() {
                    return;
                }
                // If the thread was held up, it may not have seen yet what the client has taken meanwhile.
                if since.elapsed() < close_timeout + SECOND_LOOK_DELAY && !meter.pace().has_progressed(since) {
                    log::debug!("jammed socket reset reason={}", reason.name());
                    meter.pace().give_up();
                    return connection.dismiss(Dismissal::Jammed);
                }
            }
        });
    }
}
