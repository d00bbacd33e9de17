//! `tickcast-load`: makes load on a WebSocket server of this machine and measures how well it serves.
//!
//! This file reads the command line, checks that there is a server before anything is opened, and turns the outcome into
//! an exit code: 0 for a clean run, 1 when events were missing or repeated or sessions dropped, 2 when there was no run.
//!
//! # The method
//!
//! - One thread, one edge-triggered `epoll` (a tokio runtime). Messages are read in place; no JSON value is built. Nothing is sent but the subscription, pongs, and the questions that a tickcast server is asked
//!   before and after the measurement.
//! - Latency of an event is the time of the `read` that brought its last byte minus the event's own `ts`, both from this
//!   machine's clock. It holds everything between: the server's queues and coalescing, the kernel, and the time for which
//!   the bytes waited until this program came to read them. As it counts from the event's own time stamp, an event that
//!   is late because the server or this program was busy is counted with all of its delay: there is no coordinated
//!   omission. Bars are not in it, as their `ts` is the beginning of the bar.
//! - The report tells this program's own CPU time. When it had no time left (`cpu_fraction` near 1), the latencies are its
//!   own, and not the server's.
//! - Completeness: each session follows the `seq` of every stream from its first snapshot. At the end it subscribes again;
//!   the server answers with snapshots, which keep their place in the stream, so an event that is still missing then was
//!   lost, at the tail too.
//! - CPU time of the server is that of all its threads over the window; memory is sampled every second.

mod options;
mod sequence;
mod tally;
mod session;
mod watchlist;
mod watch;
mod crowd;
mod run;
mod report;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use futures_util::SinkExt;
use tokio::time::timeout;

use crate::command::{self, block_on, print, raise_open_files};
use crate::connection::Meter;
use crate::load::options::Plan;
use crate::load::report::Report;
use crate::load::watch::Watch;
use crate::load::watchlist::Watchlist;
use crate::process::Process;

/// How long the server may take to answer the first connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the program with the command line of this process.
pub fn main() -> ExitCode {
    command::main(measure)
}

/// Makes the run and prints its report; returns whether it was clean.
fn measure(plan: Plan) -> Result<bool, String> {
    plan.check()?;
    raise_open_files(plan.connections())?;
    let plan = Rc::new(plan);
    let outcome = block_on(async {
        let watch =
            |pid| Process::new(pid).and_then(Watch::begin).map_err(|err| format!("cannot watch process {pid}: {err}"));
        // The first look proves that there is such a process, the second is taken after the probe.
        plan.pid.map(watch).transpose()?;
        let symbols = match &plan.symbols.0 {
            Some(symbols) => symbols.clone(),
            None if plan.needs_symbols() => watchlist::fetch(&plan.url).await?,
            None => Vec::new(),
        };
        let watchlist = Watchlist::new(symbols, plan.symbols_per_session, plan.seed);
        probe(&plan).await?;
        let watch = plan.pid.map(watch).transpose()?;
        run::run(&plan, &watchlist, watch).await.map_err(|err| format!("cannot go on: {err}"))
    });
    let report = Report::new(&plan, &outcome.map_err(|err| format!("cannot begin: {err}"))??);
    print(&if plan.json { report.json() } else { report.table() })?;
    Ok(report.clean)
}

/// Opens one session before all others and closes it again, so that a mistake in the address is an error and not a measurement.
async fn probe(plan: &Plan) -> Result<(), String> {
    let opened = timeout(PROBE_TIMEOUT, crowd::connect(plan, 0, &Meter::default())).await;
    let socket = opened.unwrap_or_else(|_| Err("no answer in time".into()));
    let mut socket = socket.map_err(|err| format!("{} opens no WebSocket: {err}", plan.url))?;
    // The server is there: whether it takes the goodbye does not matter.
    let _ = socket.send(crowd::goodbye()).await;
    Ok(())
}
