//! From an accepted TCP connection to answered requests: socket options, the meter, TLS, the HTTP/1 dispatcher, the routes.
//!
//! `actix_web::HttpServer` does the same for streams of its own only; this is its way of doing it, around ours.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{ConnectionType, HttpService, KeepAlive, Payload, Request};
use actix_service::{ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, Service, ServiceFactory, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};

use crate::metrics::SharedMetrics;
use crate::transport::activity::{Activity, Patience};
use crate::transport::answer::Answer;
use crate::transport::stream::{HandshakeError, OverTls, Stream, TlsSetup};
use crate::transport::tenure::Tenure;
use crate::transport::traffic::{Meter, Metered};
use crate::transport::turnstile::{Order, Turnstile};
use crate::transport::wire::Wire;
use crate::transport::{SocketConfig, Worker, pieces, problem, routes};

/// How connections are served.
#[derive(Clone)]
pub struct ConnectionConfig {
    /// The options of their sockets.
    pub socket: SocketConfig,
    /// Bytes that wait for one socket in the server before its outbox begins to fill.
    pub write_buffer_bytes: usize,
    /// How long a request may take to arrive, from its first byte; and the first one of a connection from when that was
    /// accepted.
    pub request_timeout: Duration,
    /// How long a connection stays open without a request.
    pub keep_alive: Duration,
    /// The longest head of a request, in bytes.
    pub request_head_bytes_max: usize,
    /// Connections that begin and end in one turn of a worker thread. At least 1.
    pub turn_connections_max: usize,
    /// TLS, for the listener of HTTPS.
    pub tls: Option<TlsSetup>,
}

/// Returns what serves the connections of one listener on one worker thread: it takes none before `ready` is, and lets go of
/// them when they are next idle once `shutdown` is. `more_routes` come before those of the service.
pub fn connections<ReadyFn, Ready, ReadyItem, ReadyError, ShutdownFn, Shutdown>(
    worker: Rc<Worker>,
    config: ConnectionConfig,
    ready: ReadyFn,
    shutdown: ShutdownFn,
    more_routes: impl FnOnce(&mut web::ServiceConfig) + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    ReadyFn: Fn() -> Ready + 'static,
    Ready: Future<Output = Result<ReadyItem, ReadyError>> + 'static,
    ReadyItem: 'static,
    ReadyError: std::fmt::Debug,
    ShutdownFn: Fn() -> Shutdown + 'static,
    Shutdown: Future<Output = ()> + 'static,
{
    let metrics = worker.metrics();
    let turnstile = Turnstile::new(
        config.turn_connections_max,
        Order::NewestFirst,
        metrics.connections_delayed.clone(),
        worker.health.clone(),
    );
    let (ours, places) = (worker.clone(), worker.places.clone());
    let patience = Patience { request: config.request_timeout, keep_alive: config.keep_alive };
    let app = App::new()
        .app_data(worker)
        .wrap_fn(|request, app| {
            let answer = app.call(request);
            async move { answer.await.map(pieces::in_pieces) }
        })
        .data_factory(ready)
        .configure(more_routes)
        .configure(move |config| routes(&ours, config));
    let counted = metrics.clone();
    let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), move |mut request: Request, app| {
        if let Some(meter) = request.conn_data::<Rc<Meter>>() {
            meter.begin_request();
        }
        let has_body = !matches!(request.payload(), Payload::None);
        let answering = request.conn_data::<Rc<Activity>>().map(|activity| activity.answer(has_body));
        let (answer, metrics) = (app.call(request), counted.clone());
        async move {
            let answer = answer.await?;
            problem::count(&answer, &metrics);
            Ok(answer.map_body(|head, body| {
                if has_body && !head.upgrade() {
                    // Where its body ends, and the next head would begin, is not looked at.
                    head.set_connection_type(ConnectionType::Close);
                }
                Answer::new(body, answering)
            }))
        }
    });
    let http = HttpService::build()
        // The connection's own task keeps these deadlines, for every request of it, where the dispatcher keeps the first one's
        // for the first request alone, and the second one's until the first byte that comes.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        // A client that is done is let go at once.
        .client_disconnect_timeout(Duration::ZERO)
        // A client may shut down its sending side and wait for the answer. That it sends nothing more is told to those who
        // would wait with their answer, as it may be gone.
        .h1_allow_half_closed(true)
        .h1_write_buffer_size(config.write_buffer_bytes)
        .graceful_shutdown_signal(shutdown)
        .on_connect_ext(|stream: &Stream, data| {
            data.insert(stream.meter().clone());
            data.insert(stream.activity().clone());
            if stream.is_tls() {
                data.insert(OverTls);
            }
        })
        .h1(app);
    let opening = Opening { config, turnstile, metrics: metrics.clone() };
    let accept = fn_service(move |(stream, meter, activity)| opening.clone().open(stream, meter, activity));
    apply_fn_factory(accept.and_then(http), move |stream: TcpStream, chain| {
        let (meter, activity) = (Rc::new(Meter::default()), Activity::begin(patience, &places));
        let served = Metered::new(chain.call((stream, meter.clone(), activity.clone())), meter);
        Tenure::new(served, activity, metrics.clone())
    })
}

/// What makes of an accepted TCP connection what HTTP is spoken on.
#[derive(Clone)]
struct Opening {
    config: ConnectionConfig,
    turnstile: Rc<Turnstile>,
    metrics: SharedMetrics,
}

impl Opening {
    async fn open(
        self,
        stream: TcpStream,
        meter: Rc<Meter>,
        activity: Rc<Activity>,
    ) -> Result<(Stream, Option<SocketAddr>), DispatchError> {
        let ConnectionConfig { socket, tls, request_head_bytes_max, .. } = self.config;
        socket.apply(&stream);
        let peer = stream.peer_addr().ok();
        self.turnstile.clone().pass().await;
        let wire = Wire::new(stream, meter, self.turnstile, tls.is_none(), self.metrics.clone(), socket);
        let Some(tls) = tls else { return Ok((Stream::plain(wire, activity, request_head_bytes_max), peer)) };
        // Boxed: connections without TLS are not to pay for its size.
        match Box::pin(tls.accept(wire, activity, request_head_bytes_max)).await {
            Ok(stream) => Ok((stream, peer)),
            Err(err) => {
                log::debug!("handshake of TLS failed err={err}");
                match err {
                    HandshakeError::TimedOut => self.metrics.tls_handshake_timeouts.inc(),
                    HandshakeError::Failed(_) | HandshakeError::PlainHttp => self.metrics.tls_handshakes_failed.inc(),
                };
                Err(DispatchError::Io(io::Error::other(err)))
            }
        }
    }
}
