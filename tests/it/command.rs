//! The real binary, started as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::patience::patiently;

/// Environment variables for free ports.
const FREE_PORTS: [(&str, &str); 2] = [("TICKCAST__SERVER__PORT", "0"), ("TICKCAST__SERVER__TLS__PORT", "0")];

/// A running server process. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    /// The line printed when it listens.
    pub(crate) start_line: String,
    /// Address of HTTP, or of HTTPS if only that is served.
    pub(crate) address: SocketAddr,
    /// Address of HTTPS.
    pub(crate) tls_address: Option<SocketAddr>,
}

/// Exit status and output of a process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Returns the command with these arguments and environment variables, without the caller's own variables of
/// `tickcast`.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    configured(Command::new(env!("CARGO_BIN_EXE_tickcast")), arguments, variables)
}

/// Limits of open files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) soft: u32,
    pub(crate) hard: u32,
}

/// Returns the same command for a process with other limits of open files.
fn limited(limits: Limits, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    // The soft limit first, because it must not exceed the hard one.
    let script = format!("ulimit -Sn {} && ulimit -Hn {} && exec \"$0\" \"$@\"", limits.soft, limits.hard);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_tickcast")]);
    configured(command, arguments, variables)
}

/// Adds these arguments and environment variables to the command, without the caller's own variables of `tickcast`.
pub(crate) fn configured(mut command: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TICKCAST") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the command to its end.
pub(crate) async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    ended(&mut command(arguments, variables)).await
}

/// Runs the command to its end with these limits of open files.
pub(crate) async fn run_limited(limits: Limits, arguments: &[&str]) -> Ended {
    ended(&mut limited(limits, arguments, &[])).await
}

/// Runs this command to its end.
pub(crate) async fn ended(command: &mut Command) -> Ended {
    let output = patiently("the process to end", command.output()).await.unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Ended { status: output.status, stdout, stderr }
}

/// Starts the server, by default on a free port, and waits until it listens.
pub(crate) async fn spawn_binary(arguments: &[&str], variables: &[(&str, &str)]) -> Process {
    spawn_binary_in(Path::new("."), arguments, variables).await
}

/// Starts the server in another working directory.
pub(crate) async fn spawn_binary_in(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
    let mut command = command(arguments, &FREE_PORTS);
    command.envs(variables.iter().copied()).current_dir(directory);
    spawn_command(command).await
}

/// Starts the server with these limits of open files.
pub(crate) async fn spawn_limited(limits: Limits, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
    let mut command = limited(limits, arguments, &FREE_PORTS);
    command.envs(variables.iter().copied());
    spawn_command(command).await
}

/// Starts the server with this command, and waits until it listens.
pub(crate) async fn spawn_command(mut command: Command) -> Process {
    command.stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let start_line = patiently("the start line", stderr.next_line()).await.unwrap();
    let start_line = start_line.expect("the server says where it listens");
    let address_after = |url: &str| start_line.split(url).nth(1)?.split('/').next()?.parse().ok();
    let tls_address: Option<SocketAddr> = address_after("tls_url=https://");
    let address = address_after(" url=http://").or(tls_address);
    let address = address.unwrap_or_else(|| panic!("no address in the start line: {start_line}"));
    Process { child, stderr, start_line, address, tls_address }
}

impl Process {
    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// Sends a signal, `"TERM"` or `"INT"`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Returns the resident memory in bytes, without pages of files such as the program's code.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let id = self.child.id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// Stops the process for this long, as if the machine were suspended.
    pub(crate) async fn suspend(&self, seconds: f64) {
        let id = self.child.id().expect("the process runs").to_string();
        let script = r#"kill -s STOP "$0" && sleep "$1" && kill -s CONT "$0""#;
        let status = Command::new("sh").args(["-c", script, &id, &seconds.to_string()]).status().await.unwrap();
        assert!(status.success());
    }

    /// Kills the process, and waits for its end.
    pub(crate) async fn kill(mut self) {
        patiently("the process to end", self.child.kill()).await.unwrap();
    }

    /// Waits for the next line of output.
    pub(crate) async fn next_line(&mut self) -> String {
        patiently("a line of the log", self.stderr.next_line()).await.unwrap().expect("the process runs")
    }

    /// Waits for the end; returns the exit status and the rest of the output.
    pub(crate) async fn ended(mut self) -> Ended {
        // First, because a process waits a little for its log to be read.
        let mut stderr = String::new();
        patiently("the last output", self.stderr.into_inner().read_to_string(&mut stderr)).await.unwrap();
        let status = patiently("the process to end", self.child.wait()).await.unwrap();
        Ended { status, stdout: String::new(), stderr }
    }
}
