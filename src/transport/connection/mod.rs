//! The TCP connections of a worker thread: each from its accepted socket over TLS and HTTP to the routes.
//!
//! `actix_web::HttpServer` does the same, but accepts no stream of another type; this module builds the same chain around
//! [`Socket`], which counts bytes and has deadlines.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod handover;
mod head;
mod http_io;
mod progress;
mod proxied;
mod refusal;
mod request_body;
mod request_head;
mod response;
mod socket;
pub(super) mod state;
mod table;
mod task;
mod tls;

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

use crate::access::Networks;
use crate::transport::admin::Site;
use crate::transport::protection::Protection;
use crate::transport::second_look::within;
use crate::transport::traffic::Meter;
use crate::transport::{Worker, gate, pieces, problem};

use http_io::HttpIo;
use response::ResponseBody;
use socket::{Socket, SocketShared};
use state::{ConnectionState, Timeouts};
use task::ConnectionTask;
use tls::HandshakeError;

pub(super) use handover::{Handover, SilentBody, Upgraded};
pub(super) use progress::WriteProgress;
pub(super) use refusal::{DISCARDED_BYTES_MAX, poll_discard};
pub use socket::SocketConfig;
pub use table::{ConnectionLimits, ConnectionTable};
pub use tls::TlsSetup;
pub(super) use tls::{Channel, OverTls};

/// Limits and options of the connections of one listener.
#[derive(Clone)]
pub struct ConnectionConfig {
    /// Socket options.
    pub socket: SocketConfig,
    /// The most bytes that the HTTP dispatcher buffers for one socket. While it buffers so many, it does not poll the body. Sessions
    /// have the same limit, in [`Worker::write_buffer_bytes`].
    pub write_buffer_bytes: usize,
    /// How long a request may take to arrive: from its first byte, or for the first request of a connection from the accept.
    pub request_timeout: Duration,
    /// How long a connection without a request stays open.
    pub keep_alive: Duration,
    /// The longest head of a request. Bytes.
    pub request_head_bytes_max: usize,
    /// The proxies whose connections begin with a header of the PROXY protocol, if any do.
    pub proxied: Option<Networks>,
    /// TLS, if this is the listener of HTTPS.
    pub tls: Option<TlsSetup>,
    /// Whether the listener is for clients or for operators.
    pub site: Site,
    /// How long browsers shall use nothing but TLS, if this listener does; 0 says nothing. Seconds.
    pub hsts_s: u32,
}

/// Returns the service that serves the connections of one listener on one worker thread. It accepts none before `ready`
/// resolves, and closes idle connections once `shutdown` resolves. `more_routes` are matched before the routes of the server.
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
    let turnstile = worker.connection_turns.clone();
    let (ours, table, numbers) = (worker.clone(), worker.connections.clone(), Numbers(worker.clone()));
    let protection = Protection::new(config.hsts_s, config.tls.is_some());
    let timeouts = Rc::new(Timeouts { request: config.request_timeout, keep_alive: config.keep_alive });
    let site = config.site;
    let app = App::new()
        .app_data(worker)
        .app_data(site)
        // The last one comes first.
        .wrap_fn(gate::guard)
        .wrap_fn(move |request, app| {
            let (answer, protection) = (app.call(request), protection.clone());
            async move { answer.await.map(|answer| pieces::in_pieces(protection.add(answer))) }
        })
        .data_factory(ready)
        .configure(move |config| site.routes(&ours, config, more_routes));
    let counted = metrics.clone();
    let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), move |mut request: Request, app| {
        if let Some(meter) = request.conn_data::<Rc<Meter>>() {
            meter.begin_request();
        }
        let has_body = !matches!(request.payload(), Payload::None);
        let state = request.conn_data::<Rc<ConnectionState>>().cloned();
        let responding = state.as_ref().map(|state| state.respond(has_body));
        let (answer, metrics) = (app.call(request), counted.clone());
        async move {
            let mut answer = answer.await?;
            problem::count(&answer, &metrics);
            if let Some(handover) = answer.response_mut().extensions_mut().remove::<Handover>()
                && let Some(state) = state
            {
                state.hand_over(handover);
            }
            Ok(answer.map_body(|head, body| {
                if has_body && !head.upgrade() {
                    // The dispatcher does not find the end of an unread body, so the next request could not be parsed.
                    head.set_connection_type(ConnectionType::Close);
                }
                ResponseBody::new(body, responding)
            }))
        }
    });
    let http = HttpService::build()
        // `ConnectionTask` keeps these deadlines for every request; the dispatcher would keep them for the first one only.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        // When the client has disconnected, there is nothing to wait for.
        .client_disconnect_timeout(Duration::ZERO)
        // A client may shut down its sending side and then wait for the response. Responses that wait for events end in this
        // case, because the client may be gone.
        .h1_allow_half_closed(true)
        .h1_write_buffer_size(config.write_buffer_bytes)
        .graceful_shutdown_signal(shutdown)
        .on_connect_ext(|io: &HttpIo, data| {
            data.insert(io.meter().clone());
            data.insert(io.state().clone());
            if io.is_tls() {
                data.insert(OverTls);
            }
        })
        .h1(app);
    let shared =
        SocketShared { config: config.socket, is_plain: config.tls.is_none(), turnstile, metrics: metrics.clone() };
    let opening = Opening { config, shared: Rc::new(shared), numbers: numbers.clone() };
    let accept = fn_service(move |(stream, meter, state)| opening.clone().open(stream, meter, state));
    apply_fn_factory(accept.and_then(http), move |stream: TcpStream, chain| {
        let address = numbers.of(stream.peer_addr().ok());
        let (meter, state) = (Rc::new(Meter::default()), ConnectionState::begin(&timeouts, &table, address));
        let served = Box::pin(chain.call((stream, meter.clone(), state.clone())));
        ConnectionTask::new(served, meter, state, metrics.clone())
    })
}

/// Turns an accepted socket into the IO of the HTTP dispatcher.
#[derive(Clone)]
struct Opening {
    config: ConnectionConfig,
    shared: Rc<SocketShared>,
    numbers: Numbers,
}

/// The numbers by which connections of clients are counted.
#[derive(Clone)]
struct Numbers(Rc<Worker>);

impl Numbers {
    /// Returns the number of a client's address; `None` if it has no limit, or is that of a trusted proxy with many clients.
    fn of(&self, peer: Option<SocketAddr>) -> Option<u128> {
        let client = peer.map(|peer| peer.ip()).filter(|ip| !self.0.proxies.trusted.contains(*ip));
        self.0.keys.number_of(client)
    }
}

impl Opening {
    async fn open(
        self,
        mut stream: TcpStream,
        meter: Rc<Meter>,
        state: Rc<ConnectionState>,
    ) -> Result<(HttpIo, Option<SocketAddr>), DispatchError> {
        let ConnectionConfig { tls, request_head_bytes_max, request_timeout, proxied, .. } = self.config;
        let SocketShared { config, turnstile, metrics, .. } = &*self.shared;
        config.apply(&stream);
        let mut peer = stream.peer_addr().ok();
        turnstile.clone().pass().await;
        let is_proxy = |proxies: Networks| peer.is_some_and(|peer| proxies.contains(peer.ip()));
        if proxied.is_some_and(is_proxy) {
            match within(request_timeout, proxied::read(&mut stream)).await {
                Ok(Ok(source)) => {
                    peer = source.or(peer);
                    state.assign(self.numbers.of(peer));
                }
                failed => {
                    metrics.proxy_headers_malformed.inc();
                    log::debug!("no header of the PROXY protocol from a trusted proxy: {failed:?}");
                    return Err(DispatchError::Io(io::ErrorKind::InvalidData.into()));
                }
            }
        }
        let socket = Socket::new(stream, meter, self.shared.clone());
        let channel = match tls {
            None => Ok(Channel::Plain(socket)),
            // Boxed: the future is large, and connections without TLS should not pay for its size.
            Some(tls) => Box::pin(tls.accept(socket, metrics)).await,
        };
        match channel {
            Ok(channel) => Ok((HttpIo::new(channel, state, request_head_bytes_max), peer)),
            Err(err) => {
                log::debug!("TLS handshake failed err={err}");
                match err {
                    HandshakeError::TimedOut => metrics.tls_handshake_timeouts.inc(),
                    HandshakeError::Failed(_) | HandshakeError::PlainHttp => metrics.tls_handshakes_failed.inc(),
                };
                Err(DispatchError::Io(io::Error::other(err)))
            }
        }
    }
}
