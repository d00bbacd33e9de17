//! `tickcast record`: records the stream of a server as a client of it, over a WebSocket.
//!
//! `connection` opens the WebSocket, `session` speaks the protocol, `journal` writes the files. The cursor joins them: whatever breaks, the
//! next session asks for the events after the last one in the files, and where the server does not have them any more, a line `gap` says
//! so.

mod connection;
mod journal;
mod session;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::domain::{Channel, Clock};

use connection::{Dialer, Failure};
use journal::Journal;
use session::{Ended, Session};

/// The first delay between two connections; each further one is twice as long, up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The server, and the part of its stream that is recorded.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// The address of the WebSocket, like `ws://127.0.0.1:8080/ws`.
    pub url: Url,
    /// The directory of the files.
    pub directory: PathBuf,
    /// The symbols; `*` for all.
    pub symbols: Vec<String>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// A new file begins at each multiple of this time since 1970.
    pub rotate: Duration,
    /// The secret of a key, or a token.
    pub token: Option<String>,
    /// A file with the certificates of the authorities to trust in place of those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The numbers of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Events.
    pub events: u64,
    /// Files begun.
    pub files: u64,
    /// Lines `gap` and `lag`.
    pub gaps: u64,
}

/// The reason why nothing more is recorded. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is none of a WebSocket.
    #[error("--url must be the address of a WebSocket, like ws://127.0.0.1:8080/ws")]
    Url,
    /// The directory cannot be written.
    #[error("{}: cannot be written: {source}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The certificates cannot be used.
    #[error("{0}")]
    Authorities(String),
    /// The server refuses the connection, and would do so again.
    #[error("the server answers with status {0}{1}")]
    Refused(u16, &'static str),
    /// The server refuses the subscription.
    #[error("the server refuses the subscription: {0}")]
    Subscription(String),
}

impl RemoteError {
    /// Returns whether the arguments are wrong, whatever the server says.
    pub fn is_of_arguments(&self) -> bool {
        matches!(self, Self::Url | Self::Directory { .. } | Self::Authorities(_))
    }
}

/// Records until `stop` is ready. Connects again after every end of the connection.
///
/// # Errors
///
/// Returns why the server, or the directory, cannot be used.
pub async fn record(
    config: RemoteConfig,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()>,
) -> Result<Recorded, RemoteError> {
    let dialer = Dialer::new(&config)?;
    super::prepare(&config.directory)
        .map_err(|source| RemoteError::Directory { directory: config.directory.clone(), source })?;
    let mut journal = Journal::open(&config, clock);
    let outcome = {
        let recording = connect_again(&dialer, &mut journal, &config);
        tokio::select! {
            () = stop => Ok(()),
            failure = recording => Err(failure),
        }
    };
    journal.finish();
    outcome.map(|()| journal.recorded())
}

/// Records one session after another, until the server refuses them.
async fn connect_again(dialer: &Dialer, journal: &mut Journal, config: &RemoteConfig) -> RemoteError {
    let (mut delay, mut is_told) = (RETRY_MIN, false);
    loop {
        let mut wait = delay;
        match dialer.dial().await {
            Ok(socket) => {
                let mut session = Session::new(socket, journal, config);
                match session.run().await {
                    Ended::Refused(complaint) => return RemoteError::Subscription(complaint),
                    Ended::Lost { complaint, retry_after } => {
                        if session.is_live() {
                            (delay, is_told) = (RETRY_MIN, false);
                        }
                        wait = retry_after.unwrap_or(delay).max(delay);
                        log::warn!("the connection has ended, another one follows: {complaint}");
                    }
                }
                journal.pause();
            }
            Err(Failure::Refused(status)) => {
                let hint = if status == 401 { ": --token must be the secret of a key, or a token" } else { "" };
                return RemoteError::Refused(status, hint);
            }
            Err(Failure::Other(complaint)) if !is_told => {
                is_told = true;
                log::warn!("no connection, trying again: {complaint}");
            }
            Err(Failure::Other(_)) => {}
        }
        tokio::time::sleep(wait).await;
        delay = (delay * 2).min(RETRY_MAX);
    }
}
