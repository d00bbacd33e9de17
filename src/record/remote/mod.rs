//! `tickcast record`: records the stream of a server as a client of it, over a WebSocket.
//!
//! `connection` opens the WebSocket, `session` speaks the protocol (`vendor` those of Alpaca and Massive), `journal` writes the files. The cursor joins them: whatever breaks, the
//! next session asks for the events after the last one in the files, and where the server does not have them any more, a line `gap` says
//! so.

mod connection;
mod journal;
mod numbering;
mod omissions;
mod protocol;
mod session;
mod vendor;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::domain::{Channel, Clock, Symbol};
use crate::feed::OnBadRecord;
use crate::protocol::WILDCARD;

use connection::{Dialer, Failure, Socket};
use journal::Journal;
use session::{Ended, Session};
use vendor::VendorSession;

pub use omissions::Omissions;
pub use protocol::Protocol;

/// The first delay between two connections; each further one is twice as long, up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The server, and the part of its stream that is recorded.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// The address of the WebSocket, like `ws://127.0.0.1:8080/ws`.
    pub url: Url,
    /// Its protocol.
    pub protocol: Protocol,
    /// The directory of the files.
    pub directory: PathBuf,
    /// The symbols; `*` for all.
    pub symbols: Vec<String>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// A new file begins at each multiple of this time since 1970.
    pub rotate: Duration,
    /// The reaction to a message of a vendor that cannot be read.
    pub bad_record: OnBadRecord,
    /// The secret of a key, or a token; for Alpaca the id of a key, `:` and its secret.
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
    /// Messages of a vendor that are not recorded as they came.
    pub omissions: Omissions,
}

/// The reason why nothing more is recorded. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is none of a WebSocket.
    #[error("--url must be the address of a WebSocket, like ws://127.0.0.1:8080/ws")]
    Url,
    /// An argument that the protocol does not have; it belongs to another one.
    #[error("{0} is for the protocol of {1} only")]
    Unused(&'static str, &'static str),
    /// The protocol does not have the channel.
    #[error("--channels: the protocol {0} has no {1}")]
    Channel(&'static str, &'static str),
    /// A name is no symbol.
    #[error("--symbols: '{0}' is no symbol")]
    Symbol(String),
    /// The token does not have the form that the protocol needs.
    #[error("--token must be {0}")]
    Token(&'static str),
    /// The directory cannot be written.
    #[error("{}: cannot be written: {source}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// At the end the disk took no more.
    #[error("{}: the disk takes no more; {events} events can be read there", directory.display())]
    Disk {
        /// The directory.
        directory: PathBuf,
        /// The events of this recorder that can be read.
        events: u64,
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
    /// The server refuses the key.
    #[error("the server refuses the key: {0}")]
    Key(String),
    /// A message cannot be read, with [`OnBadRecord::Stop`].
    #[error("a message cannot be read: {0}")]
    Message(String),
}

impl RemoteError {
    /// Returns whether the arguments are wrong, whatever the server says.
    pub fn is_of_arguments(&self) -> bool {
        matches!(
            self,
            Self::Url
                | Self::Unused(..)
                | Self::Channel(..)
                | Self::Symbol(_)
                | Self::Token(_)
                | Self::Directory { .. }
                | Self::Authorities(_)
        )
    }
}

/// Records until `stop` is ready. Connects again after every end of the connection.
///
/// # Errors
///
/// Returns why the server, or the directory, cannot be used, or that the disk took no more at the end.
pub async fn record(
    config: RemoteConfig,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()>,
) -> Result<Recorded, RemoteError> {
    check(&config)?;
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
    outcome?;
    if journal.is_failing() {
        return Err(RemoteError::Disk { directory: config.directory, events: journal.recorded().events });
    }
    Ok(journal.recorded())
}

/// Checks the arguments that the server of a vendor would not understand.
fn check(config: &RemoteConfig) -> Result<(), RemoteError> {
    let protocol = config.protocol;
    if protocol == Protocol::Native {
        return Ok(());
    }
    if let Some(channel) = config.channels.iter().find(|channel| !protocol.channels().contains(**channel)) {
        return Err(RemoteError::Channel(protocol.name(), channel.name()));
    }
    if let Some(name) = config.symbols.iter().find(|name| *name != WILDCARD && name.parse::<Symbol>().is_err()) {
        return Err(RemoteError::Symbol(name.clone()));
    }
    let has_form = |token: &String| !token.is_empty() && (protocol == Protocol::Massive || token.contains(':'));
    let has_token = config.token.as_ref().is_some_and(has_form);
    if has_token { Ok(()) } else { Err(RemoteError::Token(protocol.token_form())) }
}

/// Records one session; returns how it has ended, and whether the delays between connections begin again.
async fn hold(socket: Socket, journal: &mut Journal, config: &RemoteConfig) -> (Ended, bool) {
    if config.protocol == Protocol::Native {
        let mut session = Session::new(socket, journal, config);
        return (session.run().await, session.is_live());
    }
    let mut session = VendorSession::new(socket, journal, config);
    (session.run().await, session.is_steady())
}

/// Records one session after another, until the server refuses them.
async fn connect_again(dialer: &Dialer, journal: &mut Journal, config: &RemoteConfig) -> RemoteError {
    let (mut delay, mut is_told) = (RETRY_MIN, false);
    loop {
        let mut wait = delay;
        match dialer.dial().await {
            Ok(socket) => {
                let (ended, begins_again) = hold(socket, journal, config).await;
                match ended {
                    Ended::Refused(err) => return err,
                    Ended::Lost { complaint, retry_after } => {
                        if begins_again {
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
