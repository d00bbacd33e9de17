//! The whole server: settings, wiring of actors, listeners, shutdown.
//!
//! [`Application::start`] binds and starts everything; [`Application::run`] serves until shutdown.

mod descriptors;
mod keys;
mod kind;
mod layer;
mod listen;
mod logging;
mod market;
mod new_key;
mod pinned;
mod serve;
mod server_config;
mod settings;
mod settings_error;
mod threads;
mod tls;
mod watchdog;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Addr, ArbiterHandle, Recipient};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::ServiceConfig;

use crate::access::{KeyFileError, Keys, OpenToAll, OpenToEverybody};
use crate::app::listen::Listener;
use crate::app::serve::{Hubs, Listeners, WorkerParts, serve};
use crate::app::watchdog::{Part, Watchdog};
use crate::domain::Clock;
use crate::faults::Faults;
use crate::feed::simulated::SimulatorError;
use crate::feed::{Attach, Batch};
use crate::history::{ArchiveReader, History};
use crate::hub::{Drain, HubConfig};
use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::{Inspector, Traffic, random_name};

pub use descriptors::{check_open_files, raise_open_files};
pub use logging::{LogConfig, LogLines, ServerLog};
pub use new_key::{KeyCommand, NewKey};
pub use server_config::ServerConfig;
pub use settings::Settings;
pub use settings_error::SettingsError;
pub use tls::{Certificate, TlsConfig, TlsError};
pub use watchdog::report_panics;

/// Range of the random delay, after the end of the drain, within which clients of a server that shuts down should
/// reconnect. In milliseconds.
const RETRY_AFTER_MS: std::ops::Range<u64> = 500..1_500;

/// The reason why the server cannot start. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are invalid.
    #[error("bad configuration: {0}")]
    Settings(#[from] SettingsError),
    /// The feed refuses the settings.
    #[error("bad configuration: {0}")]
    Feed(#[from] SimulatorError),
    /// The bounds of the history exceed its memory; contains the arithmetic.
    #[error("bad configuration: {0}")]
    Memory(String),
    /// The server would accept every key beyond loopback.
    #[error("bad configuration: {0}")]
    Keys(#[from] OpenToAll),
    /// The server would let everybody in beyond loopback.
    #[error("bad configuration: {0}")]
    Open(#[from] OpenToEverybody),
    /// The key file cannot be used.
    #[error("bad configuration: {0}")]
    KeyFile(#[from] KeyFileError),
    /// The certificate cannot be used.
    #[error("bad configuration: {0}")]
    Tls(#[from] TlsError),
    /// The operating system cannot start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        /// `server.host`.
        host: String,
        /// `server.port` or `server.tls.port`.
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

/// A server that has been started.
pub struct Application {
    server: Server,
    address: Option<SocketAddr>,
    tls_address: Option<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
    keys: Arc<Keys>,
    hubs: Hubs,
    feed: Recipient<Attach>,
    watchdog: Watchdog,
    arbiters: [ArbiterHandle; 2],
    grace: Duration,
    drain: Duration,
    metrics: SharedMetrics,
}

/// Additional routes of a program that embeds the server.
type MoreRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

impl Application {
    /// Binds the addresses, computes the market's past and starts all actors and workers. Must be called within an
    /// actix system.
    ///
    /// # Errors
    ///
    /// Returns why the server cannot start: settings, the certificate, an address, or a lack of threads.
    pub fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        Self::start_with(settings, clock, |_| {})
    }

    /// Like [`Application::start`], with routes that take precedence over those of the service: for programs that embed
    /// the server.
    ///
    /// # Errors
    ///
    /// Returns why the server cannot start: settings, the certificate, an address, or a lack of threads.
    pub fn start_with(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        more_routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        let (settings, limits, shortage) = descriptors::fitted(settings)?;
        let settings = &settings;
        let ServerConfig { tls, port, .. } = &settings.server;
        let certificate = tls.is_on().then(|| Certificate::read(tls)).transpose()?.map(Arc::new);
        let bind = |port| Listener::bind(&settings.server, port);
        let http = (!tls.only).then(|| bind(*port)).transpose()?;
        let https = match &certificate {
            Some(certificate) => Some((bind(tls.port)?, certificate.clone().server_config())),
            None => None,
        };
        let listeners = Listeners { http, https };
        let address = listeners.http.as_ref().map(|listener| listener.address);
        let tls_address = listeners.https.as_ref().map(|(listener, _)| listener.address);
        let metrics: SharedMetrics = Arc::new(Metrics::default());
        let keys = keys::of(settings, &listeners, clock.clone(), metrics.clone())?;
        let workers = settings.server.worker_threads();
        threads::check(workers + threads::BESIDE_WORKERS).map_err(StartError::Thread)?;
        let market = market::start(settings, clock.clone(), metrics.clone())?;
        let hub_config = HubConfig {
            table: market.table.clone(),
            epoch: random_name().into(),
            head: market.head.clone(),
            market: market.clock.clone(),
            push: settings.push,
            metrics: metrics.clone(),
            crowded: Arc::default(),
            pauses: Arc::default(),
        };
        announce(settings, market.table.len(), &listeners, shortage);
        let (hubs, history, archive, feed) = (Hubs::default(), market.history, market.archive, market.feed);
        let watched = parts(&history, &archive, &feed, &listeners)?;
        let watchdog = watchdog(watched, hubs.clone(), &hub_config, settings);
        let traffic = Arc::new(Traffic::new(settings.server.traffic_clients_max, metrics.clone()));
        let parts = WorkerParts {
            hub_config,
            hubs: hubs.clone(),
            feed: feed.clone(),
            history,
            archive,
            clock,
            settings: settings.clone(),
            limits,
            traffic,
            keys: keys.clone(),
            foreign_origins: Arc::default(),
            inspector: Arc::new(inspector(settings, address, tls_address.zip(certificate.as_ref()))),
            health: watchdog.health.clone(),
            faults: Arc::new(Faults::new(&settings.faults, settings.fault_limits, metrics.clone(), Instant::now())),
            more_routes: Arc::new(more_routes),
        };
        let server = serve(&parts, listeners, workers);
        let server =
            server.map_err(|source| StartError::Listen { host: settings.server.host.clone(), port: *port, source })?;
        let grace = Duration::from_millis(settings.server.shutdown_grace_ms);
        let (drain, arbiters) = (settings.server.drain(), market.arbiters);
        Ok(Self {
            server,
            address,
            tls_address,
            certificate,
            keys,
            hubs,
            feed,
            watchdog,
            arbiters,
            grace,
            drain,
            metrics,
        })
    }

    /// Returns the address of HTTP; `None` if only HTTPS is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the address of HTTPS; `None` if it is not served.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Returns the certificate, which can be reloaded while the server runs; `None` without HTTPS.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Returns the keys, whose file can be reloaded while the server runs.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.clone()
    }

    /// Sends every further batch to `receiver` too, as to a hub: for programs that embed the server. A receiver with a
    /// full mailbox misses batches.
    pub async fn attach(&self, receiver: Recipient<Batch>) {
        // The feed ends only with the process.
        let _ = self.feed.send(Attach(receiver)).await;
    }

    /// Returns the counters.
    pub fn metrics(&self) -> SharedMetrics {
        self.metrics.clone()
    }

    /// Serves until `shutdown` is ready. Then sends `goodbye` to every session and closes it with 1001, spread over
    /// `server.drain_ms`, and returns when all connections have ended or after `server.shutdown_grace_ms`.
    ///
    /// # Errors
    ///
    /// Returns at once, without `goodbye`, if a hub, the feed, the history or a thread that accepts connections has
    /// ended.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { server, hubs, watchdog, arbiters, grace, drain: over, .. } = self;
        let handle = server.handle();
        let mut server = actix_web::rt::spawn(server);
        tokio::select! {
            () = shutdown => {}
            failure = watchdog.watch() => return Err(failure),
            _ = &mut server => return Err(io::Error::other("what accepts connections has ended")),
        }
        log::info!("shutting down grace_ms={}", grace.as_millis());
        if tokio::time::timeout(grace, drain(&hubs, over, &handle)).await.is_err() {
            log::warn!("shutdown grace is over, connections are dropped");
        }
        for arbiter in arbiters {
            arbiter.stop();
        }
        match tokio::time::timeout(Duration::ZERO, server).await {
            Ok(Ok(result)) => result,
            // Either the grace period is over, or the task has ended with its runtime: there is nothing to wait for.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// Logs the addresses of the server, the reduced number of sessions if descriptors are short, and whether its key is public.
fn announce(settings: &Settings, symbols: usize, listeners: &Listeners, shortage: Option<String>) {
    let https = listeners.https.as_ref().map(|(listener, _)| listener);
    let urls = [("url=http", listeners.http.as_ref()), ("tls_url=https", https)];
    let url = |(name, listener): (&str, Option<&Listener>)| {
        listener.map_or(String::new(), |listener| format!("{name}://{}/ ", listener.address))
    };
    // One line for both, because the second part qualifies the first.
    let level = if shortage.is_some() { log::Level::Warn } else { log::Level::Info };
    log::log!(
        level,
        "listening {}workers={} symbols={symbols} seed={} events_per_second={}{}",
        urls.map(url).concat(),
        settings.server.worker_threads(),
        settings.feed.seed,
        settings.feed.events_per_second,
        shortage.unwrap_or_default(),
    );
    if !settings.auth.required && settings.keys.is_public(listeners.are_loopback()) {
        log::warn!(
            "keys.pairs has the secret tickcast, which everybody knows, and the server listens beyond loopback: other machines may \
             use the streams and addresses of vendors; list keys of your own"
        );
    }
    for (name, listener) in urls {
        for address in listener.map(|listener| listener.others.clone()).unwrap_or_default() {
            log::info!("listening also {name}://{address}/");
        }
    }
}

fn watchdog(parts: Vec<Part>, hubs: Hubs, hub_config: &HubConfig, settings: &Settings) -> Watchdog {
    let behind_max = Duration::from_millis(settings.server.behind_max_ms);
    let (metrics, pauses) = (hub_config.metrics.clone(), hub_config.pauses.clone());
    Watchdog { parts, hubs, health: Arc::default(), metrics, pauses, behind_max }
}

/// Returns the parts that must live, beside the hubs.
fn parts(
    history: &Addr<History>,
    archive: &ArchiveReader,
    feed: &Recipient<Attach>,
    listeners: &Listeners,
) -> Result<Vec<Part>, StartError> {
    let (history, archive, feed) = (history.clone(), archive.clone(), feed.clone());
    let mut parts = vec![
        Part { name: "the feed".into(), is_alive: Box::new(move || feed.connected()) },
        Part { name: "the history".into(), is_alive: Box::new(move || history.connected()) },
        Part { name: "the reader of bars".into(), is_alive: Box::new(move || archive.is_alive()) },
    ];
    let https = listeners.https.iter().map(|(listener, _)| listener);
    for socket in listeners.http.iter().chain(https).flat_map(|listener| &listener.sockets) {
        let name =
            socket.local_addr().map_or_else(|_| "a listener".into(), |address| format!("the listener of {address}"));
        let socket = socket.try_clone().map_err(StartError::Socket)?;
        let is_alive = Box::new(move || socket2::SockRef::from(&socket).is_listener().unwrap_or(false));
        parts.push(Part { name, is_alive });
    }
    Ok(parts)
}

/// Returns the configuration of the page `/handshake` for a server at these addresses. The server connects to itself
/// over plain HTTP if it can.
fn inspector(
    settings: &Settings,
    address: Option<SocketAddr>,
    secure: Option<(SocketAddr, &Arc<Certificate>)>,
) -> Inspector {
    let secure = secure.map(|(address, certificate)| (address, Some(pinned::connector(certificate))));
    let reached = address.map(|address| (address, None)).or(secure);
    let (address, tls) = reached.expect("settings without HTTP have a certificate");
    Inspector::new(settings.handshake.clone(), address, tls)
}

/// Ends all sessions within the time `over`, while the listener still refuses new ones with 503; then waits for all
/// connections to end.
async fn drain(hubs: &Hubs, over: Duration, handle: &ServerHandle) {
    let hubs = std::mem::take(&mut *hubs.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let drained: Vec<_> = hubs.iter().map(|hub| hub.send(Drain { over, retry_after_ms: RETRY_AFTER_MS })).collect();
    for drained in drained {
        // A hub that has ended has no session left.
        let _ = drained.await;
    }
    handle.stop(true).await;
}

#[cfg(test)]
mod tests {
    use crate::domain::SystemClock;

    use super::*;

    #[actix_web::test]
    async fn when_the_thread_of_the_history_or_of_the_feed_ends_the_server_ends_with_an_error() {
        for (index, failure) in ["the history has ended", "the feed has ended"].into_iter().enumerate() {
            let mut settings = Settings::default();
            settings.server.port = 0;
            settings.server.workers = 1;
            let application = Application::start(&settings, Arc::new(SystemClock)).unwrap();
            assert!(application.arbiters[index].stop());
            let running = application.run(std::future::pending());
            let ended = tokio::time::timeout(Duration::from_mins(1), running).await.expect("it ends");
            assert_eq!(ended.unwrap_err().to_string(), failure);
        }
    }
}
