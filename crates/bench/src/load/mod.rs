//! `tickcast-load`: puts load on a WebSocket server of this machine and measures latency, cost and completeness.
//!
//! This file parses the command line, makes the run, and returns the exit code: 0 for a clean run, 1 if events were missing or
//! repeated or sessions were dropped, 2 if there was no run.
//!
//! # The method
//!
//! - One thread, one edge-triggered `epoll` (a tokio runtime). Messages are scanned in place; no JSON value is built. During the
//!   measurement the client sends only pongs; subscriptions and `list` requests are sent before and after it.
//! - The latency of an event is the time of the `read` that completed it minus the event's `ts`, both by this machine's clock. It
//!   includes the server's queues and coalescing, the kernel, and the wait until this program reads. Because it starts at the
//!   event's own time stamp, the delay of a busy server or client is included: there is no coordinated omission. Bars have no
//!   latency, because their `ts` is the start of the bar.
//! - The report contains this program's own CPU time. With `cpu_fraction` near 1 the latencies are those of this program, not of
//!   the server.
//! - Completeness: each session checks the `seq` of every stream from its first snapshot. At the end it subscribes again. The server
//!   answers with snapshots in stream order, so an event that has not arrived before its snapshot was lost, the last one included.
//! - CPU time of the server is that of all its threads during the window; memory is sampled every second.

mod options;
mod tally;
mod session;
mod watchlist;
mod crowd;
mod run;
mod report;

use std::process::ExitCode;
use std::rc::Rc;

use crate::command::{self, block_on, print, raise_open_files};
use crate::load::options::Plan;
use crate::load::report::Report;
use crate::process::{Process, Watch};

/// Runs the program with the command line of this process.
pub fn main() -> ExitCode {
    command::main(measure)
}

/// Makes the run and prints its report; returns whether the run was clean.
fn measure(plan: Plan) -> Result<bool, String> {
    plan.check()?;
    raise_open_files(plan.connections())?;
    let plan = Rc::new(plan);
    let outcome = block_on(async {
        let watch =
            |pid| Process::new(pid).and_then(Watch::begin).map_err(|err| format!("cannot watch process {pid}: {err}"));
        let symbols = match &plan.symbols.0 {
            Some(symbols) => symbols.clone(),
            None if plan.needs_symbols() => watchlist::fetch(&plan.url).await?,
            None => Vec::new(),
        };
        let watch = plan.pid.map(watch).transpose()?;
        run::run(&plan, &symbols, watch).await.map_err(|err| format!("cannot go on: {err}"))
    });
    let report = Report::new(&plan, &outcome.map_err(|err| format!("cannot begin: {err}"))??);
    print(&if plan.json { report.value.to_string() } else { report.table() })?;
    Ok(report.clean)
}
