//! `tickcast-load`: makes load on a WebSocket server of this machine and measures how well it serves.
//!
//! This file reads the command line, checks that there is a server before anything is opened, and turns the outcome into
//! an exit code: 0 for a clean run, 1 when events were missing or repeated or sessions dropped, 2 when there was no run.
//!
//! # The method
//!
//! - One thread, one edge-triggered `epoll`, one read buffer for all sessions. Frames and messages are read in place; no
//!   JSON value is built. Nothing is sent but the subscription, pongs, and the questions that a tickcast server is asked
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

mod connection;
mod crowd;
mod frame;
mod handshake;
mod interrupt;
mod limit;
mod options;
mod probe;
mod process;
mod progress;
mod report;
mod run;
mod scan;
mod sequence;
mod session;
mod table;
mod tally;
mod target;
mod template;
mod watch;
mod watchlist;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::options::{Arguments, Plan};
use crate::process::Process;
use crate::report::Report;
use crate::watch::Watch;
use crate::watchlist::Watchlist;

/// The exit code for a run that shows faults.
const EXIT_FAULTS: u8 = 1;
/// The exit code when there was no run.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAULTS),
        Err(message) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "tickcast-load: {message}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Makes the run and prints its report; returns whether it was clean.
fn measure(arguments: Arguments) -> Result<bool, String> {
    let plan = Plan::new(arguments)?;
    limit::raise_open_files(plan.connections())?;
    let watch = |pid| Watch::begin(Process::new(pid)).map_err(|err| format!("cannot watch process {pid}: {err}"));
    // The first look proves that there is such a process, the second is taken after the probe.
    plan.pid.map(watch).transpose()?;
    let watchlist = watchlist(&plan)?;
    probe::probe(&plan)?;
    let watch = plan.pid.map(watch).transpose()?;
    let outcome = run::run(&plan, &watchlist, watch).map_err(|err| format!("cannot go on: {err}"))?;
    let report = Report::new(&plan, &outcome);
    let text = if plan.json { report.json() } else { table::render(&report) };
    writeln!(std::io::stdout(), "{text}").map_err(|err| format!("cannot print the report: {err}"))?;
    Ok(report.clean)
}

fn watchlist(plan: &Plan) -> Result<Watchlist, String> {
    let symbols = match &plan.symbols {
        Some(symbols) => symbols.clone(),
        None if plan.needs_symbols() => watchlist::fetch(&plan.target)?,
        None => Vec::new(),
    };
    Ok(Watchlist::new(symbols, plan.symbols_per_session, plan.seed))
}
