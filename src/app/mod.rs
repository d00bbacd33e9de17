//! The whole server: settings, wiring of actors, listeners, shutdown.
//!
//! [`Application::start`] binds and starts everything; [`Application::run`] serves until shutdown.

mod announce;
mod audit;
mod controls;
mod convert_command;
mod descriptors;
mod embedded;
mod keys;
mod kind;
mod layer;
mod listen;
mod log_filter;
mod logging;
mod market;
mod new_key;
mod operators;
mod past;
mod pinned;
mod read_arguments;
mod record_command;
mod replay_command;
mod serve;
mod server_config;
mod settings;
mod settings_error;
mod start_error;
mod state;
mod threads;
mod tls;
mod variable;
mod watchdog;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Addr, ArbiterHandle, Recipient};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::ServiceConfig;

use crate::access::{Keys, Networks};
use crate::app::market::{DelayedMarket, Market};
use crate::app::serve::{Listeners, WorkerParts, serve};
use crate::app::state::StateWriter;
use crate::app::watchdog::{Part, Watchdog};
use crate::audit::Audit;
use crate::domain::Clock;
use crate::faults::Faults;
use crate::feed::replay::ReplayFolder;
use crate::feed::{Attach, Batch};
use crate::history::{ArchiveReader, History};
use crate::hub::{Drain, HubConfig};
use crate::metrics::{Metrics, SharedMetrics};
use crate::record::Recorder;
use crate::transport::{Hubs, Inspector, Traffic};

pub use controls::ServerControls;
pub use convert_command::{ConversionError, ConvertCommand};
pub use descriptors::{check_open_files, raise_open_files};
pub use log_filter::{DEFAULT_FILTER, LogFilter};
pub use logging::{LogConfig, LogLines, ServerLog};
pub use market::Opened;
pub use new_key::{KeyCommand, NewKey};
pub use read_arguments::ReadArguments;
pub use record_command::RecordCommand;
pub use replay_command::ReplayCommand;
pub use server_config::ServerConfig;
pub use settings::Settings;
pub use settings_error::SettingsError;
pub use start_error::StartError;
pub use tls::{Certificate, TlsConfig, TlsError};
pub use watchdog::report_panics;

/// Range of the random delay, after the end of the drain, within which clients of a server that shuts down should
/// reconnect. In milliseconds.
const RETRY_AFTER_MS: std::ops::Range<u64> = 500..1_500;

/// A server that has been started.
pub struct Application {
    server: Server,
    address: Option<SocketAddr>,
    tls_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    controls: Arc<ServerControls>,
    audit: Arc<Audit>,
    keys: Arc<Keys>,
    hubs: Hubs,
    feed: Recipient<Attach>,
    watchdog: Watchdog,
    arbiters: [ArbiterHandle; 2],
    recorder: Option<Recorder>,
    state: Option<StateWriter>,
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

    /// Starts the server with the market that `start` starts.
    fn begin(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        more_routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
        start: impl FnOnce(&Settings, Arc<dyn Clock>, SharedMetrics) -> Result<Market, StartError>,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        let (settings, limits, shortage) = descriptors::fitted(settings)?;
        let settings = &settings;
        let ServerConfig { tls, port, .. } = &settings.server;
        let certificate = tls.is_on().then(|| Certificate::read(tls)).transpose()?.map(Arc::new);
        let listeners = Listeners::bind(settings, certificate.as_ref())?;
        let [address, tls_address, admin_address] = listeners.addresses();
        let metrics: SharedMetrics = Arc::new(Metrics::default());
        let keys = keys::of(settings, &listeners, clock.clone(), metrics.clone())?;
        let audit = audit::start(settings, clock.clone(), metrics.clone());
        let controls = ServerControls::new(keys.clone(), certificate.clone(), audit.clone());
        let workers = settings.server.worker_threads();
        threads::check(workers + threads::beside_workers(settings)).map_err(StartError::Thread)?;
        let replays = replays(settings, metrics.clone())?;
        let mut market = start(settings, clock.clone(), metrics.clone())?;
        let state = StateWriter::start(settings, &mut market, clock.clone(), metrics.clone())?;
        let hub_config = market.hub_config(settings, metrics.clone());
        announce::announce(settings, market.table.len(), &listeners, shortage, keys.summary());
        let (hubs, history, archive, feed) = (Hubs::default(), market.history, market.archive, market.feed);
        let mut watched = parts(&history, &archive, &feed, &listeners)?;
        watched
            .extend(market.delayed.iter().flat_map(DelayedMarket::parts).chain(state.as_ref().map(StateWriter::part)));
        let watchdog = watchdog(watched, hubs.clone(), &hub_config, settings);
        let traffic = Arc::new(Traffic::new(settings.server.traffic_clients_max, metrics.clone()));
        let admin = operators::admin(settings, &listeners, &hubs, &controls, &hub_config, &clock);
        let parts = WorkerParts {
            hub_config,
            hubs: hubs.clone(),
            feed: feed.clone(),
            history,
            archive,
            delayed: market.delayed,
            delayed_feed: market.delayed_feed,
            orders: market.orders,
            replays: Arc::new(replays),
            publish: market.publish,
            clock,
            settings: settings.clone(),
            limits,
            traffic,
            keys: keys.clone(),
            admin,
            audit: audit.clone(),
            foreign_origins: Arc::default(),
            inspector: Arc::new(inspector(settings, address, tls_address.zip(certificate.as_ref()))),
            health: watchdog.health.clone(),
            faults: Arc::new(Faults::new(&settings.faults, settings.fault_limits, metrics.clone(), Instant::now())),
            more_routes: Arc::new(more_routes),
        };
        let listen = |source| StartError::Listen { host: settings.server.host.clone(), port: *port, source };
        let server = serve(&parts, listeners, workers).map_err(listen)?;
        let (arbiters, recorder) = (market.arbiters, market.recorder);
        Ok(Self {
            server,
            address,
            tls_address,
            admin_address,
            controls,
            audit,
            keys,
            hubs,
            feed,
            watchdog,
            arbiters,
            recorder,
            state,
            grace: Duration::from_millis(settings.server.shutdown_grace_ms),
            drain: settings.server.drain(),
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

    /// Returns the address of the listener of the operators; `None` if there is none.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Returns the controls, with which key file and certificate can be read again while the server runs.
    pub fn controls(&self) -> Arc<ServerControls> {
        self.controls.clone()
    }

    /// Returns the keys, whose file can be reloaded while the server runs.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.clone()
    }

    /// Sends every further batch to `receiver` too, as to a hub: for programs that embed the server. A receiver with a
    /// full mailbox misses batches.
    pub async fn attach(&self, receiver: Recipient<Batch>) {
        // The feed ends only with the process.
        let _ = self.feed.send(Attach { batches: receiver, restarts: None, notices: None }).await;
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
    /// ended. Returns an error at the end if the last state of the market could not be written (`feed.state_file`).
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { server, hubs, watchdog, arbiters, recorder, state, grace, drain: over, controls, audit, .. } = self;
        let handle = server.handle();
        let mut server = actix_web::rt::spawn(server);
        tokio::select! {
            () = shutdown => {}
            () = controls.drained() => {}
            failure = watchdog.watch() => return Err(failure),
            _ = &mut server => return Err(io::Error::other("what accepts connections has ended")),
        }
        log::info!("shutting down grace_ms={}", grace.as_millis());
        if tokio::time::timeout(grace, drain(&hubs, over, &handle)).await.is_err() {
            log::warn!("shutdown grace is over, connections are dropped");
        }
        let kept = match state {
            Some(state) => state.finish().await,
            None => Ok(()),
        };
        for arbiter in arbiters {
            arbiter.stop();
        }
        recorder.iter().for_each(Recorder::finish);
        audit.finish();
        kept.and(match tokio::time::timeout(Duration::ZERO, server).await {
            Ok(Ok(result)) => result,
            // Either the grace period is over, or the task has ended with its runtime: there is nothing to wait for.
            Ok(Err(_)) | Err(_) => Ok(()),
        })
    }
}

/// Returns the files that clients may have played for themselves.
fn replays(settings: &Settings, metrics: SharedMetrics) -> Result<ReplayFolder, StartError> {
    let directory = &settings.feed.files_dir;
    ReplayFolder::new(&settings.feed, metrics)
        .map_err(|source| StartError::Files { directory: directory.into(), source })
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
    for socket in listeners.all().flat_map(|listener| &listener.sockets) {
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
    let ServerConfig { proxy_protocol, trusted_proxies, .. } = &settings.server;
    let proxies = if *proxy_protocol { trusted_proxies } else { &Networks::default() };
    Inspector::new(settings.handshake.clone(), address, tls, proxies)
}

/// Ends all sessions within the time `over`, while the listener still refuses new ones with 503; then waits for all
/// connections to end.
async fn drain(hubs: &Hubs, over: Duration, handle: &ServerHandle) {
    // Operators look at the sessions until the last one has left.
    let hubs = hubs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
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
