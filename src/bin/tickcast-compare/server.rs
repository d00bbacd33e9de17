//! The server under test: started on a free port of loopback and a core of its own, ended when the measurement is.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Symbols that a server has beside the generated ones.
const SYMBOLS_BUILT_IN: usize = 30;
/// Generated symbols, of which the clients take theirs.
pub(crate) const SYMBOLS: usize = 500;

/// The two cores of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    server: usize,
    own: usize,
}

impl Cores {
    /// Returns the first two that this process may run on; `None` when there is one only.
    pub(crate) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { server: cores.next()?, own: cores.next()? })
    }

    /// Keeps this thread, and what it starts, on the core of the generator.
    pub(crate) fn take_own(self) -> io::Result<()> {
        bind(self.own)
    }
}

fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|err| io::Error::from_raw_os_error(err.raw_os_error()))
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the program with a market in which each of [`SYMBOLS`] has `events_per_second` trades, and waits until it
    /// listens.
    ///
    /// # Errors
    ///
    /// Returns why it does not, in one line.
    pub(crate) fn start(
        program: &Path,
        events_per_second: f64,
        seed: u64,
        cores: Option<Cores>,
    ) -> Result<Self, String> {
        let fail = |reason: String| format!("cannot start {}: {reason}", program.display());
        let symbols = SYMBOLS + SYMBOLS_BUILT_IN;
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let events_per_second = events_per_second * symbols as f64;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TICKCAST") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
            .args(["--port", "0"])
            .env("TICKCAST__SERVER__WORKERS", "1")
            .env("TICKCAST__FEED__SEED", seed.to_string())
            .env("TICKCAST__FEED__EXTRA_SYMBOLS", SYMBOLS.to_string())
            .env("TICKCAST__FEED__QUOTES_PER_TRADE", "0")
            .env("TICKCAST__FEED__EVENTS_PER_SECOND", events_per_second.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // A process begins on the core of the thread that starts it.
        cores.map(|cores| bind(cores.server)).transpose().map_err(|err| fail(err.to_string()))?;
        let child = command.spawn();
        cores.map(Cores::take_own).transpose().map_err(|err| fail(err.to_string()))?;
        let mut child = child.map_err(|err| fail(err.to_string()))?;
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into() };
        let mut line = String::new();
        said.read_line(&mut line).map_err(|err| fail(err.to_string()))?;
        let value = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
        let address = value("url=http://").and_then(|url| url.trim_end_matches('/').parse().ok());
        server.address = address.ok_or_else(|| fail(format!("it says '{}'", line.trim())))?;
        if value("symbols=").and_then(|count| count.parse().ok()) != Some(symbols) {
            return Err(fail(format!("it has not {symbols} symbols")));
        }
        // What it says further is of no interest, but must not fill the pipe.
        std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Ok(server)
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // When it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
