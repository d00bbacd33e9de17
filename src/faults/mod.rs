//! Faults on request: rules that make the server misbehave towards chosen sessions, so that a client can be tested against it.
//!
//! A rule comes from the configuration (`[[faults]]`) or over HTTP (`POST /faults`); docs/FAULTS.md describes all kinds. This
//! floor decides which session a rule strikes, when, and what becomes of an event. It has no sockets: `transport` asks it.

mod chosen;
mod config;
mod edit;
mod reach;
mod rule;
mod schedule;
mod text;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use crate::access::names_token;
use crate::metrics::SharedMetrics;

pub use chosen::{Break, Chosen, Treatment, Way};
pub use config::FaultLimits;
pub use rule::{BadPrice, Filter, Kind, Manner, Rule};
pub use schedule::Schedule;
pub use text::{RuleError, RuleText};

/// A session, or the request for one, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The dialect.
    pub dialect: &'a str,
    /// `websocket`, `stream`, `poll`, or `rest` for the addresses of a vendor.
    pub transport: &'a str,
    /// The random name of the session; `None` before it has one.
    pub session: Option<u64>,
    /// The client's own name.
    pub client: Option<&'a str>,
    /// The id of the client's key; `None` as long as it has not authenticated.
    pub key: Option<&'a str>,
}

impl Subject<'_> {
    fn matches(&self, filter: &Filter) -> bool {
        let is = |wanted: &Option<String>, has: Option<&str>| wanted.is_none() || wanted.as_deref() == has;
        is(&filter.dialect, Some(self.dialect))
            && is(&filter.transport, Some(self.transport))
            && is(&filter.client, self.client)
            && (is(&filter.key, self.key) || self.is_token(filter))
            && (filter.session.is_none() || filter.session == self.session)
    }

    /// Returns whether the client's key is the unlisted word that the rule names.
    fn is_token(&self, filter: &Filter) -> bool {
        matches!((&filter.key, self.key), (Some(word), Some(name)) if names_token(name, word))
    }
}

/// The names by which a log record can be found, as the client and the configuration give them.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(session) = self.session {
            write!(f, "session={session:016x} ")?;
        }
        write!(f, "dialect={} transport={}", self.dialect, self.transport)?;
        let names = [("client", self.client), ("key", self.key)];
        // A client may have put anything into its names.
        names
            .iter()
            .try_for_each(|(name, given)| given.map_or(Ok(()), |given| write!(f, " {name}={}", given.escape_debug())))
    }
}

/// A rule in force.
#[derive(Debug)]
pub struct Installed {
    /// Number of the rule: 1 for the first one of the process.
    pub id: u64,
    /// The rule.
    pub rule: Rule,
    since: Instant,
    /// Sessions or requests that the filter has matched.
    matched: AtomicU64,
    struck: AtomicU64,
    metrics: SharedMetrics,
}

impl Installed {
    /// Returns whether the rule chooses this session, and the random numbers for it: those of its place among all that match.
    fn chooses(&self, subject: &Subject<'_>) -> Option<ChaCha8Rng> {
        if !subject.matches(&self.rule.filter) {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.rule.seed);
        rng.set_stream(self.matched.fetch_add(1, Relaxed));
        rng.random_bool(self.rule.share).then_some(rng)
    }

    /// Counts a strike, unless there have been as many as the rule permits. Returns whether the fault strikes.
    fn strike(&self) -> bool {
        let times = self.rule.times.unwrap_or(u64::MAX);
        let struck = self.struck.fetch_update(Relaxed, Relaxed, |struck| (struck < times).then_some(struck + 1));
        if struck.is_ok() {
            self.metrics.count_fault(self.rule.kind.name());
        }
        struck.is_ok()
    }

    /// Logs a strike against a session or a request.
    fn log(&self, subject: impl fmt::Display) {
        log::info!("fault struck kind={} rule={} {subject}", self.rule.kind.name(), self.id);
    }

    /// Returns how often it has struck.
    pub fn struck(&self) -> u64 {
        self.struck.load(Relaxed)
    }

    /// Returns how many sessions or requests its filter has matched.
    pub fn matched(&self) -> u64 {
        self.matched.load(Relaxed)
    }

    /// Returns whether a fault at the entrance strikes this request.
    fn bars(&self, subject: &Subject<'_>, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since);
        let schedule = &self.rule.schedule;
        let is_on = elapsed.checked_sub(schedule.after).is_some_and(|elapsed| schedule.window(elapsed).is_some());
        let strikes = is_on && self.chooses(subject).is_some() && self.strike();
        if strikes {
            self.log(subject);
        }
        strikes
    }
}

/// The rules of the process, shared by all worker threads.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<Vec<Arc<Installed>>>,
    last_id: AtomicU64,
    /// Grows with each change of the rules.
    version: watch::Sender<u64>,
    limits: FaultLimits,
    /// Bytes that faults hold back, over all sessions.
    held: AtomicUsize,
    metrics: SharedMetrics,
}

impl Faults {
    /// Returns the rules of the configuration, in force.
    pub fn new(rules: &[Rule], limits: FaultLimits, metrics: SharedMetrics, now: Instant) -> Self {
        let faults = Self {
            rules: Mutex::default(),
            last_id: AtomicU64::default(),
            version: watch::Sender::new(0),
            limits,
            held: AtomicUsize::default(),
            metrics,
        };
        for rule in rules {
            faults.add(rule.clone(), now);
        }
        faults
    }

    /// Adds a rule; returns its id, or `None` if there are `fault_limits.rules_max` already.
    pub fn add(&self, rule: Rule, now: Instant) -> Option<u64> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if rules.len() >= self.limits.rules_max {
            self.metrics.fault_rules_refused.inc();
            return None;
        }
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        log::info!("fault rule added rule={id} kind={}", rule.kind.name());
        let (matched, struck, metrics) = (AtomicU64::default(), AtomicU64::default(), self.metrics.clone());
        rules.push(Arc::new(Installed { id, rule, since: now, matched, struck, metrics }));
        drop(rules);
        self.version.send_modify(|version| *version += 1);
        Some(id)
    }

    /// Removes a rule, or all. Returns how many were removed.
    pub fn remove(&self, id: Option<u64>) -> usize {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let before = rules.len();
        rules.retain(|rule| id.is_some_and(|id| rule.id != id));
        let removed = before - rules.len();
        drop(rules);
        if removed > 0 {
            log::info!("fault rules removed rules={removed}");
            self.version.send_modify(|version| *version += 1);
        }
        removed
    }

    /// Returns the rules in force, in the order of their ids.
    pub fn rules(&self) -> Vec<Arc<Installed>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the version of the rules, which can be awaited.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Returns the rule that strikes this request or authentication, if one of this kind does.
    fn entrance(&self, subject: &Subject<'_>, now: Instant, is_kind: impl Fn(&Kind) -> bool) -> Option<Arc<Installed>> {
        self.rules().into_iter().find(|rule| is_kind(&rule.rule.kind) && rule.bars(subject, now))
    }

    /// Returns the HTTP status and `Retry-After` with which a request for a session is to be refused.
    pub fn refusal(&self, subject: &Subject<'_>, now: Instant) -> Option<(u16, Option<u32>)> {
        let rule = self.entrance(subject, now, |kind| matches!(kind, Kind::Refuse { .. }))?;
        let Kind::Refuse { status, retry_after_s } = rule.rule.kind else { return None };
        Some((status, retry_after_s))
    }

    /// Returns the error, by its number in Alpaca's protocol, with which a correct authentication is to be answered.
    pub fn auth_error(&self, subject: &Subject<'_>, now: Instant) -> Option<u16> {
        let rule = self.entrance(subject, now, |kind| matches!(kind, Kind::AuthError { .. }))?;
        let Kind::AuthError { code } = rule.rule.kind else { return None };
        Some(code)
    }

    /// Counts bytes that are held back. A session that holds none may always hold the bytes of one write.
    pub fn hold(&self, bytes: usize) {
        self.metrics.fault_held_bytes.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.held.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes that are held back no more.
    pub fn release(&self, bytes: usize) {
        self.metrics.fault_held_bytes.dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.held.fetch_sub(bytes, Relaxed);
    }

    /// Returns whether the faults of all sessions hold back as many bytes as they may (`fault_limits.held_bytes_max`).
    pub fn is_full(&self) -> bool {
        self.held.load(Relaxed) >= self.limits.held_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SUBJECT: Subject<'_> =
        Subject { dialect: "native", transport: "websocket", session: Some(255), client: Some("bot"), key: None };

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    fn faults(json: &str, now: Instant) -> Faults {
        Faults::new(&[rule(json)], FaultLimits::default(), SharedMetrics::default(), now)
    }

    #[test]
    fn a_filter_matches_what_has_every_value_in_it() {
        for (filter, matches) in [
            (r#""dialect":"native""#, true),
            (r#""dialect":"alpaca""#, false),
            (r#""session":"00000000000000ff","client":"bot""#, true),
            (r#""session":"00000000000000fe""#, false),
            (r#""client":"cat","dialect":"native""#, false),
            (r#""key":"a""#, false),
            (r#""transport":"stream""#, false),
        ] {
            let rule = rule(&format!(r#"{{"kind":"mute",{filter}}}"#));
            assert_eq!(SUBJECT.matches(&rule.filter), matches, "{filter}");
        }
        let word = crate::access::name_of_token("a");
        let subject = Subject { key: Some(&word), ..SUBJECT };
        assert!(
            subject.matches(&rule(r#"{"kind":"mute","key":"a"}"#).filter),
            "a rule may name an unlisted word itself"
        );
        assert!(!subject.matches(&rule(r#"{"kind":"mute","key":"b"}"#).filter));
    }

    #[test]
    fn a_name_is_shown_in_one_line() {
        let subject = Subject { client: Some("a\tb"), key: Some("o\nth"), ..SUBJECT };
        assert!(subject.to_string().ends_with(" client=a\\tb key=o\\nth"), "{subject}");
    }

    #[test]
    fn the_same_seed_chooses_the_same_share_of_requests() {
        let now = Instant::now();
        let refused = |seed: u64| {
            let faults = faults(&format!(r#"{{"kind":"refuse","share":0.3,"seed":{seed}}}"#), now);
            (0..1_000).map(|_| faults.refusal(&SUBJECT, now).is_some()).collect::<Vec<_>>()
        };
        let first = refused(1);
        assert_eq!(first, refused(1));
        assert_ne!(first, refused(2));
        let share = first.iter().filter(|refused| **refused).count();
        assert!((250..350).contains(&share), "{share}");
    }

    #[test]
    fn requests_are_refused_in_the_time_of_the_rule_and_so_often() {
        let now = Instant::now();
        let json = r#"{"kind":"refuse","status":429,"retry_after_s":3,"after_ms":100,"for_ms":50,"times":2}"#;
        let faults = faults(json, now);
        let at = |ms| faults.refusal(&SUBJECT, now + Duration::from_millis(ms));
        assert_eq!(
            [at(99), at(100), at(149), at(149), at(150)],
            [None, Some((429, Some(3))), Some((429, Some(3))), None, None]
        );
        assert!(faults.auth_error(&SUBJECT, now + Duration::from_millis(120)).is_none());
    }

    #[test]
    fn jitter_delays_some_frames_for_a_long_time_and_others_hardly() {
        let start = Instant::now();
        let faults = faults(r#"{"kind":"jitter","ms":2000,"seed":1}"#, start);
        let mut chosen = Chosen::new(&SUBJECT);
        chosen.add(&faults.rules(), &SUBJECT, start);
        let (mut delays, mut last) = (Vec::new(), start);
        for frame in 0..5_000 {
            let now = start + Duration::from_millis(20 * frame);
            let due = chosen.due(now).unwrap();
            assert!(due >= last, "in order");
            last = due;
            delays.push(due - now);
        }
        delays.sort_unstable();
        let [low, middle, high] = [500, 2_500, 4_500].map(|rank| delays[rank].as_millis());
        assert!(low < 200 && (300..1_000).contains(&middle) && high > 1_200, "{low} {middle} {high}");
        assert!(delays[4_999] <= Duration::from_secs(2));
    }

    #[test]
    fn rules_are_bounded_and_removed_by_id() {
        let now = Instant::now();
        let limits = FaultLimits { rules_max: 2, ..FaultLimits::default() };
        let metrics = SharedMetrics::default();
        let faults = Faults::new(&[], limits, metrics.clone(), now);
        let mut version = faults.version();
        let add = || faults.add(rule(r#"{"kind":"mute"}"#), now);
        assert_eq!([add(), add(), add()], [Some(1), Some(2), None]);
        assert_eq!(metrics.fault_rules_refused.get(), 1);
        assert_eq!((faults.remove(Some(7)), faults.remove(Some(1)), add()), (0, 1, Some(3)));
        assert!(version.has_changed().unwrap());
        version.mark_unchanged();
        assert_eq!((faults.remove(None), faults.rules().len()), (2, 0));
        assert!(version.has_changed().unwrap());
    }
}
