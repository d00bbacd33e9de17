//! Starts the worker threads: one hub each, and the connections of every listener.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actix::{Addr, Recipient, WeakAddr};
use actix_web::dev::Server;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::access::Keys;
use crate::app::listen::Listener;
use crate::app::market::DelayedMarket;
use crate::app::settings::Settings;
use crate::app::{Certificate, MoreRoutes, StartError, operators};
use crate::audit::Audit;
use crate::domain::Clock;
use crate::faults::Faults;
use crate::feed::publish::Publish;
use crate::feed::replay::ReplayFolder;
use crate::feed::{Attach, AttachDelayed, FeedOrder, Newcomers};
use crate::history::{ArchiveReader, History};
use crate::hub::{Hub, HubConfig, Ready};
use crate::transport::{
    Admin, ConnectionConfig, ConnectionLimits, ConnectionTable, DelayedStream, ForeignOrigins, Health, Hubs, Inspector,
    Order, Proxies, PublishDesk, Site, SocketConfig, TlsSetup, Traffic, Turnstile, Worker, WorkerFaults, connections,
};

/// Delay between the end of a stalled session and that of its connection, so that the session can count the reason
/// first.
const TAKE_TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

/// Reads of bars that run for one worker at once: about as many answers are sent in one of its turns.
const BARS_ANSWERS_MAX: usize = 16;

/// The sockets to serve.
pub(super) struct Listeners {
    pub(super) http: Option<Listener>,
    pub(super) https: Option<(Listener, Arc<rustls::ServerConfig>)>,
    /// That of the operators.
    pub(super) admin: Option<OperatorListener>,
}

/// The listener of the operators, over TLS or not.
pub(super) type OperatorListener = (Listener, Option<Arc<rustls::ServerConfig>>);

impl Listeners {
    /// Listens wherever the settings say.
    ///
    /// # Errors
    ///
    /// Returns the first address that cannot be listened on, or may not be.
    pub(super) fn bind(settings: &Settings, certificate: Option<&Arc<Certificate>>) -> Result<Self, StartError> {
        let server = &settings.server;
        let bind = |port| Listener::bind(&server.host, port);
        let http = (!server.tls.only).then(|| bind(server.port)).transpose()?;
        let https = match certificate {
            Some(certificate) => Some((bind(server.tls.port)?, certificate.clone().server_config())),
            None => None,
        };
        Ok(Self { http, https, admin: operators::listener(settings, certificate)? })
    }

    /// Returns the first address of HTTP, of HTTPS, and of the operators.
    pub(super) fn addresses(&self) -> [Option<SocketAddr>; 3] {
        let http = self.http.as_ref();
        let https = self.https.as_ref().map(|(listener, _)| listener);
        let admin = self.admin.as_ref().map(|(listener, _)| listener);
        [http, https, admin].map(|listener| listener.map(|listener| listener.address))
    }

    /// Returns whether only clients of this machine can connect.
    pub(super) fn are_loopback(&self) -> bool {
        self.http.iter().chain(self.https.iter().map(|(listener, _)| listener)).all(Listener::is_loopback)
    }

    /// Returns all listeners.
    pub(super) fn all(&self) -> impl Iterator<Item = &Listener> {
        let https = self.https.iter().map(|(listener, _)| listener);
        self.http.iter().chain(https).chain(self.admin.iter().map(|(listener, _)| listener))
    }
}

/// Everything that a worker is made from.
#[derive(Clone)]
pub(super) struct WorkerParts {
    pub(super) hub_config: HubConfig,
    pub(super) hubs: Hubs,
    pub(super) feed: Recipient<Attach>,
    pub(super) history: Addr<History>,
    pub(super) archive: ArchiveReader,
    pub(super) delayed: Vec<DelayedMarket>,
    pub(super) delayed_feed: Recipient<AttachDelayed>,
    pub(super) orders: Recipient<FeedOrder>,
    pub(super) replays: Arc<ReplayFolder>,
    pub(super) publish: Recipient<Publish>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) limits: ConnectionLimits,
    pub(super) traffic: Arc<Traffic>,
    pub(super) keys: Arc<Keys>,
    pub(super) admin: Option<Arc<Admin>>,
    pub(super) audit: Arc<Audit>,
    pub(super) foreign_origins: Arc<ForeignOrigins>,
    pub(super) inspector: Arc<Inspector>,
    pub(super) health: Arc<Health>,
    pub(super) faults: Arc<Faults>,
    pub(super) more_routes: MoreRoutes,
}

thread_local! {
    /// Shared by the listeners of one worker thread, which keep it alive. A worker thread belongs to one server and
    /// ends with it.
    static SHARED: RefCell<Option<(WeakAddr<Hub>, Weak<Worker>)>> = const { RefCell::new(None) };
}

impl WorkerParts {
    /// Returns the hub of this thread and the state for its handlers; starts them for the first listener.
    fn worker(&self) -> (Addr<Hub>, Rc<Worker>) {
        SHARED.with_borrow_mut(|shared| {
            let running = shared.as_ref().and_then(|(hub, worker)| Some((hub.upgrade()?, worker.upgrade()?)));
            running.unwrap_or_else(|| {
                let (hub, worker) = self.start_worker();
                *shared = Some((hub.downgrade(), Rc::downgrade(&worker)));
                (hub, worker)
            })
        })
    }

    fn start_worker(&self) -> (Addr<Hub>, Rc<Worker>) {
        let feed = self.feed.clone();
        let (hub, router) = Hub::start(&self.hub_config, self.history.clone(), move |hub| {
            let attached = feed.send(Attach {
                batches: hub.clone().recipient(),
                restarts: Some(hub.clone().recipient()),
                notices: Some(hub.recipient()),
            });
            // The feed ends only with the process.
            Box::pin(async move {
                let _ = attached.await;
            })
        });
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).push(hub.clone());
        let delayed: Vec<_> = self.delayed.iter().map(|market| self.start_delayed(market)).collect();
        let server = &self.settings.server;
        let routers = std::iter::once(router.clone()).chain(delayed.iter().map(|stream| stream.router.clone()));
        let faults = WorkerFaults::start(self.faults.clone(), routers.collect(), self.settings.session.close_timeout());
        let worker = Worker {
            faults,
            connections: ConnectionTable::new(self.limits, self.hub_config.metrics.clone()),
            router,
            delayed: delayed.into(),
            feed: self.orders.clone(),
            replays: self.replays.clone(),
            publish: self.publish_desk(),
            archive: self.archive.clone(),
            bars_reads: Arc::new(Semaphore::new(self.settings.server.bars_reads_max)),
            bars_answers: Rc::new(Semaphore::new(BARS_ANSWERS_MAX)),
            answer_turns: Turnstile::paced(
                server.turn_answers_max,
                Order::OldestFirst,
                self.hub_config.metrics.answers_delayed.clone(),
                self.health.clone(),
            ),
            connection_turns: Turnstile::new(
                server.turn_connections_max,
                Order::NewestFirst,
                self.hub_config.metrics.connections_delayed.clone(),
                self.health.clone(),
            ),
            session: Rc::new(self.settings.session.clone()),
            clock: self.clock.clone(),
            base_path: self.settings.server.base_path.clone(),
            connections_max: server.connections_max,
            write_buffer_bytes: server.write_buffer_bytes,
            traffic: self.traffic.clone(),
            keys: self.keys.clone(),
            admin: self.admin.clone(),
            audit: self.audit.clone(),
            proxies: Proxies { trusted: server.trusted_proxies.clone(), headers: server.proxy_headers },
            hosts: server.hosts.or_own(&server.host),
            allowed_origins: server.allowed_origins.clone(),
            embed_origins: server.embed_origins.clone(),
            foreign_origins: self.foreign_origins.clone(),
            inspector: self.inspector.clone(),
            health: self.health.clone(),
            drain: self.settings.server.drain(),
        };
        (hub, Rc::new(worker))
    }

    fn publish_desk(&self) -> Rc<PublishDesk> {
        let (config, table) = (self.settings.feed.publish.clone(), &self.hub_config.table);
        Rc::new(PublishDesk {
            feed: self.publish.clone(),
            reads: Semaphore::new(config.requests_max),
            body_timeout: Duration::from_millis(self.settings.server.request_timeout_ms),
            newcomers: table.grows().then(|| Arc::new(Newcomers::new(table.clone(), self.hub_config.metrics.clone()))),
            config,
        })
    }

    /// Starts the hub of this thread for a delayed stream.
    fn start_delayed(&self, market: &DelayedMarket) -> DelayedStream {
        let (feed, delay_ms) = (self.delayed_feed.clone(), market.gate.delay_ms());
        let config = market.hub_config(&self.hub_config);
        let (hub, router) = Hub::start(&config, market.history.clone(), move |hub| {
            let (batches, sessions) = (hub.clone().recipient(), hub.recipient());
            let attached = feed.send(AttachDelayed { delay_ms, batches, sessions });
            Box::pin(async move {
                let _ = attached.await;
            })
        });
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).push(hub.clone());
        DelayedStream { hub, router, archive: market.archive.clone(), gate: market.gate.clone() }
    }

    fn connection_config(&self, tls: Option<Arc<rustls::ServerConfig>>, site: Site) -> ConnectionConfig {
        let server = &self.settings.server;
        let tls = tls.map(|tls| TlsSetup {
            acceptor: TlsAcceptor::from(tls),
            handshake_timeout: server.tls.handshake_timeout(),
            buffer_bytes: server.write_buffer_bytes,
        });
        ConnectionConfig {
            socket: SocketConfig {
                take_timeout: self.settings.session.stall_timeout() + TAKE_TIMEOUT_MARGIN,
                take_bytes_min: self.settings.session.stall_bytes_min,
                keepalive: Duration::from_millis(server.tcp_keepalive_ms),
                unsent_bytes_max: server.unsent_bytes_max,
            },
            request_timeout: Duration::from_millis(server.request_timeout_ms),
            keep_alive: Duration::from_millis(server.keep_alive_ms),
            request_head_bytes_max: server.request_head_bytes_max,
            write_buffer_bytes: server.write_buffer_bytes,
            // Operators come without the proxies of the clients.
            proxied: (server.proxy_protocol && site == Site::Clients).then(|| server.trusted_proxies.clone()),
            tls,
            site,
            hsts_s: server.hsts_s,
        }
    }
}

/// Starts the workers.
///
/// # Errors
///
/// Returns the error of the operating system if a listening socket cannot be registered.
pub(super) fn serve(parts: &WorkerParts, listeners: Listeners, workers: usize) -> io::Result<Server> {
    let server = &parts.settings.server;
    // A worker with one connection too many closes another one, which takes a turn to end.
    let connections_max = parts.limits.each.saturating_add(server.turn_connections_max).saturating_add(1);
    let mut builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_max)
        .shutdown_timeout(server.shutdown_grace_ms.div_ceil(1_000))
        .disable_signals();
    let http = listeners.http.map(|listener| (listener, None, Site::Clients));
    let https = listeners.https.map(|(listener, tls)| (listener, Some(tls), Site::Clients));
    let admin = listeners.admin.map(|(listener, tls)| (listener, tls, Site::Operators));
    for (listener, tls, site) in http.into_iter().chain(https).chain(admin) {
        let (parts, stopping) = (parts.clone(), builder.graceful_shutdown_signal());
        let config = parts.connection_config(tls, site);
        for socket in listener.sockets {
            let (parts, config, stopping) = (parts.clone(), config.clone(), stopping.clone());
            builder = builder.listen(listener.address.to_string(), socket, move || {
                let (hub, worker) = parts.worker();
                // The worker accepts no connection before its hubs have read their streams.
                let hubs: Vec<_> = worker.delayed.iter().map(|stream| stream.hub.clone()).chain([hub]).collect();
                let ready = move || {
                    let ready: Vec<_> = hubs.iter().map(|hub| hub.send(Ready)).collect();
                    async move {
                        for ready in ready {
                            ready.await.map_err(io::Error::other)?;
                        }
                        Ok::<(), io::Error>(())
                    }
                };
                let stopping = stopping.clone();
                let shutdown = move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                };
                let more_routes = parts.more_routes.clone();
                connections(worker, config.clone(), ready, shutdown, move |config| more_routes(config))
            })?;
        }
    }
    Ok(builder.run())
}
