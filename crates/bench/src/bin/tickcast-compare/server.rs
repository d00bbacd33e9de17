//! The server under test: started on a free port of loopback and a core of its own, ended when the measurement is.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::result::Pace;

/// Symbols that a server has beside the generated ones.
const SYMBOLS_BUILT_IN: usize = 30;
/// Generated symbols, of which the clients take theirs.
pub(crate) const SYMBOLS: usize = 500;
/// How long it may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);
/// The longest line that it says first, in bytes.
const LINE_BYTES_MAX: usize = 4_096;

/// When servers write, which each is told: the defaults of `config/default.toml`.
pub(crate) const PACE: Pace = Pace { coalesce_ms: 20, burst_writes: 2, heartbeat_ms: 15_000 };

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
        let Pace { coalesce_ms, burst_writes, heartbeat_ms } = PACE;
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
            .env("TICKCAST__PUSH__COALESCE_MS", coalesce_ms.to_string())
            .env("TICKCAST__PUSH__BURST_WRITES", burst_writes.to_string())
            .env("TICKCAST__SESSION__HEARTBEAT_MS", heartbeat_ms.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // A process begins on the core of the thread that starts it.
        cores.map(|cores| bind(cores.server)).transpose().map_err(|err| fail(err.to_string()))?;
        let child = command.spawn();
        cores.map(Cores::take_own).transpose().map_err(|err| fail(err.to_string()))?;
        let mut child = child.map_err(|err| fail(err.to_string()))?;
        let said = child.stderr.take().expect("it is piped");
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into() };
        // From here on it ends with `server`, whatever it says or does not say.
        let line = first_line(said, START_MAX).map_err(fail)?;
        let value = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
        let address = value("url=http://").and_then(|url| url.trim_end_matches('/').parse().ok());
        server.address = address.ok_or_else(|| fail(format!("it says '{}'", line.trim())))?;
        if value("symbols=").and_then(|count| count.parse().ok()) != Some(symbols) {
            return Err(fail(format!("it has not {symbols} symbols")));
        }
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

/// Returns the first line of what is said, as far as it has come when the speaker ends. What is said further is of no
/// interest, but must not fill the pipe: it is read until its end.
///
/// # Errors
///
/// Returns that there is none in time, or cannot be read.
fn first_line(said: impl Read + Send + 'static, longest: Duration) -> Result<String, String> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut said = BufReader::new(said);
        let mut line = Vec::new();
        let read = said.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
        // Nobody waits for it any more when it comes too late.
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&line).into_owned()));
        io::copy(&mut said, &mut io::sink())
    });
    match receiver.recv_timeout(longest) {
        Ok(line) => line.map_err(|err| err.to_string()),
        Err(_) => Err(format!("no line from it in {longest:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn who_says_nothing_is_not_waited_for_without_end() {
        let (mute, said) = UnixStream::pair().unwrap();
        assert_eq!(first_line(said, Duration::from_millis(5)).unwrap_err(), "no line from it in 5ms");
        drop(mute);
    }

    #[test]
    fn the_first_line_is_enough_and_the_rest_is_read_too() {
        let (mut speaker, said) = UnixStream::pair().unwrap();
        speaker.write_all(b"listening\n").unwrap();
        assert_eq!(first_line(said, START_MAX).unwrap(), "listening\n");
        // More than a socket holds: it gets through only when it is read.
        speaker.write_all(&vec![b'x'; 4 << 20]).unwrap();

        let (mut speaker, said) = UnixStream::pair().unwrap();
        speaker.write_all(b"bad").unwrap();
        drop(speaker);
        assert_eq!(first_line(said, START_MAX).unwrap(), "bad", "what came before it ended");

        let (mut speaker, said) = UnixStream::pair().unwrap();
        speaker.write_all(&vec![b'x'; LINE_BYTES_MAX]).unwrap();
        assert_eq!(first_line(said, START_MAX).unwrap().len(), LINE_BYTES_MAX, "an endless line");
    }

    #[test]
    fn the_pace_is_that_of_the_defaults() {
        let defaults = include_str!("../../../../../config/default.toml");
        let section = |name: &str| defaults.split_once(name).unwrap().1.split("\n[").next().unwrap();
        let Pace { coalesce_ms, burst_writes, heartbeat_ms } = PACE;
        for (section, line) in [
            (section("\n[push]"), format!("\ncoalesce_ms = {coalesce_ms}\n")),
            (section("\n[push]"), format!("\nburst_writes = {burst_writes}\n")),
            (section("\n[session]"), format!("\nheartbeat_ms = {heartbeat_ms}\n")),
        ] {
            assert!(section.contains(&line), "{line}");
        }
    }

    #[test]
    fn a_program_that_never_listens_is_an_error() {
        let err = Server::start(Path::new("/bin/false"), 1.0, 1, None).unwrap_err();
        assert!(err.starts_with("cannot start /bin/false: it says ''"), "{err}");
    }
}
