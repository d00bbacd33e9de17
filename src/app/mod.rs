//! The whole: settings, wiring of actors, listening, the orderly end.
//!
//! [`Application::start`] binds and starts everything; [`Application::run`] serves until it is told to end.

mod clock;
mod market;
mod settings;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Addr, ArbiterHandle, Recipient};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::ServiceConfig;

use crate::domain::Clock;
use crate::feed::simulated::SimulatorError;
use crate::feed::{Attach, Batch};
use crate::hub::{Drain, Hub, HubConfig, Ready};
use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::{ConnectionConfig, Handshakes, SocketConfig, Traffic, Worker, connections, random_name};

pub use clock::SystemClock;
pub use settings::{ServerConfig, Settings, SettingsError};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// Connections that each worker takes beyond `server.connections_max`, so that those refused are told so, and probes are
/// answered.
const CONNECTIONS_SPARE: usize = 256;
/// How much later than a session's stall the kernel ends its connection, so that the session can count the reason.
const USER_TIMEOUT_MARGIN: Duration = Duration::from_secs(1);
/// Clients of a server that goes down are told to come back within this time, each at another moment, in milliseconds.
const RETRY_AFTER_MS: std::ops::Range<u64> = 500..1_500;

/// Why the server cannot start. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are not usable.
    #[error("bad configuration: {0}")]
    Settings(#[from] SettingsError),
    /// The feed cannot be made from these settings.
    #[error("bad configuration: {0}")]
    Feed(#[from] SimulatorError),
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        /// `server.host`.
        host: String,
        /// `server.port`.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
}

/// A server that has been started.
pub struct Application {
    server: Server,
    address: SocketAddr,
    hubs: Hubs,
    attach: AttachFn,
    arbiters: [ArbiterHandle; 2],
    grace: Duration,
    drain: Duration,
    metrics: SharedMetrics,
}

/// Attaches a receiver of batches to the feed.
type AttachFn = Arc<dyn Fn(Attach) -> Attaching + Send + Sync>;
type Attaching = Pin<Box<dyn Future<Output = ()>>>;

/// Routes of a program that embeds the server.
type MoreRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// The hub of every worker that has been started.
type Hubs = Arc<Mutex<Vec<Addr<Hub>>>>;

impl Application {
    /// Binds the address, makes the market's past and starts all actors and workers. Must be called within an actix
    /// system.
    ///
    /// # Errors
    ///
    /// Returns what keeps the server from starting: settings, or the address.
    pub fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        Self::start_with(settings, clock, |_| {})
    }

    /// Does what [`Application::start`] does and adds routes before those of the service: for programs that embed the server.
    ///
    /// # Errors
    ///
    /// Returns what keeps the server from starting: settings, or the address.
    pub fn start_with(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        more_routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        let listener = listen(&settings.server)?;
        let address = listener.local_addr().map_err(|source| listen_error(&settings.server, source))?;
        let metrics: SharedMetrics = Arc::new(Metrics::default());
        let market = market::start(settings, clock.clone(), metrics.clone())?;
        let hub_config = HubConfig {
            table: market.table.clone(),
            epoch: random_name().into(),
            head: market.head.clone(),
            push: settings.push,
            metrics: metrics.clone(),
        };
        let workers = match settings.server.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        };
        log::info!(
            "listening url=http://{address}/ workers={workers} symbols={} seed={} events_per_second={}",
            market.table.len(),
            settings.feed.seed,
            settings.feed.events_per_second,
        );
        let hubs = Hubs::default();
        let (history, feed) = (market.history, market.feed);
        let traffic = Arc::new(Traffic::new(settings.server.traffic_clients_max, metrics.clone()));
        let handshakes = Arc::new(Handshakes::new(settings.handshake.clone(), Some(address)));
        let parts = WorkerParts {
            hub_config,
            hubs: hubs.clone(),
            history,
            clock,
            settings: settings.clone(),
            traffic,
            handshakes,
            more_routes: Arc::new(more_routes),
        };
        let attach: AttachFn = Arc::new(move |hub| {
            let attached = feed.send(hub);
            // The feed ends only with the process.
            Box::pin(async move {
                let _ = attached.await;
            })
        });
        let server = serve(parts, attach.clone(), listener, workers);
        let server = server.map_err(|source| listen_error(&settings.server, source))?;
        let grace = Duration::from_millis(settings.server.shutdown_grace_ms);
        let drain = Duration::from_millis(settings.server.drain_ms).min(grace / 2);
        Ok(Self { server, address, hubs, attach, arbiters: market.arbiters, grace, drain, metrics })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands every batch from now on to `receiver` too, as to a hub: for programs that embed the server. A receiver whose
    /// mailbox is full misses batches.
    pub async fn attach(&self, receiver: Recipient<Batch>) {
        (self.attach)(Attach(receiver)).await;
    }

    /// Returns the counters.
    pub fn metrics(&self) -> SharedMetrics {
        self.metrics.clone()
    }

    /// Serves until `shutdown` is ready; then says goodbye to every session and closes it with 1001, one after the other over
    /// `server.drain_ms`, and returns when all connections have ended or `server.shutdown_grace_ms` is over.
    ///
    /// # Errors
    ///
    /// Returns what has made the server fail.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { server, hubs, arbiters, grace, drain: over, .. } = self;
        let handle = server.handle();
        let server = actix_web::rt::spawn(server);
        shutdown.await;
        log::info!("shutting down grace_ms={}", grace.as_millis());
        if tokio::time::timeout(grace, drain(&hubs, over, &handle)).await.is_err() {
            log::warn!("shutdown grace is over, connections are dropped");
        }
        for arbiter in arbiters {
            arbiter.stop();
        }
        match tokio::time::timeout(Duration::ZERO, server).await {
            Ok(Ok(result)) => result,
            // The grace is over, or the task is gone with its runtime: nothing is left to wait for.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// Says goodbye everywhere within the time `over`, while the listener still tells newcomers to go elsewhere; then waits for
/// all connections to end.
async fn drain(hubs: &Hubs, over: Duration, handle: &ServerHandle) {
    let hubs = std::mem::take(&mut *hubs.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let drained: Vec<_> = hubs.iter().map(|hub| hub.send(Drain { over, retry_after_ms: RETRY_AFTER_MS })).collect();
    for drained in drained {
        // A hub that is gone has no session left.
        let _ = drained.await;
    }
    handle.stop(true).await;
}

/// What every worker is made from.
#[derive(Clone)]
struct WorkerParts {
    hub_config: HubConfig,
    hubs: Hubs,
    history: Addr<crate::history::History>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    more_routes: MoreRoutes,
    traffic: Arc<Traffic>,
    handshakes: Arc<Handshakes>,
}

impl WorkerParts {
    /// Starts the hub of this thread.
    fn start_hub(&self, attach: AttachFn) -> (Addr<Hub>, Rc<Worker>) {
        let (hub, router) = Hub::start(&self.hub_config, self.history.clone(), move |hub| attach(hub));
        self.hubs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(hub.clone());
        let worker = Worker {
            router,
            history: self.history.clone(),
            session: Rc::new(self.settings.session.clone()),
            clock: self.clock.clone(),
            connections_max: self.settings.server.connections_max,
            traffic: self.traffic.clone(),
            allowed_origins: self.settings.server.allowed_origins.clone(),
            handshakes: self.handshakes.clone(),
        };
        (hub, Rc::new(worker))
    }
}

fn serve(parts: WorkerParts, attach: AttachFn, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let server = parts.settings.server.clone();
    let config = ConnectionConfig {
        socket: SocketConfig {
            user_timeout: parts.settings.session.stall_timeout() + USER_TIMEOUT_MARGIN,
            unsent_bytes_max: server.unsent_bytes_max,
        },
        write_buffer_bytes: server.write_buffer_bytes,
    };
    let grace_seconds = server.shutdown_grace_ms.div_ceil(1_000);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(server.connections_max.saturating_add(CONNECTIONS_SPARE))
        .shutdown_timeout(grace_seconds)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let (hub, worker) = parts.start_hub(attach.clone());
        // The worker takes no connection before its hub has found its place in the stream.
        let ready = move || {
            let ready = hub.send(Ready);
            async move { ready.await.map_err(io::Error::other) }
        };
        let stopping = stopping.clone();
        let shutdown = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let more_routes = parts.more_routes.clone();
        connections(worker, config, ready, shutdown, move |config| more_routes(config))
    })?;
    Ok(builder.run())
}

fn listen(server: &ServerConfig) -> Result<TcpListener, StartError> {
    use std::net::ToSocketAddrs;
    let bind = || {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (server.host.as_str(), server.port).to_socket_addrs()? {
            match bind_one(address) {
                Ok(listener) => return Ok(listener),
                Err(err) => last = err,
            }
        }
        Err(last)
    };
    bind().map_err(|source| listen_error(server, source))
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn listen_error(server: &ServerConfig, source: io::Error) -> StartError {
    StartError::Listen { host: server.host.clone(), port: server.port, source }
}
