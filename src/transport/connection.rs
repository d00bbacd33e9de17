//! From an accepted TCP connection to answered requests: socket options, the meter, the HTTP/1 dispatcher, the routes.
//!
//! `actix_web::HttpServer` does the same for streams of its own only; this is its way of doing it, around ours.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request};
use actix_service::{ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, Service, ServiceFactory, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};

use crate::transport::traffic::{Meter, Metered};
use crate::transport::wire::Wire;
use crate::transport::{SocketConfig, Worker, routes};

/// How long a connection stays open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long the head of the first request may take.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// The options of their sockets.
    pub socket: SocketConfig,
    /// Bytes that wait for one socket in the server before its outbox begins to fill.
    pub write_buffer_bytes: usize,
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
    let ours = worker.clone();
    let app = App::new()
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
        .on_connect_ext(|wire: &Wire, data| {
            data.insert(wire.meter().clone());
        })
        .h1(app);
    let socket = config.socket;
    let accept = fn_service(move |(stream, meter): (TcpStream, Rc<Meter>)| async move {
        socket.apply(&stream);
        let peer = stream.peer_addr().ok();
        Ok((Wire::new(stream, meter), peer))
    });
    apply_fn_factory(accept.and_then(http), |stream: TcpStream, chain| {
        let meter = Rc::new(Meter::default());
        Metered::new(chain.call((stream, meter.clone())), meter)
    })
}
