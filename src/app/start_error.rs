//! The reason why the server cannot start.

use std::io;
use std::path::PathBuf;

use crate::access::{KeyFileError, OpenToAll, OpenToEverybody};
use crate::app::{SettingsError, TlsError};
use crate::feed::replay::ReplayError;
use crate::feed::simulated::SimulatorError;
use crate::feed::state::StateError;
use crate::transport::OperatorsUnknown;

/// The reason why the server cannot start. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are invalid.
    #[error("bad configuration: {0}")]
    Settings(#[from] SettingsError),
    /// The feed refuses the settings.
    #[error("bad configuration: {0}")]
    Feed(#[from] SimulatorError),
    /// The files of the replay cannot be played.
    #[error("bad configuration: {0}")]
    Replay(#[from] ReplayError),
    /// The file of the state cannot be used.
    #[error("bad configuration: {0}")]
    State(#[from] StateError),
    /// The bounds of the history exceed its memory; contains the arithmetic.
    #[error("bad configuration: {0}")]
    Memory(String),
    /// The server would accept every key beyond loopback.
    #[error("bad configuration: {0}")]
    Keys(#[from] OpenToAll),
    /// The server would let everybody in beyond loopback.
    #[error("bad configuration: {0}")]
    Open(#[from] OpenToEverybody),
    /// Everybody could give the orders of an operator beyond loopback.
    #[error("bad configuration: {0}")]
    Operators(#[from] OperatorsUnknown),
    /// The key file cannot be used.
    #[error("bad configuration: {0}")]
    KeyFile(#[from] KeyFileError),
    /// The certificate cannot be used.
    #[error("bad configuration: {0}")]
    Tls(#[from] TlsError),
    /// The directory of the recordings cannot be written.
    #[error("bad configuration: feed.record.dir {} cannot be written: {source}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder of the files for clients cannot be read.
    #[error("bad configuration: feed.files_dir {} cannot be read: {source}", directory.display())]
    Files {
        /// The folder.
        directory: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The operating system cannot start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        /// `server.host` or `admin.host`.
        host: String,
        /// `server.port`, `server.tls.port` or `admin.port`.
        port: u16,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A listening socket cannot be registered with the event loop.
    #[error("cannot watch a listener: {0}")]
    Socket(io::Error),
    /// The limit of open files is too low for the settings.
    #[error(
        "too few open files: server.connections_max={connections_max} needs {needed}, {allowed} are allowed (ulimit -n)"
    )]
    OpenFiles {
        /// Descriptors for all connections and the process itself.
        needed: usize,
        /// The soft limit.
        allowed: usize,
        /// `server.connections_max`.
        connections_max: usize,
    },
}
