//! From an accepted TCP connection to answered requests: socket options, the meter, TLS, the HTTP/1 dispatcher, the routes.
//!
//! `actix_web::HttpServer` does the same for streams of its own only; this is its way of doing it, around ours.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request};
use actix_service::{ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, Service, ServiceFactory, fn_service};
use actix_web::middleware::NormalizePath;
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};

use crate::metrics::SharedMetrics;
use crate::transport::stream::{HandshakeError, OverTls, Stream, TlsSetup};
use crate::transport::traffic::{Meter, Metered};
use crate::transport::turnstile::Turnstile;
use crate::transport::wire::Wire;
use crate::transport::{SocketConfig, Worker, routes};

/// How long a connection stays open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long the head of the first request may take.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections are served.
#[derive(Clone)]
pub struct ConnectionConfig {
    /// The options of their sockets.
    pub socket: SocketConfig,
    /// Bytes that wait for one socket in the server before its outbox begins to fill.
    pub write_buffer_bytes: usize,
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
    let turnstile = Turnstile::new(config.turn_connections_max, metrics.clone());
    let ours = worker.clone();
    let app = App::new()
        // `/ws/` and `//ws` are `/ws`: addresses are often put together from parts that end and begin with a slash.
        .wrap(NormalizePath::trim())
        .app_data(worker)
        .data_factory(ready)
        .configure(more_routes)
        .configure(move |config| routes(&ours, config));
    let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), |request: Request, app| {
        if let Some(meter) = request.conn_data::<Rc<Meter>>() {
            meter.begin_request();
        }
        app.call(request)
    });
    let http = HttpService::build()
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        .client_request_timeout(FIRST_REQUEST_TIMEOUT)
        // A client that is done is let go at once.
        .client_disconnect_timeout(Duration::ZERO)
        // A client that goes away while its poll waits must be forgotten at once.
        .h1_allow_half_closed(false)
        .h1_write_buffer_size(config.write_buffer_bytes)
        .graceful_shutdown_signal(shutdown)
        .on_connect_ext(|stream: &Stream, data| {
            data.insert(stream.meter().clone());
            if stream.is_tls() {
                data.insert(OverTls);
            }
        })
        .h1(app);
    let ConnectionConfig { socket, tls, .. } = config;
    let accept = fn_service(move |(stream, meter): (TcpStream, Rc<Meter>)| {
        socket.apply(&stream);
        establish(stream, meter, turnstile.clone(), tls.clone(), metrics.clone())
    });
    apply_fn_factory(accept.and_then(http), |stream: TcpStream, chain| {
        let meter = Rc::new(Meter::default());
        Metered::new(chain.call((stream, meter.clone())), meter)
    })
}

/// Makes of an accepted TCP connection what HTTP is spoken on.
async fn establish(
    stream: TcpStream,
    meter: Rc<Meter>,
    turnstile: Rc<Turnstile>,
    tls: Option<TlsSetup>,
    metrics: SharedMetrics,
) -> Result<(Stream, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().ok();
    turnstile.clone().pass().await;
    let wire = Wire::new(stream, meter, turnstile, tls.is_none());
    let Some(tls) = tls else { return Ok((Stream::Plain(wire), peer)) };
    // Boxed: connections without TLS are not to pay for its size.
    match Box::pin(tls.accept(wire)).await {
        Ok(stream) => Ok((stream, peer)),
        Err(err) => {
            log::debug!("handshake of TLS failed err={err}");
            match err {
                HandshakeError::TimedOut => metrics.tls_handshake_timeouts.inc(),
                HandshakeError::Failed(_) => metrics.tls_handshakes_failed.inc(),
            };
            Err(DispatchError::Io(io::Error::other(err)))
        }
    }
}
