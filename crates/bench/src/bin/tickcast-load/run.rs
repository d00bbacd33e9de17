//! The run: connect, warm up, measure, verify, part. Each phase is bounded in time; what was seen is handed over raw, and
//! judged in `report`.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::connection::Role;
use crate::crowd::{Census, Crowd};
use crate::interrupt::Interrupt;
use crate::options::Plan;
use crate::process::{CpuTime, Process};
use crate::progress::Progress;
use crate::sequence::Completeness;
use crate::session::{Session, Standing};
use crate::tally::Counters;
use crate::watch::{Usage, Watch};
use crate::watchlist::Watchlist;

/// The longest wait in one turn, so that signals, samples and the bar have their time.
const TURN_MAX: Duration = Duration::from_millis(100);
/// The time between two looks whether a phase is over.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How long the last connections and snapshots may take, beyond the time that the connect rate needs.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How long the final snapshots may take.
const VERIFY_MAX: Duration = Duration::from_secs(30);
/// How long the server may take to answer our close.
const PART_MAX: Duration = Duration::from_secs(2);
/// How long the kernel may take to tell that a stalled connection is gone.
const PROBE: Duration = Duration::from_millis(200);

/// What was seen.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether the user has ended the run early.
    pub(crate) interrupted: bool,
    /// Whether every connection was open or over, and every snapshot there, when the warm-up began.
    pub(crate) settled: bool,
    /// How long the measurement took.
    pub(crate) window: Duration,
    /// What was received in the window.
    pub(crate) counters: Counters,
    /// What was received since the first connection.
    pub(crate) counters_total: Counters,
    /// Latencies of the window.
    pub(crate) latency: Histogram<u64>,
    /// Times to connect.
    pub(crate) connect: Histogram<u64>,
    /// How many sessions there were.
    pub(crate) census: Census,
    /// Failed connections by reason.
    pub(crate) failed: Vec<(String, u64)>,
    /// Ended sessions by close code.
    pub(crate) closes: Vec<(u16, u64)>,
    /// The first `error` message of the server.
    pub(crate) first_error: Option<String>,
    /// Events of each measured session in the window, sorted.
    pub(crate) events_by_session: Vec<u64>,
    /// Sessions of a tickcast server.
    pub(crate) native: usize,
    /// Those of them that are checked to their end.
    pub(crate) verified: usize,
    /// What is known of all streams together.
    pub(crate) completeness: Completeness,
    /// Sessions whose missing events are not what `lag` has announced, to the last one.
    pub(crate) unannounced: usize,
    /// What the server has used: `Err` when it has gone while it was watched.
    pub(crate) server: Option<Result<Usage, String>>,
    /// What this process has used in the window.
    pub(crate) own_cpu: CpuTime,
    /// The most memory it ever had.
    pub(crate) own_resident_peak: u64,
}

/// Makes the run.
///
/// # Errors
///
/// Returns what keeps this process from going on; what the server does wrong is part of the outcome.
pub(crate) fn run(plan: &Plan, watchlist: &Watchlist, watch: Option<Watch>) -> io::Result<Outcome> {
    let crowd = Crowd::new(plan, watchlist)?;
    let interrupt = Interrupt::listen(crowd.waker()?)?;
    let mut run = Run { plan, crowd, interrupt, watch, watch_failed: None, progress: Progress::new() };
    let outcome = run.phases();
    run.progress.finish();
    outcome
}

struct Run<'a> {
    plan: &'a Plan,
    crowd: Crowd<'a>,
    interrupt: Interrupt,
    watch: Option<Watch>,
    watch_failed: Option<String>,
    progress: Progress,
}

impl<'a> Run<'a> {
    fn phases(&mut self) -> io::Result<Outcome> {
        let own = Process::own();
        let dialling = match self.plan.connect_rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs((self.plan.connections() / rate as usize) as u64),
        };
        let settled = self.wait("connecting", dialling + SETTLE_MAX, 1, Crowd::is_settled)?;
        self.wait("warming up", self.plan.warmup, 1, |_| false)?;

        self.crowd.begin_window();
        self.crowd.tally_mut().recording = true;
        let (began, counters, own_cpu) = (Instant::now(), self.crowd.tally().counters, own.cpu_time()?);
        self.watch(|watch| watch.begin_window(began));
        self.wait("measuring", self.plan.duration, 1, Crowd::is_empty)?;
        let ended = Instant::now();
        self.watch(|watch| watch.end_window(ended));
        let own_cpu = own.cpu_time()?.since(&own_cpu);
        let counters = self.crowd.tally().counters.since(&counters);
        self.crowd.tally_mut().recording = false;
        let mut events_by_session: Vec<_> =
            self.crowd.active().map(|connection| connection.session().events_in_window()).collect();
        events_by_session.sort_unstable();

        let interrupted = self.interrupt.count_so_far() > 0;
        self.crowd.each_open(Some(Role::Active), Session::verify);
        self.wait("verifying", VERIFY_MAX, 2, Crowd::is_verified)?;
        if self.plan.stalled > 0 {
            self.crowd.each_open(Some(Role::Stalled), Session::probe);
            self.wait("verifying", PROBE, 2, |_| false)?;
        }
        let outcome = Outcome {
            interrupted,
            settled,
            window: ended - began,
            counters,
            events_by_session,
            own_cpu,
            own_resident_peak: own.resident_bytes_peak()?,
            ..self.outcome()
        };
        self.crowd.each_open(None, Session::close);
        self.wait("parting", PART_MAX, 2, Crowd::is_gone)?;
        Ok(outcome)
    }

    /// Returns what is known at the end of the sessions, before they are closed.
    fn outcome(&mut self) -> Outcome {
        let (mut completeness, mut native, mut verified, mut unannounced) = (Completeness::default(), 0, 0, 0);
        for session in self.crowd.active().map(crate::connection::Connection::session) {
            let counts = session.completeness();
            completeness.add(&counts);
            native += usize::from(session.standing() != Standing::Foreign);
            verified += usize::from(session.standing() == Standing::Verified);
            unannounced += usize::from(counts.missing != session.lag_skipped());
        }
        let server = match self.watch_failed.take() {
            Some(err) => Some(Err(err)),
            None => self.watch.take().map(|watch| Ok(watch.finish())),
        };
        let tally = self.crowd.tally();
        Outcome {
            interrupted: false,
            settled: false,
            window: Duration::ZERO,
            counters: Counters::default(),
            counters_total: tally.counters,
            latency: tally.latency.clone(),
            connect: tally.connect.clone(),
            census: self.crowd.census(),
            failed: tally.failed.clone().into_iter().collect(),
            closes: tally.closes.clone().into_iter().collect(),
            first_error: tally.first_error.clone(),
            events_by_session: Vec::new(),
            native,
            verified,
            completeness,
            unannounced,
            server,
            own_cpu: CpuTime::default(),
            own_resident_peak: 0,
        }
    }

    /// Serves the connections until `done`, the end of the time, or the user's `interrupts_max`th request to end. Returns
    /// whether it is done.
    fn wait(
        &mut self,
        phase: &'static str,
        longest: Duration,
        interrupts_max: u32,
        done: impl Fn(&Crowd<'a>) -> bool,
    ) -> io::Result<bool> {
        let began = Instant::now();
        let until = began + longest;
        let mut look_at = began;
        loop {
            let now = Instant::now();
            if now >= look_at {
                if done(&self.crowd) {
                    return Ok(true);
                }
                look_at = now + LOOK_INTERVAL;
            }
            if now >= until || self.interrupt.count_so_far() >= interrupts_max {
                return Ok(false);
            }
            self.watch(|watch| watch.tick(now));
            let share = (now - began).as_secs_f64() / longest.as_secs_f64();
            let (census, events) = (self.crowd.census(), self.crowd.tally().counters.events);
            self.progress.show(now, phase, share, || format!("{} sessions, {events} events", census.opened));
            let next = self.crowd.dial(now).unwrap_or(now + TURN_MAX);
            self.crowd.turn(next.min(until).min(now + TURN_MAX) - now)?;
        }
    }

    /// Watches the server, until that fails: then it is gone.
    fn watch(&mut self, look: impl FnOnce(&mut Watch) -> io::Result<()>) {
        if let Some(Err(err)) = self.watch.as_mut().map(look) {
            self.watch = None;
            self.watch_failed = Some(err.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use crate::options::Arguments;
    use crate::report::Report;
    use crate::session::LIST_READY;

    /// Answers a handshake and returns the connection behind it.
    fn accept(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        let accept = "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(accept.as_bytes()).unwrap();
        stream
    }

    fn text(stream: &mut TcpStream, payload: &str) {
        stream.write_all(&[0x81, u8::try_from(payload.len()).unwrap()]).unwrap();
        stream.write_all(payload.as_bytes()).unwrap();
    }

    fn run_against(serve: impl FnOnce(TcpListener) + Send + 'static, more: &[&str]) -> Report {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(listener));
        let basic = ["tickcast-load", "--url", &url, "--warmup-s", "0", "--duration-s", "0.3", "--symbols", "A"];
        let plan = Plan::new(Arguments::try_parse_from(basic.iter().chain(more)).unwrap()).unwrap();
        let watchlist = Watchlist::new(vec!["A".into()], 1, 1);
        let outcome = run(&plan, &watchlist, Some(Watch::begin(Process::own()).unwrap())).unwrap();
        server.join().unwrap();
        Report::new(&plan, &outcome)
    }

    #[test]
    fn sessions_that_the_server_ends_are_counted_with_what_they_missed() {
        let serve = |listener: TcpListener| {
            let mut kept = accept(&listener);
            let mut closed = accept(&listener);
            for seq in [4, 5, 7] {
                text(&mut kept, &format!(r#"{{"symbol":"A","seq":{seq},"ts":1}}"#));
                text(&mut closed, &format!(r#"[{{"symbol":"A","seq":{seq},"ts":1}}]"#));
            }
            closed.write_all(&[0x88, 2, 0x03, 0xE9]).unwrap();
            drop(accept(&listener));
            // Until the client says goodbye.
            let _ = kept.read_to_end(&mut Vec::new());
        };
        let report = run_against(serve, &["--sessions", "3", "--subscribe", ""]);
        assert_eq!((report.sessions.opened, report.sessions.dropped, report.sessions.failed), (3, 2, 0));
        assert_eq!(report.closes.into_iter().collect::<Vec<_>>(), [(1001, 1), (1006, 1)]);
        let counts = report.completeness;
        assert_eq!((counts.due, counts.arrived, counts.missing, counts.repeated), (8, 6, 2, 0));
        assert_eq!(report.failures, ["2 sessions were dropped", "2 events are missing"]);
        assert!(!report.clean && report.server.is_some());
    }

    #[test]
    fn more_bytes_than_one_turn_takes_are_read_to_their_end() {
        let serve = |listener: TcpListener| {
            let mut stream = accept(&listener);
            for seq in 1..=60 {
                let message = format!(r#"{{"symbol":"A","pad":"{}","seq":{seq},"ts":1}}"#, "x".repeat(100_000));
                stream.write_all(&[0x82, 127]).unwrap();
                stream.write_all(&(message.len() as u64).to_be_bytes()).unwrap();
                stream.write_all(message.as_bytes()).unwrap();
            }
            stream.write_all(&[0x88, 0]).unwrap();
        };
        let report = run_against(serve, &["--sessions", "1", "--subscribe", ""]);
        assert_eq!((report.completeness.arrived, report.completeness.missing), (60, 0));
        assert_eq!(report.closes.into_iter().collect::<Vec<_>>(), [(1005, 1)]);
        assert!(report.window_s < 0.3, "there is nothing to wait for");
    }

    #[test]
    fn a_tickcast_server_is_asked_where_its_streams_stand() {
        let serve = |listener: TcpListener| {
            let mut stream = accept(&listener);
            text(&mut stream, r#"[{"type":"welcome","protocol":"tickcast.v1"}]"#);
            let snapshot = r#"{"type":"snapshot","symbol":"A","seq":{"trades":1}}"#;
            text(&mut stream, snapshot);
            text(&mut stream, r#"{"type":"subscribed","id":"tickcast-load:ready"}"#);
            text(&mut stream, r#"{"type":"trade","symbol":"A","seq":2,"ts":1}"#);
            // Two masked frames of less than 126 bytes, then the first byte of the questions at the end.
            let said = [r#"{"action":"subscribe","id":0,"symbols":["A"],"channels":["trades"]}"#, LIST_READY];
            let len: usize = said.iter().map(|text| text.len() + 6).sum();
            stream.read_exact(&mut vec![0; len + 1]).unwrap();
            text(&mut stream, &snapshot.replace('1', "2"));
            text(&mut stream, r#"{"type":"subscribed","id":"tickcast-load:verified"}"#);
            // Until the client says goodbye.
            let _ = stream.read_to_end(&mut Vec::new());
        };
        let report = run_against(serve, &["--sessions", "1"]);
        assert_eq!(report.failures, [""; 0]);
        assert_eq!((report.sessions.verified, report.completeness.due, report.completeness.arrived), (1, 1, 1));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["clean"], &json["completeness"]["missing"]), (&true.into(), &0.into()));
        assert!(crate::table::render(&report).ends_with("clean"));
    }
}
