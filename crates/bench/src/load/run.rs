//! The phases of a run: connect, warm up, measure, verify, close. Each phase has a time limit. `report` evaluates the outcome.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use procfs::ProcResult;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::command::count_interrupts;
use crate::connection::Traffic;
use crate::load::crowd::Crowd;
use crate::load::options::Plan;
use crate::load::session::Standing;
use crate::load::tally::Tally;
use crate::process::{Process, Usage, Watch};
use crate::sequence::Completeness;

/// The time between two checks whether a phase is over.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// The longest wait for the last connections and snapshots, after the time that the connect rate needs.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// The longest wait for the final snapshots.
const VERIFY_MAX: Duration = Duration::from_secs(30);
/// The longest wait for the server's close frames.
const PART_MAX: Duration = Duration::from_secs(2);
/// The wait until the kernel reports which stalled connections the server has closed.
const PROBE: Duration = Duration::from_millis(200);

/// The outcome of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether the user ended the run early.
    pub(crate) interrupted: bool,
    /// Whether every connection was open or closed, and every snapshot received, when the warm-up began.
    pub(crate) settled: bool,
    /// The length of the measurement, and the events and traffic during it.
    pub(crate) window: Duration,
    pub(crate) events: u64,
    pub(crate) traffic: Traffic,
    /// Everything received since the first connection.
    pub(crate) tally: Tally,
    /// Sessions of a tickcast server, and how many of them were verified.
    pub(crate) native: usize,
    pub(crate) verified: usize,
    /// The counts of all streams together.
    pub(crate) completeness: Completeness,
    /// Sessions whose missing events differ in number from those that `lag` announced.
    pub(crate) unannounced: usize,
    /// CPU time and memory of the server; `Err` if it ended during the run.
    pub(crate) server: Option<Result<Usage, String>>,
    /// CPU time and memory of this process.
    pub(crate) own: Usage,
}

/// Makes the run. Fails if no session opens, because the address is wrong, or for a problem of this process; other faults of the
/// server are part of the outcome.
pub(crate) async fn run(plan: &Rc<Plan>, symbols: &[String], watch: Option<Watch>) -> Result<Outcome, String> {
    let (crowd, interrupts) = (Crowd::new(plan, symbols), count_interrupts().map_err(|err| err.to_string())?);
    let outcome = Run { crowd, interrupts, server: watch.map(Ok) }.phases().await.map_err(|err| err.to_string())?;
    match outcome.tally.failed.keys().next() {
        Some(reason) if outcome.tally.opened() == 0 => Err(format!("{} opens no WebSocket: {reason}", plan.url.url)),
        _ => Ok(outcome),
    }
}

struct Run {
    crowd: Rc<Crowd>,
    interrupts: Rc<Cell<u32>>,
    /// The watch of the server; `Err` if the server has ended.
    server: Option<Result<Watch, String>>,
}

impl Run {
    async fn phases(&mut self) -> ProcResult<Outcome> {
        let (crowd, mut own) = (Rc::clone(&self.crowd), Watch::begin(Process::own()?)?);
        let dialling = match crowd.plan.connect_rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs((crowd.plan.connections() / rate as usize) as u64),
        };
        spawn_local(Rc::clone(&crowd).dial());
        let settled = self.wait(dialling + SETTLE_MAX, 1, Crowd::is_settled).await;
        self.wait(crowd.plan.warmup_s, 1, Crowd::is_empty).await;

        crowd.tally.borrow_mut().recording = true;
        let began = Instant::now();
        own.begin_window()?;
        let (events, traffic) = (crowd.tally.borrow().events, crowd.meter.traffic());
        self.watch(Watch::begin_window);
        self.wait(crowd.plan.duration_s, 1, Crowd::is_empty).await;
        let ended = Instant::now();
        self.watch(Watch::end_window);
        own.end_window()?;
        let mut outcome = Outcome {
            interrupted: self.interrupts.get() > 0,
            settled,
            window: ended - began,
            events: crowd.tally.borrow().events - events,
            traffic: crowd.meter.traffic() - traffic,
            own: own.usage,
            ..Outcome::default()
        };
        crowd.tally.borrow_mut().recording = false;

        self.wait(VERIFY_MAX, 2, Crowd::verify).await;
        if crowd.plan.stalled > 0 {
            crowd.probe();
            self.wait(PROBE, 2, |_| false).await;
        }
        self.conclude(&mut outcome);
        crowd.close();
        self.wait(PART_MAX, 2, Crowd::is_gone).await;
        Ok(outcome)
    }

    /// Collects the results of the sessions, before they are closed.
    fn conclude(&mut self, outcome: &mut Outcome) {
        self.crowd.each_active(|session| {
            let counts = session.sequences.completeness();
            outcome.completeness += counts;
            outcome.native += usize::from(session.standing != Standing::Foreign);
            outcome.verified += usize::from(session.standing == Standing::Verified);
            outcome.unannounced += usize::from(counts.missing != session.lag_skipped);
        });
        outcome.server = self.server.take().map(|server| server.map(|watch| watch.usage));
        outcome.tally = std::mem::take(&mut *self.crowd.tally.borrow_mut());
    }

    /// Waits until `done` returns true, `longest` has passed, or the user has interrupted the run `interrupts_max` times.
    /// Returns whether `done` returned true.
    async fn wait(&mut self, longest: Duration, interrupts_max: u32, done: impl Fn(&Crowd) -> bool) -> bool {
        let until = Instant::now() + longest;
        loop {
            let now = Instant::now();
            if done(&self.crowd) {
                return true;
            }
            if now >= until || self.interrupts.get() >= interrupts_max {
                return false;
            }
            self.watch(|watch| watch.tick(now));
            sleep(LOOK_INTERVAL.min(until - now)).await;
        }
    }

    /// Measures the server. A failure means that the server has ended, and stops the watch.
    fn watch(&mut self, look: impl FnOnce(&mut Watch) -> ProcResult<()>) {
        if let Some(Ok(watch)) = &mut self.server
            && let Err(err) = look(watch)
        {
            self.server = Some(Err(err.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    use crate::command::{block_on, parse};
    use serde_json::json;
    use tokio_tungstenite::tungstenite;
    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocket};

    use crate::load::report::Report;
    use crate::load::session::{LIST_READY, LIST_VERIFIED};

    /// Answers a handshake and returns the session behind it.
    fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
        tungstenite::accept(listener.accept().unwrap().0).unwrap()
    }

    fn text(session: &mut WebSocket<TcpStream>, text: &str) {
        session.send(Message::text(text)).unwrap();
    }

    /// Reads until the client has closed.
    fn wait_for_end(session: &mut WebSocket<TcpStream>) {
        while session.read().is_ok() {}
    }

    fn run_against(serve: impl FnOnce(TcpListener) + Send + 'static, more: &[&str]) -> Report {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(listener));
        let basic = ["tickcast-load", "--url", &url, "--warmup-s", "0", "--duration-s", "0.3", "--symbols", "A"];
        let plan: Rc<Plan> = Rc::new(parse(basic.iter().chain(more)).unwrap());
        let watch = Watch::begin(Process::own().unwrap()).unwrap();
        let outcome = block_on(run(&plan, &["A".into()], Some(watch))).unwrap().unwrap();
        server.join().unwrap();
        Report::new(&plan, &outcome)
    }

    #[test]
    fn dropped_sessions_and_missing_events_are_counted() {
        let serve = |listener: TcpListener| {
            let mut kept = accept(&listener);
            let mut closed = accept(&listener);
            for seq in [4, 5, 7] {
                text(&mut kept, &format!(r#"{{"symbol":"A","seq":{seq},"ts":1}}"#));
                text(&mut closed, &format!(r#"[{{"symbol":"A","seq":{seq},"ts":1}}]"#));
            }
            closed.close(Some(CloseFrame { code: 1001.into(), reason: "".into() })).unwrap();
            drop(accept(&listener));
            wait_for_end(&mut kept);
        };
        let Report { clean, value } = run_against(serve, &["--sessions", "3", "--subscribe", ""]);
        let sessions = &value["sessions"];
        assert_eq!((&sessions["opened"], &sessions["dropped"], &sessions["failed"]), (&json!(3), &json!(2), &json!(0)));
        assert_eq!(value["closes"], json!({ "1001": 1, "1006": 1 }));
        let counts = ["due", "arrived", "missing", "repeated"].map(|key| value["completeness"][key].as_u64().unwrap());
        assert_eq!(counts, [8, 6, 2, 0]);
        assert_eq!(value["failures"], json!(["2 sessions were dropped", "2 events are missing"]));
        assert!(!clean && !value["server"].is_null());
    }

    #[test]
    fn a_wrong_address_is_an_error() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let plan = parse(["tickcast-load", "--url", &format!("ws://{closed}/"), "--sessions", "2"]).unwrap();
        let err = block_on(run(&Rc::new(plan), &["A".into()], None)).unwrap().unwrap_err();
        assert!(err.contains("opens no WebSocket: connection refused"), "{err}");
    }

    #[test]
    fn a_tickcast_session_is_verified_by_snapshots_at_its_end() {
        let serve = |last: &'static str| {
            move |listener: TcpListener| {
                let mut session = accept(&listener);
                text(&mut session, r#"[{"type":"welcome","protocol":"tickcast.v1"}]"#);
                let snapshot = r#"{"type":"snapshot","symbol":"A","seq":{"trades":1}}"#;
                text(&mut session, snapshot);
                text(&mut session, r#"{"type":"subscribed","id":"tickcast-load:ready"}"#);
                text(&mut session, r#"{"type":"trade","symbol":"A","seq":2,"ts":1}"#);
                let subscribe = r#"{"action":"subscribe","id":0,"symbols":["A"],"channels":["trades"]}"#;
                for expected in [subscribe, LIST_READY, subscribe, LIST_VERIFIED] {
                    assert_eq!(session.read().unwrap().into_text().unwrap(), expected);
                }
                text(&mut session, &snapshot.replace('1', last));
                text(&mut session, r#"{"type":"subscribed","id":"tickcast-load:verified"}"#);
                wait_for_end(&mut session);
            }
        };
        let Report { clean, value } = run_against(serve("3"), &["--sessions", "1"]);
        assert_eq!((clean, &value["failures"]), (false, &json!(["1 events are missing"])), "number 3");
        let report = run_against(serve("2"), &["--sessions", "1"]);
        let Report { clean, value } = &report;
        assert_eq!((*clean, &value["failures"]), (true, &json!([])));
        assert_eq!(value["sessions"]["verified"], 1);
        let counts = ["due", "arrived", "missing"].map(|key| value["completeness"][key].as_u64().unwrap());
        assert_eq!(counts, [1, 1, 0]);
        let table = report.table();
        assert!(table.contains("arrived 1") && table.ends_with("clean"), "{table}");
        let mut closed = report;
        closed.value["closes"] = json!({ "1001": 2 });
        let table = closed.table();
        assert!(table.contains("2 with 1001 (shutdown): reconnect without the cursor"), "{table}");
    }
}
