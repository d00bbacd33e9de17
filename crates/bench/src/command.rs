//! The frame of both programs: command line, open-file limit, signals, runtime, exit code. Exit code 0 is a clean run, 1 a
//! run with faults, 2 no run.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use rlimit::increase_nofile_limit;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{LocalSet, spawn_local};

/// Open files other than connections.
const FILES_BESIDE: u64 = 64;

/// Runs a program with its command line; `run` returns whether the run was clean, or why it could not be made.
pub(crate) fn main<A: Parser>(run: impl FnOnce(A) -> Result<bool, String>) -> ExitCode {
    match parse(std::env::args_os()).and_then(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            // With standard error closed there is nowhere to report this.
            let _ = writeln!(io::stderr(), "{}: {message}", A::command().get_name());
            ExitCode::from(2)
        }
    }
}

/// Parses a command line; `--help` and `--version` print and end the program.
/// Fails with one line that names the invalid option.
pub(crate) fn parse<A: Parser>(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<A, String> {
    A::try_parse_from(line).map_err(|err| {
        if !err.use_stderr() {
            err.exit();
        }
        let text = err.to_string();
        let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        lines.join(" ").trim_start_matches("error: ").into()
    })
}

/// Parses a number of seconds of an option. Fails outside `min` to `max`.
pub(crate) fn seconds(text: &str, min: f64, max: f64) -> Result<Duration, String> {
    let value = text.parse().ok().filter(|value| (min..=max).contains(value));
    value.map(Duration::from_secs_f64).ok_or_else(|| format!("must be {min} to {max} seconds"))
}

/// Prints a line. Fails if standard output cannot be written to.
pub(crate) fn print(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|err| format!("cannot print: {err}"))
}

/// Raises the limit of open files for this number of connections.
/// Fails if the hard limit is lower, with one line that says how to raise it.
pub(crate) fn raise_open_files(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + FILES_BESIDE;
    let limit = increase_nofile_limit(needed).map_err(|err| format!("cannot raise the limit of open files: {err}"))?;
    if limit < needed {
        return Err(format!(
            "{connections} connections need {needed} open files, the limit is {limit}: raise it with 'ulimit -n'"
        ));
    }
    Ok(())
}

/// Runs a future, and the tasks that it spawns with [`spawn_local`], on this thread. Fails if the runtime cannot be created.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

/// Counts Ctrl-C and SIGTERM from now on; they no longer end the process. Fails if no signal handler can be installed.
pub(crate) fn count_interrupts() -> io::Result<Rc<Cell<u32>>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    spawn_local(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            counted.set(counted.get() + 1);
        }
    });
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_connections_for_the_open_file_limit_are_an_error() {
        assert_eq!(raise_open_files(1), Ok(()));
        let err = raise_open_files(usize::MAX / 2).unwrap_err();
        assert!(err.contains("open files") && !err.contains('\n'), "{err}");
    }
}
