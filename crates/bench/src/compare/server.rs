//! The server under test: starts it on a free loopback port and a separate core, and kills it after the measurement.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::compare::result::Pace;

/// Symbols of a server that are not generated.
const SYMBOLS_BUILT_IN: usize = 30;
/// Generated symbols, to which the clients subscribe.
pub(crate) const SYMBOLS: usize = 500;
/// The seed of the market.
pub(crate) const SEED: u64 = 42;
/// The longest wait until it listens.
const START_MAX: Duration = Duration::from_secs(30);
/// Coalescing and heartbeats of every server: the defaults of `config/default.toml`.
pub(crate) const PACE: Pace = Pace { coalesce_ms: 20, burst_writes: 2, heartbeat_ms: 15_000 };

/// The two cores of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    server: usize,
    own: usize,
}

impl Cores {
    /// Returns the first two cores that this process may use; `None` if there is only one.
    pub(crate) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { server: cores.next()?, own: cores.next()? })
    }

    /// Binds this thread, and the threads and processes that it starts, to the core of the generator.
    pub(crate) fn take_own(self) -> io::Result<()> {
        bind(self.own)
    }
}

fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|err| io::Error::from_raw_os_error(err.raw_os_error()))
}

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The address at which it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the program with `events_per_second` trades of each of the [`SYMBOLS`], and waits until it listens. Fails with one
    /// line if it does not.
    pub(crate) async fn start(program: &Path, events_per_second: f64, cores: Option<Cores>) -> Result<Self, String> {
        let fail = |reason: String| format!("cannot start {}: {reason}", program.display());
        let symbols = SYMBOLS + SYMBOLS_BUILT_IN;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TICKCAST") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        let settings = [
            ("SERVER__WORKERS", "1".to_owned()),
            ("FEED__SEED", SEED.to_string()),
            ("FEED__EXTRA_SYMBOLS", SYMBOLS.to_string()),
            ("FEED__QUOTES_PER_TRADE", "0".into()),
            ("FEED__EVENTS_PER_SECOND", (events_per_second * symbols as f64).to_string()),
            ("PUSH__COALESCE_MS", PACE.coalesce_ms.to_string()),
            ("PUSH__BURST_WRITES", PACE.burst_writes.to_string()),
            ("SESSION__HEARTBEAT_MS", PACE.heartbeat_ms.to_string()),
        ];
        command.args(["--port", "0"]).envs(settings.map(|(key, value)| (format!("TICKCAST__{key}"), value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // A new process inherits the core of the thread that starts it.
        cores.map(|cores| bind(cores.server)).transpose().map_err(|err| fail(err.to_string()))?;
        let child = command.spawn();
        cores.map(Cores::take_own).transpose().map_err(|err| fail(err.to_string()))?;
        let mut child = child.map_err(|err| fail(err.to_string()))?;
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let line =
            timeout(START_MAX, lines.next_line()).await.map_err(|_| fail(format!("no line in {START_MAX:?}")))?;
        let line = line.map_err(|err| fail(err.to_string()))?.unwrap_or_default();
        // A full pipe would block the server.
        spawn_local(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let value = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
        let address = value("url=http://").and_then(|url| url.trim_end_matches('/').parse().ok());
        let address = address.ok_or_else(|| fail(format!("it says '{}'", line.trim())))?;
        if value("symbols=").and_then(|count| count.parse().ok()) != Some(symbols) {
            return Err(fail(format!("it does not have {symbols} symbols")));
        }
        Ok(Self { child, address })
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_equals_the_default_configuration() {
        let defaults = include_str!("../../../../config/default.toml");
        let section = |name: &str| defaults.split_once(name).unwrap().1.split("\n[").next().unwrap();
        for (section, line) in [
            (section("\n[push]"), format!("\ncoalesce_ms = {}\n", PACE.coalesce_ms)),
            (section("\n[push]"), format!("\nburst_writes = {}\n", PACE.burst_writes)),
            (section("\n[session]"), format!("\nheartbeat_ms = {}\n", PACE.heartbeat_ms)),
        ] {
            assert!(section.contains(&line), "{line}");
        }
    }
}
