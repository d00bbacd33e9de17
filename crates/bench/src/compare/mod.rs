//! `tickcast-compare`: compares the costs of WebSocket, server-sent events, long poll and short poll for the same events.
//!
//! This file parses the command line, makes the measurements, and returns the exit code: 0 for a clean comparison, 1 if events were
//! missing, repeated or different between transports, 2 if there was no comparison.
//!
//! # The method
//!
//! - Each cell has a new server with the same seed on one core. This program runs on another core, with one thread and one `epoll`
//!   (a tokio runtime) for all clients. The same code scans the messages of all transports.
//! - Bytes are those of `read` and `write` during the window, headers and framing included.
//! - An event belongs to the window by its own time stamp, and its latency ends with the `read` that completed it, so late events are
//!   included.
//! - CPU time is that of the server's whole process, minus that of a server without clients, which is measured several times. There
//!   is no verdict if the difference is less than the spread of these measurements.
//! - The server's snapshots, before the window and after it, determine which events a client should have received.

#![allow(clippy::cast_precision_loss, reason = "counts and times of a run are far below 2^53")]

mod cell;
mod cheap;
mod client;
#[cfg(test)]
mod example;
mod intake;
mod machine;
mod options;
mod page;
mod plot;
mod proxy;
mod result;
mod server;
mod table;
mod tail;

use std::cell::Cell as Counter;
use std::process::ExitCode;
use std::rc::Rc;

use crate::command::{self, block_on, count_interrupts, print, raise_open_files};
use crate::compare::cell::{Cell, measure};
use crate::compare::options::{Arguments, IDLE_MEASUREMENTS, Plan};
use crate::compare::result::{Comparison, Idle, Machine, Sample, Together};

/// Runs the program with the command line of this process.
pub fn main() -> ExitCode {
    command::main(compare)
}

/// Returns the arguments without those that name paths of this machine, which do not affect the measurement.
fn without_paths(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut is_path = false;
    for argument in arguments {
        let names_path = ["--out", "--server"].iter().any(|name| argument.split('=').next() == Some(name));
        if !is_path && !names_path {
            kept.push(argument.clone());
        }
        is_path = names_path && !argument.contains('=');
    }
    kept
}

/// Makes the comparison, or reads an earlier one, prints and writes it; returns whether it was clean.
fn compare(arguments: Arguments) -> Result<bool, String> {
    let out = arguments.out.clone();
    let comparison = if let Some(path) = &arguments.from {
        let comparison = page::read(path)?;
        page::prepare(&out)?;
        comparison
    } else {
        let plan = Plan::new(arguments)?;
        raise_open_files(plan.connections())?;
        page::prepare(&out)?;
        if let Some(cores) = plan.cores {
            cores.take_own().map_err(|err| format!("cannot stay on one core: {err}"))?;
        }
        // Before the measurement, because the comparison itself changes files.
        let machine = machine::look();
        block_on(measure_all(&plan, machine)).map_err(|err| format!("cannot begin: {err}"))??
    };
    page::write(&out, &comparison)?;
    print(&table::foot(&comparison, &out))?;
    Ok(comparison.is_clean())
}

async fn measure_all(plan: &Plan, machine: Machine) -> Result<Comparison, String> {
    let interrupts = count_interrupts().map_err(|err| format!("cannot begin: {err}"))?;
    let mut idle = vec![Vec::new(); plan.idle.len()];
    measure_idle(plan, &interrupts, &mut idle).await?;
    print(&table::head())?;
    let samples = measure_each(&plan.cells, plan, &interrupts).await?;
    print("\nThrough the proxy:")?;
    let delayed = measure_each(&plan.delayed, plan, &interrupts).await?;
    let (_, groups) = measure(&plan.together, plan, &interrupts).await?;
    // Again, so that the spread includes how the machine changes over minutes.
    measure_idle(plan, &interrupts, &mut idle).await?;
    let together = Together {
        clients: plan.together.clients,
        rate: plan.together.rate,
        same_events: groups.windows(2).all(|pair| pair[0].digests == pair[1].digests),
        transports: groups,
    };
    Ok(Comparison {
        machine,
        seed: server::SEED,
        symbols_per_client: cell::SYMBOLS_PER_CLIENT,
        pinned: plan.cores.is_some(),
        arguments: without_paths(std::env::args().skip(1)),
        pace: server::PACE,
        idle: plan.idle.iter().zip(idle).map(|(cell, measurements)| Idle::new(cell.rate, measurements)).collect(),
        samples,
        delayed,
        together,
    })
}

/// Measures servers without clients, a new one for each rate and repetition, and appends their CPU time as a share of one core.
async fn measure_idle(plan: &Plan, interrupts: &Rc<Counter<u32>>, idle: &mut [Vec<f64>]) -> Result<(), String> {
    for _ in 0..IDLE_MEASUREMENTS {
        for (cell, measurements) in plan.idle.iter().zip(&mut *idle) {
            let (sample, _) = measure(cell, plan, interrupts).await?;
            measurements.push(sample.server_cpu());
        }
    }
    Ok(())
}

async fn measure_each(cells: &[Cell], plan: &Plan, interrupts: &Rc<Counter<u32>>) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    for cell in cells {
        let (sample, results) = measure(cell, plan, interrupts).await?;
        for result in results {
            let sample = Sample { result, ..sample.clone() };
            print(&table::row(&sample))?;
            samples.push(sample);
        }
    }
    Ok(samples)
}
