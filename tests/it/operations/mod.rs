//! The files of `docs/operations` in the programs that they are for: nginx, Caddy, Prometheus and systemd of Debian, which
//! `tests/operations-deps.sh` provides. The tests change addresses, paths of certificates and waiting times, and nothing else. The
//! `docs/container/Dockerfile`, and an upgrade. And scanners of TLS and HTTP against a server.

mod caddy;
mod container;
mod nginx;
mod prometheus;
mod scanners;
mod service;
mod transports;
mod upgrade;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::process::{Child, Command};

use crate::patience::wait_until;

/// Returns a file of `docs/operations`.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// Returns `text` with other parts in place of some, of which each must be there.
fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the file no longer has {old:?}");
        text.replace(old, new)
    })
}

/// Returns a program that `tests/operations-deps.sh` has unpacked.
fn program(path: &str) -> Command {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/operations").join(path);
    assert!(program.exists(), "{} is missing: run `make operations-deps`", program.display());
    Command::new(program)
}

/// A program of another maker with a directory and an address of its own. Killed when dropped, and its directory removed.
struct Neighbour {
    directory: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Neighbour {
    /// Returns one that has not been started. No other test, and no other run of the tests, has its address: these programs cannot be
    /// asked which free port they have taken.
    fn new(name: &str) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(128);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let [_, _, c, d] = process.to_be_bytes();
        let address = (Ipv4Addr::new(127, number, c, d), 1_080).into();
        let directory = std::env::temp_dir().join(format!("tickcast-{name}-{process}-{number}"));
        std::fs::create_dir(&directory).unwrap();
        Self { directory, address, child: None }
    }

    /// Writes a file to the directory.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    /// Starts the program in its directory, and waits until it accepts connections.
    async fn start(&mut self, mut command: Command) {
        let log = std::fs::File::create(self.directory.join("log")).unwrap();
        command.current_dir(&self.directory).env("HOME", &self.directory).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = self.child.insert(command.spawn().unwrap());
        let (address, log) = (self.address, self.directory.join("log"));
        wait_until("the program to listen", true, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {}", std::fs::read_to_string(&log).unwrap());
            std::net::TcpStream::connect(address).is_ok()
        })
        .await;
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        drop(self.child.take());
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.directory.join("log")).unwrap_or_default());
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
