//! `Chosen`: the rules that have chosen one session, and what they do to it at a given time. A session that no rule has chosen
//! has none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::domain::Event;
use crate::faults::edit::{with_bad_price, with_skew};
use crate::faults::rule::{Kind, Manner};
use crate::faults::{Installed, Subject};

/// A fault without an end lasts for so long.
const FOREVER: Duration = Duration::from_hours(24 * 30);

/// The end of a connection that a fault demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// A reset.
    Drop,
    /// A close frame.
    Close {
        /// The close code.
        code: u16,
        /// The text after it.
        reason: String,
    },
    /// Silence; the socket stays open.
    HalfOpen,
}

/// How an event is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Treatment {
    /// The event with other values.
    pub edited: Option<Event>,
    /// The way it goes.
    pub way: Way,
}

/// The way of an event to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Sent as usual.
    #[default]
    Usual,
    /// Left out.
    LeftOut,
    /// Sent twice.
    Twice,
    /// Sent after the next event of its topic.
    Late,
    /// Replaced by a broken message.
    Broken,
}

/// A rule that has chosen the session.
#[derive(Debug)]
struct Active {
    installed: Arc<Installed>,
    rng: ChaCha8Rng,
    /// When rule and session met.
    since: Instant,
    /// Messages since then.
    messages: u64,
    /// When both the time and the messages before the fault had passed.
    began: Option<Instant>,
    /// The last window that was open, and whether the fault struck in it.
    window: Option<(u64, bool)>,
    /// Whether a strike has been logged.
    is_logged: bool,
    /// The latest time to which a frame was held back: frames keep their order.
    due: Option<Instant>,
}

impl Active {
    fn kind(&self) -> &Kind {
        &self.installed.rule.kind
    }

    /// Returns whether the fault is one that ends the connection, and is due.
    fn must_break(&self, now: Instant) -> bool {
        let schedule = &self.installed.rule.schedule;
        let is_due = self.messages >= schedule.after_messages && self.since + schedule.after <= now;
        self.kind().manner() == Manner::Once && self.window.is_none() && is_due
    }

    /// Returns for how long the fault has been due; `None` if it is not.
    fn elapsed(&mut self, now: Instant) -> Option<Duration> {
        if self.began.is_none() && self.messages >= self.installed.rule.schedule.after_messages {
            let due = self.since + self.installed.rule.schedule.after;
            if due <= now {
                // Not `now`: a wakeup that is late does not move later windows.
                self.began = Some(if self.installed.rule.schedule.after_messages == 0 { due } else { now });
            }
        }
        self.began.map(|began| now.saturating_duration_since(began))
    }

    /// Returns the window that is open, and the time until its end, if it has one.
    fn window(&mut self, now: Instant) -> Option<(u64, Option<Duration>)> {
        let elapsed = self.elapsed(now)?;
        self.installed.rule.schedule.window(elapsed)
    }

    /// Returns until when a lasting fault is in force, if it is. Its beginning is a strike.
    fn lasts_until(&mut self, label: &str, now: Instant) -> Option<Instant> {
        let (index, left) = self.window(now)?;
        let strikes = match self.window {
            Some((last, strikes)) if last == index => strikes,
            _ => self.strike(label),
        };
        self.window = Some((index, strikes));
        strikes.then(|| now + left.unwrap_or(FOREVER))
    }

    /// Returns whether the fault strikes the next event.
    fn strikes_event(&mut self, now: Instant) -> bool {
        let (chance, is_open) = (self.installed.rule.chance, self.window(now).is_some());
        is_open && self.rng.random_bool(chance)
    }

    fn strike(&mut self, label: &str) -> bool {
        let strikes = self.installed.strike();
        // One line for each session and lasting fault; thousands of events may be struck.
        let is_event = self.kind().manner() == Manner::Events;
        if strikes && !(is_event && std::mem::replace(&mut self.is_logged, true)) {
            self.installed.log(label);
        }
        strikes
    }

    /// Returns when the state of this fault changes next because time passes; `None` if it does not.
    fn next_change(&mut self, now: Instant) -> Option<Instant> {
        if let Some(elapsed) = self.elapsed(now) {
            return self.installed.rule.schedule.next_change(elapsed).map(|left| now + left);
        }
        let due = self.since + self.installed.rule.schedule.after;
        (due > now && self.messages >= self.installed.rule.schedule.after_messages).then_some(due)
    }
}

/// The rules that have chosen one session.
#[derive(Debug)]
pub struct Chosen {
    /// The names of the session, for the log.
    label: String,
    rules: Vec<Active>,
}

impl Chosen {
    /// Returns no rules, for this session.
    pub fn new(subject: &Subject<'_>) -> Self {
        Self { label: subject.to_string(), rules: Vec::new() }
    }

    /// Takes notice of the names of the session, of which the client may have given one meanwhile.
    pub fn rename(&mut self, subject: &Subject<'_>) {
        self.label = subject.to_string();
    }

    /// Adds those of these rules that choose the session. Rules for the entrance are not among them, nor those of kinds that its
    /// transport does not have.
    pub fn add<'a>(
        &mut self,
        rules: impl IntoIterator<Item = &'a Arc<Installed>>,
        subject: &Subject<'_>,
        now: Instant,
    ) {
        for installed in rules {
            let kind = &installed.rule.kind;
            if kind.manner() != Manner::Entrance
                && kind.transports().contains(&subject.transport)
                && let Some(rng) = installed.chooses(subject)
            {
                self.rules.push(Active {
                    installed: installed.clone(),
                    rng,
                    since: now,
                    messages: 0,
                    began: None,
                    window: None,
                    is_logged: false,
                    due: None,
                });
            }
        }
    }

    /// Removes the rules that are not among these any more.
    pub fn retain(&mut self, rules: &[Arc<Installed>]) {
        self.rules.retain(|active| rules.iter().any(|rule| rule.id == active.installed.id));
    }

    /// Returns whether no rule is left.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns whether a rule delays or ends the session's traffic, so that the server must not judge the client by it.
    pub fn disturbs(&self) -> bool {
        let disturbs = |kind: &Kind| {
            matches!(
                kind,
                Kind::Stall | Kind::HalfOpen | Kind::Slow { .. } | Kind::Delay(_) | Kind::Jitter(_) | Kind::Burst(_)
            )
        };
        self.rules.iter().any(|active| disturbs(active.kind()))
    }

    /// Returns whether a rule holds frames back until they are due.
    pub fn holds_back(&self) -> bool {
        let holds_back = |kind: &Kind| matches!(kind, Kind::Delay(_) | Kind::Jitter(_) | Kind::Burst(_));
        self.rules.iter().any(|active| holds_back(active.kind()))
    }

    /// Counts a message that is sent to the session, or would be but for a fault.
    pub fn count_message(&mut self) {
        self.rules.iter_mut().for_each(|active| active.messages += 1);
    }

    /// Returns whether the connection must break before another message is sent.
    pub fn must_break(&self, now: Instant) -> bool {
        self.rules.iter().any(|active| active.must_break(now))
    }

    /// Returns the end that a fault demands now, once.
    pub fn take_break(&mut self, now: Instant) -> Option<Break> {
        let Self { label, rules } = self;
        for active in rules {
            if !active.must_break(now) {
                continue;
            }
            let strikes = active.strike(label);
            active.window = Some((0, strikes));
            if strikes {
                return match active.kind() {
                    Kind::Drop => Some(Break::Drop),
                    Kind::Close { code, reason } => Some(Break::Close { code: *code, reason: reason.clone() }),
                    _ => Some(Break::HalfOpen),
                };
            }
        }
        None
    }

    /// Returns whether no data is to be sent now.
    pub fn is_mute(&mut self, now: Instant) -> bool {
        let Self { label, rules } = self;
        rules.iter_mut().any(|active| matches!(active.kind(), Kind::Mute) && active.lasts_until(label, now).is_some())
    }

    /// Returns until when nothing is to be read.
    pub fn stalls_until(&mut self, now: Instant) -> Option<Instant> {
        let Self { label, rules } = self;
        let mut stalls = rules.iter_mut().filter(|active| matches!(active.kind(), Kind::Stall));
        stalls.find_map(|active| active.lasts_until(label, now))
    }

    /// Returns how many bytes per second may be sent now.
    pub fn bytes_per_second(&mut self, now: Instant) -> Option<u32> {
        let Self { label, rules } = self;
        let rate = |active: &mut Active| match *active.kind() {
            Kind::Slow { bytes_per_second } => active.lasts_until(label, now).map(|_| bytes_per_second),
            _ => None,
        };
        rules.iter_mut().filter_map(rate).min()
    }

    /// Returns when a frame that is written now is to be sent; `None` at once.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        let Self { label, rules } = self;
        let mut due = None;
        for active in rules {
            let (Kind::Delay(hold) | Kind::Jitter(hold) | Kind::Burst(hold)) = *active.kind() else { continue };
            if active.lasts_until(label, now).is_none() {
                continue;
            }
            let wait = match active.kind() {
                // A frame goes with the frame before it that is still held. If it had a hold of its own, the longest hold of the last
                // frames would delay them all, and the delay would hardly change.
                Kind::Jitter(_) if active.due.is_some_and(|last| last > now) => Duration::ZERO,
                Kind::Jitter(_) => hold.mul_f64(active.rng.random::<f64>()),
                Kind::Burst(_) => {
                    let elapsed = active.elapsed(now).unwrap_or_default();
                    let into = elapsed.as_micros() % hold.as_micros().max(1);
                    hold.saturating_sub(Duration::from_micros(u64::try_from(into).unwrap_or_default()))
                }
                _ => hold,
            };
            let at = active.due.map_or(now + wait, |last| last.max(now + wait));
            active.due = Some(at);
            due = due.max(Some(at));
        }
        due
    }

    /// Returns how this event is to be sent: the first rule that strikes it decides its way. It is not late unless `may_be_late`.
    pub fn treat(&mut self, event: &Event, may_be_late: bool, now: Instant) -> Treatment {
        let Self { label, rules } = self;
        let mut treatment = Treatment::default();
        for active in rules {
            let is_refused = matches!(active.kind(), Kind::Reorder) && !may_be_late;
            let is_decided = match active.kind() {
                Kind::BadPrice(_) | Kind::TimeSkew(_) => treatment.way == Way::LeftOut,
                _ => treatment.way != Way::Usual,
            };
            let is_open = active.kind().manner() == Manner::Events && !is_refused && !is_decided;
            if !is_open || !active.strikes_event(now) {
                continue;
            }
            let present = treatment.edited.as_ref().unwrap_or(event);
            let edited = match *active.kind() {
                Kind::BadPrice(bad) => with_bad_price(present, bad),
                Kind::TimeSkew(micros) => with_skew(present, micros),
                _ => None,
            };
            let is_edit = matches!(active.kind(), Kind::BadPrice(_) | Kind::TimeSkew(_));
            if is_edit && edited.is_none() || !active.strike(label) {
                continue;
            }
            match active.kind() {
                Kind::Gap => treatment.way = Way::LeftOut,
                Kind::Duplicate => treatment.way = Way::Twice,
                Kind::Reorder => treatment.way = Way::Late,
                Kind::Garbage => treatment.way = Way::Broken,
                _ => treatment.edited = edited,
            }
        }
        treatment
    }

    /// Returns when a fault begins or ends because time passes; `None` if none does.
    pub fn next_change(&mut self, now: Instant) -> Option<Instant> {
        let due = |active: &mut Active| {
            let is_over = active.kind().manner() == Manner::Once && active.window.is_some();
            if is_over { None } else { active.next_change(now) }
        };
        self.rules.iter_mut().filter_map(due).min()
    }

    /// Begins the faults that are due although no message is sent, so that their strike is counted in time.
    pub fn begin_due(&mut self, now: Instant) {
        let Self { label, rules } = self;
        for active in rules {
            if active.kind().manner() == Manner::Lasting {
                let _ = active.lasts_until(label, now);
            }
        }
    }
}
