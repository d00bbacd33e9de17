//! `Faulty`: the faults of one session, and the frames that they hold back. A session without faults has none.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::time::{Sleep, sleep_until};

use crate::domain::Topic;
use crate::faults::{Break, Chosen, Faults, Installed};
use crate::protocol::Publication;
use crate::protocol::websocket::{CLOSE, FIN, FrameHeader, HEADER_BYTES_MAX};

/// Time between two pieces of the bytes of a slow session.
const PIECE_INTERVAL: Duration = Duration::from_millis(50);
/// Most events of a session that are late at the same time.
const LATE_MAX: usize = 64;

/// How the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Step {
    /// With its session.
    Continue,
    /// It is reset.
    Reset,
    /// It ends, because the client has not answered the close frame of a fault.
    End,
}

/// Whether a session may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) struct Stall {
    /// The time before which it must not; `None` if it may.
    pub(in crate::transport) until: Option<Instant>,
}

/// Why nothing more is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    HalfOpen,
    /// A close frame was sent; the connection ends at this time.
    Closing(Instant),
}

/// The faults of one session.
pub(in crate::transport) struct Faulty {
    chosen: Chosen,
    faults: Arc<Faults>,
    close_timeout: Duration,
    /// Frames that are held back, in order, each with the time at which it may be sent.
    held: VecDeque<(Instant, BytesMut)>,
    held_bytes: usize,
    /// When a slow session may send its next piece.
    next_piece: Option<Instant>,
    /// Events that are sent after the next one of their topic, each with how many it replaces; one of a topic at most.
    late: Vec<(Publication, u32)>,
    silence: Option<Silence>,
    /// Whether the reader waits because of a fault.
    is_stalling: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Faulty {
    /// Returns the faults of a session that these rules have chosen.
    pub(super) fn new(chosen: Chosen, faults: Arc<Faults>, close_timeout: Duration) -> Self {
        Self {
            chosen,
            faults,
            close_timeout,
            held: VecDeque::new(),
            held_bytes: 0,
            next_piece: None,
            late: Vec::new(),
            silence: None,
            is_stalling: false,
            timer: None,
        }
    }

    pub(super) fn chosen(&mut self) -> &mut Chosen {
        &mut self.chosen
    }

    /// Returns whether an event of this topic may be late.
    pub(super) fn may_be_late(&self, topic: Topic) -> bool {
        self.late.len() < LATE_MAX && self.late.iter().all(|(late, _)| late.event.topic() != topic)
    }

    /// Keeps an event until the next one of its topic has been sent.
    pub(super) fn keep_late(&mut self, publication: Publication, skipped: u32) {
        self.late.push((publication, skipped));
    }

    /// Returns the event that was to be sent after the next one of this topic.
    pub(super) fn take_late(&mut self, topic: Topic) -> Option<(Publication, u32)> {
        let place = self.late.iter().position(|(late, _)| late.event.topic() == topic)?;
        Some(self.late.swap_remove(place))
    }

    /// Forgets rules that are not among these any more: what they held back is due at once. A connection that is half open stays so.
    pub(in crate::transport) fn retain(&mut self, rules: &[Arc<Installed>], now: Instant) {
        self.chosen.retain(rules);
        if !self.chosen.holds_back() {
            self.held.iter_mut().for_each(|(due, _)| *due = now.min(*due));
        }
    }

    /// Returns whether the session needs no faults any more.
    pub(in crate::transport) fn is_over(&self) -> bool {
        let is_idle = self.silence.is_none() && self.held.is_empty() && self.late.is_empty();
        is_idle && self.chosen.is_empty() && !self.is_stalling
    }

    /// Returns whether nothing is sent any more.
    pub(super) fn is_silent(&self) -> bool {
        self.silence.is_some()
    }

    /// Returns whether bytes of the client are thrown away.
    pub(in crate::transport) fn is_deaf(&self) -> bool {
        self.silence == Some(Silence::HalfOpen)
    }

    /// Returns whether the connection must break before the next message.
    pub(super) fn must_break(&self, now: Instant) -> bool {
        self.silence.is_none() && self.chosen.must_break(now)
    }

    /// Returns whether the client is not to be judged by what it sends and reads, because a fault delays that.
    pub(in crate::transport) fn spares(&self) -> bool {
        match self.silence {
            Some(Silence::HalfOpen) => true,
            Some(Silence::Closing(_)) => false,
            None => self.chosen.disturbs() || !self.held.is_empty(),
        }
    }

    /// Begins the faults that are due.
    pub(in crate::transport) fn step(&mut self, now: Instant) -> Step {
        match self.silence {
            Some(Silence::HalfOpen) => return Step::Continue,
            Some(Silence::Closing(until)) => return if until <= now { Step::End } else { Step::Continue },
            None => {}
        }
        self.chosen.begin_due(now);
        match self.chosen.take_break(now) {
            None => Step::Continue,
            Some(Break::Drop) => Step::Reset,
            Some(Break::HalfOpen) => {
                self.silence = Some(Silence::HalfOpen);
                self.release(self.held_bytes);
                self.held = VecDeque::new();
                Step::Continue
            }
            Some(Break::Close { code, reason }) => {
                let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                let header = FrameHeader::new(FIN | CLOSE, payload.len() as u64, None);
                let mut frame = BytesMut::from(header.encode(&mut [0; HEADER_BYTES_MAX]));
                frame.extend_from_slice(&payload);
                let due = self.held.back().map_or(now, |(due, _)| *due);
                self.silence = Some(Silence::Closing(due + self.close_timeout));
                self.hold(due, frame);
                Step::Continue
            }
        }
    }

    /// Returns whether the session may read, if a fault changes that.
    pub(in crate::transport) fn take_stall(&mut self, now: Instant) -> Option<Stall> {
        let until = self.chosen.stalls_until(now);
        let was_stalling = std::mem::replace(&mut self.is_stalling, until.is_some());
        (was_stalling != self.is_stalling).then_some(Stall { until })
    }

    /// Returns whether another write may be held back.
    pub(in crate::transport) fn has_room(&mut self, now: Instant) -> bool {
        self.held.is_empty() || (self.chosen.bytes_per_second(now).is_none() && !self.faults.is_full())
    }

    /// Returns the most bytes of one write: little for a slow session, so that it does not seem stalled.
    pub(in crate::transport) fn write_bytes_max(&mut self, bytes_max: usize, now: Instant) -> usize {
        self.chosen.bytes_per_second(now).map_or(bytes_max, |rate| piece_bytes(rate).min(bytes_max))
    }

    /// Returns whether no data is sent now.
    pub(in crate::transport) fn is_quiet(&mut self, now: Instant) -> bool {
        self.silence.is_some() || self.chosen.is_mute(now)
    }

    /// Returns whether frames are held back.
    pub(in crate::transport) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes the bytes of a write. Leaves them in the buffer if they may be sent at once.
    pub(in crate::transport) fn take_write(&mut self, buffer: &mut BytesMut, now: Instant) {
        if buffer.is_empty() {
            return;
        }
        let due = self.chosen.due(now);
        if due.is_some() || self.chosen.bytes_per_second(now).is_some() || !self.held.is_empty() {
            let last = self.held.back().map_or(now, |(due, _)| *due);
            self.hold(due.unwrap_or(now).max(last), BytesMut::from(&buffer[..]));
            buffer.clear();
        }
    }

    /// Moves the bytes that may be sent now to the empty buffer. Returns whether there are any.
    pub(in crate::transport) fn give_due(&mut self, buffer: &mut BytesMut, bytes_max: usize, now: Instant) -> bool {
        buffer.clear();
        let rate = self.chosen.bytes_per_second(now);
        let piece_max = match rate {
            Some(_) if self.next_piece.is_some_and(|next| next > now) => return false,
            Some(rate) => piece_bytes(rate).min(bytes_max),
            None => bytes_max,
        };
        while buffer.len() < piece_max
            && let Some((_, bytes)) = self.held.front_mut().filter(|(due, _)| *due <= now)
        {
            let taken = bytes.len().min(piece_max - buffer.len());
            buffer.extend_from_slice(&bytes[..taken]);
            bytes.advance(taken);
            if bytes.is_empty() {
                self.held.pop_front();
            }
        }
        self.release(buffer.len());
        if let Some(rate) = rate.filter(|_| !buffer.is_empty()) {
            let nanos = 1_000_000_000 * buffer.len() as u64 / u64::from(rate);
            // A wakeup that is a little late does not make the session slower.
            let since = self.next_piece.filter(|next| *next + PIECE_INTERVAL > now).unwrap_or(now);
            self.next_piece = Some(since + Duration::from_nanos(nanos));
        }
        !buffer.is_empty()
    }

    /// Wakes the task when a fault begins or ends, or held frames may be sent.
    pub(in crate::transport) fn arm(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.must_break(now) {
            return cx.waker().wake_by_ref();
        }
        let sent = self.held.front().map(|(due, _)| {
            let piece = self.next_piece.filter(|_| self.chosen.bytes_per_second(now).is_some());
            piece.map_or(*due, |piece| piece.max(*due))
        });
        let closed = match self.silence {
            Some(Silence::Closing(until)) => Some(until),
            _ => None,
        };
        let changed = if self.silence.is_none() { self.chosen.next_change(now) } else { None };
        let Some(next) = [sent, closed, changed].into_iter().flatten().min() else {
            self.timer = None;
            return;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next.into())));
        if timer.deadline() != next.into() {
            timer.as_mut().reset(next.into());
        }
        if timer.as_mut().poll(cx).is_ready() {
            self.timer = None;
            cx.waker().wake_by_ref();
        }
    }

    fn hold(&mut self, due: Instant, bytes: BytesMut) {
        self.faults.hold(bytes.len());
        self.held_bytes += bytes.len();
        self.held.push_back((due, bytes));
    }

    fn release(&mut self, bytes: usize) {
        self.faults.release(bytes);
        self.held_bytes -= bytes;
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.faults.release(self.held_bytes);
    }
}

/// Returns the bytes of one piece at this rate.
fn piece_bytes(bytes_per_second: u32) -> usize {
    let pieces = u32::try_from(Duration::from_secs(1).as_millis() / PIECE_INTERVAL.as_millis()).unwrap_or(1);
    usize::try_from(bytes_per_second / pieces).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{FaultLimits, Subject};

    #[test]
    fn frames_are_sent_at_once_when_the_last_rule_that_holds_them_back_is_removed() {
        let now = Instant::now();
        let rules = ["delay", "burst"].map(|kind| format!(r#"{{"kind":"{kind}","ms":60000}}"#));
        let rules = rules.map(|rule| serde_json::from_str(&rule).unwrap());
        let faults =
            Arc::new(Faults::new(&rules, FaultLimits::default(), crate::metrics::SharedMetrics::default(), now));
        let subject = Subject { dialect: "native", transport: "websocket", session: Some(1), client: None, key: None };
        let mut chosen = Chosen::new(&subject);
        chosen.add(&faults.rules(), &subject, now);
        let mut session = Faulty::new(chosen, faults.clone(), Duration::from_secs(1));
        let mut buffer = BytesMut::from("a frame");
        session.take_write(&mut buffer, now);
        for (left, is_due) in [(2, false), (1, false), (0, true)] {
            session.retain(&faults.rules()[..left], now);
            assert_eq!(session.give_due(&mut buffer, 1_000, now), is_due, "{left} rules are left");
        }
        assert_eq!(&buffer[..], b"a frame");
    }
}
