//! Connections and their bytes: WebSocket, server-sent events, polling, REST, and the pages.
//!
//! Subscriptions and their limits belong to `session`, the fan-out of events to `hub`.

mod admin;
mod audited;
mod bars;
mod connection;
mod delayed;
mod faults;
mod feed;
mod foreign;
mod forwarded;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod gzip;
mod hosts;
mod inspect;
mod liveness;
mod messages;
mod operator;
mod origin;
mod page;
#[cfg(test)]
mod plain;
mod pieces;
mod poll;
mod problem;
mod protection;
mod publish;
mod query;
mod replay;
mod rest;
mod second_look;
mod sse;
mod status;
mod ticket;
mod traffic;
mod turnstile;
mod vendor;
mod websocket;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Recipient;
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder, guard, web};
use tokio::sync::Semaphore;

use crate::access::{Identity, Keys};
use crate::audit::{Audit, Entry, Event};
use crate::domain::Clock;
use crate::feed::FeedOrder;
use crate::feed::replay::ReplayFolder;
use crate::history::ArchiveReader;
use crate::hub::{Ender, SessionFacts, SharedRouter};
use crate::metrics::SharedMetrics;
use crate::protocol::Dialect;
use crate::session::{Session, SessionConfig};

pub use admin::{Admin, AdminConfig, Controls, Hubs, OperatorsUnknown, Past, Point, Site};
pub use connection::{ConnectionConfig, ConnectionLimits, ConnectionTable, SocketConfig, TlsSetup, connections};
pub use delayed::DelayedStream;
pub use faults::WorkerFaults;
pub use foreign::ForeignOrigins;
pub use forwarded::{Proxies, ProxyHeaders};
pub use hosts::AllowedHosts;
pub use inspect::{Inspector, InspectorConfig};
pub use origin::AllowedOrigins;
pub use problem::Problem;
pub use publish::PublishDesk;
pub use status::Health;
pub use traffic::Traffic;
pub use turnstile::{Order, Turnstile};
pub use websocket::{MessageHandler, Opening, Reading};

use connection::state::ConnectionState;
use replay::Played;

/// The target of log records about invalid requests: the HTTP library that parses them.
pub const HTTP_LIBRARY: &str = "actix_http";

/// The state of one worker thread that its handlers use.
#[derive(Clone)]
pub struct Worker {
    /// The router of this thread's hub, of the stream of the present.
    pub router: SharedRouter,
    /// The delayed streams.
    pub delayed: Rc<[DelayedStream]>,
    /// Obeys orders about the time of the market.
    pub feed: Recipient<FeedOrder>,
    /// The files that clients may have played for themselves.
    pub replays: Arc<ReplayFolder>,
    /// Publishes the events of publishers.
    pub publish: Rc<PublishDesk>,
    /// Reads bars.
    pub archive: ArchiveReader,
    /// One permit per read of bars, `server.bars_reads_max`.
    pub bars_reads: Arc<Semaphore>,
    /// One permit per response of bars that is being produced for this worker; further ones wait in order.
    pub bars_answers: Rc<Semaphore>,
    /// Limits the responses and pieces of responses that this thread produces in one turn.
    pub answer_turns: Rc<Turnstile>,
    /// Limits the connections of all listeners that begin or end on this thread in one turn.
    pub connection_turns: Rc<Turnstile>,
    /// Limits of a session.
    pub session: Rc<SessionConfig>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The path before every address, `server.base_path`; empty by default.
    pub base_path: String,
    /// The most sessions of the whole process, `server.connections_max`.
    pub connections_max: usize,
    /// The most bytes that are written to a session at once, `server.write_buffer_bytes`.
    pub write_buffer_bytes: usize,
    /// The keys of the clients, and their sessions, in the whole process.
    pub keys: Arc<Keys>,
    /// The costs of each client.
    pub traffic: Arc<Traffic>,
    /// The connections of this thread.
    pub connections: Rc<ConnectionTable>,
    /// The audit log.
    pub audit: Arc<Audit>,
    /// The listener of the operators, if there is one.
    pub admin: Option<Arc<Admin>>,
    /// The proxies that are believed.
    pub proxies: Proxies,
    /// Names under which the server may be addressed, `server.hosts`.
    pub hosts: AllowedHosts,
    /// Pages that may open sessions, `server.allowed_origins`.
    pub allowed_origins: AllowedOrigins,
    /// Pages that may show `/embed` in a frame, `server.embed_origins`.
    pub embed_origins: AllowedOrigins,
    /// Origins that were refused, in the whole process.
    pub foreign_origins: Arc<ForeignOrigins>,
    /// The backend of the page `/handshake`, in the whole process.
    pub inspector: Arc<Inspector>,
    /// Faults on request.
    pub faults: Rc<WorkerFaults>,
    /// Whether the parts of the server make progress.
    pub health: Arc<Health>,
    /// How long the server takes to close all sessions when it shuts down.
    pub drain: Duration,
}

impl Worker {
    /// Returns the worker that serves this request.
    ///
    /// # Panics
    ///
    /// Panics if the application was built without a worker.
    fn of(request: &HttpRequest) -> &Self {
        request.app_data::<Rc<Self>>().expect("app::run gives every worker its data")
    }

    /// Returns the counters of the server.
    fn metrics(&self) -> SharedMetrics {
        self.router.borrow().config().metrics.clone()
    }

    /// Checks whether another session of the client may begin, and counts a refusal. Exempts the connection from being closed to make
    /// room.
    fn admit(&self, request: &HttpRequest) -> Result<(), Problem> {
        self.stream_of(&gate::identity(request))?;
        self.ready().inspect_err(|_| {
            let metrics = self.metrics();
            let is_draining = self.router.borrow().is_draining();
            let refused =
                if is_draining { &metrics.connections_refused_draining } else { &metrics.connections_refused };
            refused.inc();
        })?;
        ConnectionState::keep_place(request);
        Ok(())
    }

    /// Checks that the request comes from a page that may open a session, or from no page.
    fn check_origin(&self, request: &HttpRequest) -> Result<(), Problem> {
        self.allowed_origins.check(request).map_err(|origin| {
            self.refuse_origin(request, &origin);
            Problem::forbidden_origin(format!("pages of {origin} may not connect (server.allowed_origins)"))
        })
    }

    /// Checks that the request comes from a page of this server, or from no page.
    fn check_own_origin(&self, request: &HttpRequest) -> Result<(), Problem> {
        origin::check_own(request).map_err(|origin| {
            self.refuse_origin(request, &origin);
            Problem::forbidden_origin(format!("this address is for the server's own pages, not for those of {origin}"))
        })
    }

    /// Writes an event of this request into the audit log.
    fn record(&self, request: &HttpRequest, event: Event, name: &str, reason: &str) {
        let address = gate::caller(request).address;
        self.audit.record(event, Entry { name, address, reason, ..Entry::default() });
    }

    fn refuse_origin(&self, request: &HttpRequest, origin: &str) {
        self.metrics().origins_refused.inc();
        self.record(request, Event::OriginRefused, "", origin);
        self.foreign_origins.log(origin, Instant::now());
    }

    /// Checks whether another session could begin.
    fn ready(&self) -> Result<(), Problem> {
        let router = self.router.borrow();
        if router.is_draining() {
            let left_ms = router.drain_left_ms(Instant::now());
            return Err(Problem::unavailable("the server is shutting down").after_ms(left_ms).closing());
        }
        drop(router);
        if usize::try_from(self.metrics().sessions.get()).unwrap_or(0) >= self.connections_max {
            return Err(Problem::unavailable("too many sessions (server.connections_max)").closing());
        }
        Ok(())
    }

    /// Begins a session of this client, whom [`Self::admit`] has let in, over this transport (`websocket`, `stream` or `poll`), under
    /// this random name: of the market, or with a replay of its own.
    fn join<D: Dialect>(
        &self,
        identity: &Identity,
        request: &HttpRequest,
        (transport, name): (&'static str, &str),
        ender: Option<Ender>,
        played: Option<Played>,
    ) -> (Session, Rc<SessionFacts>) {
        let now = Instant::now();
        // If the stream has stopped meanwhile, its hub is about to end this session, too, before it gets anything.
        let (router, playback) = match played {
            Some(Played { router, playback }) => (router, Some(playback)),
            None => (self.find_stream(identity).expect("admit has found the stream").router.clone(), None),
        };
        let mut session = Session::join::<D>(router.clone(), self.session.clone(), self.clock.clone(), ender, now);
        session.entitle(identity, Some(&self.keys));
        if let Some(playback) = playback {
            session.play(playback);
        }
        let id = u64::from_str_radix(name, 16).unwrap_or_default();
        let address = gate::caller(request).address;
        let facts = SessionFacts::new(id, transport, D::NAME, address, identity.name(), now);
        router.borrow_mut().enrol(session.key(), facts.clone());
        session.set_payer(self.keys.payer(address, identity));
        (session, facts)
    }
}

/// Returns a random hexadecimal name for a session or for the stream of a process.
pub fn random_name() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Adds every route below `server.base_path` to an application whose data contain this worker. The probes are also at the root,
/// because monitoring does not go through the proxy.
fn routes(worker: &Worker, config: &mut web::ServiceConfig) {
    let base = &worker.base_path;
    if base.is_empty() {
        addresses(worker, config);
    } else {
        probes(config);
        config
            .service(vendor::finnhub::stream_at(base))
            .service(web::redirect(base.clone(), format!("{base}/")))
            .service(web::scope(base).configure(|config| addresses(worker, config)));
    }
    config.default_service(web::to(problem::not_found));
}

fn probes(config: &mut web::ServiceConfig) {
    config
        .service(reading("/healthz", status::healthz))
        .service(reading("/readyz", status::readyz))
        .service(reading("/metrics", status::metrics));
}

fn addresses(worker: &Worker, config: &mut web::ServiceConfig) {
    probes(config);
    let api = web::scope("/api/v1")
        .wrap(worker.allowed_origins.cors(worker.keys.is_guarded()))
        .service(reading("/poll", poll::poll))
        .service(reading("/stream", sse::stream))
        .service(reading("/replay", sse::replay))
        .service(reading("/symbols", rest::symbols))
        .service(reading("/snapshot", rest::snapshot))
        .service(reading("/bars", bars::bars))
        .service(reading("/traffic", traffic::traffic))
        .service(reading("/feed", feed::tell))
        .service(
            web::resource("/feed/{order}")
                .route(web::post().to(feed::order))
                .default_service(web::to(ticket::method_not_allowed)),
        )
        .service(
            web::resource("/publish")
                .route(web::post().to(publish::publish))
                .route(web::get().to(publish::open))
                .default_service(web::to(publish::method_not_allowed)),
        )
        .service(
            web::resource("/ticket")
                .route(web::post().to(ticket::issue))
                .default_service(web::to(ticket::method_not_allowed)),
        );
    for resource in faults::rest::resources() {
        config.service(resource);
    }
    config
        // Clients often join addresses from parts that end and begin with a slash.
        .service(reading("/ws", replay::native))
        .service(reading("/ws/", replay::native))
        .service(reading("//ws", replay::native))
        .configure(vendor::addresses)
        .service(api)
        .configure(vendor::alpaca::addresses)
        .configure(vendor::massive::addresses)
        .service(vendor::finnhub::stream_at("/"))
        .service(reading("/", page::index))
        .service(reading("/compare", page::compare))
        .service(reading("/handshake", page::handshake))
        .service(reading("/embed", page::embed))
        .service(reading("/handshake/capture", inspect::observe))
        .service(reading("/handshake/ws", inspect::open))
        .service(reading("/handshake/attempt", inspect::attempt))
        // The references of a page are relative.
        .service(web::redirect("/compare/", "../compare"))
        .service(web::redirect("/handshake/", "../handshake"))
        .service(reading("/static/{path:.*}", page::asset));
}

/// Returns a resource that opens a WebSocket for each request and gives its messages to an `H`. An application may add it
/// beside [`routes`].
pub fn websocket<H: MessageHandler>(path: &str) -> Resource {
    reading(path, websocket::open::<H>)
}

/// Returns a resource that responds to GET and HEAD (RFC 9110 section 9.1), and with 405 to other methods.
fn reading<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let methods = guard::Any(guard::Get()).or(guard::Head());
    let route = web::route().guard(methods).to(handler);
    web::resource(path).route(route).default_service(web::to(problem::method_not_allowed))
}
