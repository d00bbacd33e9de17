//! The listener of the operators: what the server does, its sessions, and a few orders. Not for clients; `gate/operators.rs` says who
//! may come.
//!
//! The state of the process is known here as the hubs, which are asked for their sessions, and [`Controls`], which carry out the
//! orders.

mod config;
mod orders;
mod past;
mod sessions;

use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;
use actix_web::{HttpRequest, Resource, web};
use serde::Serialize;

use crate::access::Reread;
use crate::audit::Event;
use crate::hub::Hub;
use crate::transport::hosts::UnknownHost;
use crate::transport::{AllowedHosts, Problem, Worker, faults, gate, page, problem, reading, status};

pub use config::{AdminConfig, OperatorsUnknown};
pub use past::{Past, Point};

/// Longest body of an order. Bytes.
const ORDER_BYTES_MAX: usize = 4_096;

/// The orders of an operator to the whole process.
pub trait Controls: Send + Sync {
    /// Begins the shutdown, as SIGTERM does.
    fn drain(&self);
    /// Reads the files of keys, of tokens and of the certificate again, as SIGHUP does. Returns the setting of each with what came of it; a
    /// bad one changes nothing, and the others hold.
    fn reload(&self) -> Vec<(&'static str, Reread)>;
    /// Returns the filter of the log, as in `RUST_LOG`.
    fn log_filter(&self) -> String;
    /// Sets the filter of the log.
    ///
    /// # Errors
    ///
    /// Returns the mistake in the text.
    fn set_log_filter(&self, text: &str) -> Result<(), String>;
}

/// The listener that a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// One of the listeners for clients.
    Clients,
    /// The listener of the operators.
    Operators,
}

impl Site {
    /// Returns the listener of the request; that of clients in tests without one.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.app_data::<Self>().copied().unwrap_or(Self::Clients)
    }

    /// Adds the routes of the listener; `more_routes` are matched before those for clients.
    pub(super) fn routes(
        self,
        worker: &Worker,
        config: &mut web::ServiceConfig,
        more_routes: impl FnOnce(&mut web::ServiceConfig),
    ) {
        match self {
            Self::Clients => {
                more_routes(config);
                super::routes(worker, config);
            }
            Self::Operators => routes(config),
        }
    }
}

/// The hub of every worker that has been started.
pub type Hubs = Arc<Mutex<Vec<Addr<Hub>>>>;

/// The state of the listener, shared by all workers.
pub struct Admin {
    config: AdminConfig,
    /// Whether everybody must show a key with `admin`.
    needs_key: bool,
    hubs: Hubs,
    controls: Arc<dyn Controls>,
    past: Arc<Past>,
}

impl Admin {
    /// Returns the state. The listener's own name is one under which it may be addressed.
    pub fn new(
        mut config: AdminConfig,
        needs_key: bool,
        hubs: Hubs,
        controls: Arc<dyn Controls>,
        past: Arc<Past>,
    ) -> Self {
        let host = config.host.trim_matches(['[', ']']).to_owned();
        config.hosts.extend(AllowedHosts::parse(&[host]).unwrap_or_default());
        Self { config, needs_key, hubs, controls, past }
    }

    /// Returns the listener's state.
    ///
    /// # Errors
    ///
    /// Returns 404 where there is no such listener.
    fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        let admin = Worker::of(request).admin.as_deref().filter(|_| Site::of(request) == Site::Operators);
        admin.ok_or_else(|| Problem::not_found(request.path()))
    }

    /// Returns whether everybody must show a key with `admin`.
    pub(super) const fn needs_key(&self) -> bool {
        self.needs_key
    }

    /// Checks that the request is addressed to the listener, and not to a name that somebody has pointed at this machine.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not.
    pub(super) fn check_host(&self, request: &HttpRequest) -> Result<(), UnknownHost> {
        self.config.hosts.check_numbers_too(request)
    }

    fn hubs(&self) -> Vec<Addr<Hub>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns whether everybody may come to this address of the listener: the probes, and the page with its files, which have no data.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/healthz" | "/readyz" | "/admin" | "/admin/") || path.starts_with("/static/")
}

/// Adds the routes of the listener of the operators.
fn routes(config: &mut web::ServiceConfig) {
    config
        .service(reading("/healthz", status::healthz))
        .service(reading("/readyz", status::readyz))
        .service(reading("/metrics", status::metrics))
        .service(web::redirect("/", "admin"))
        .service(web::redirect("/admin/", "../admin"))
        .service(reading("/admin", page::admin))
        .service(reading("/static/{path:.*}", page::asset))
        .service(
            order("/admin/sessions")
                .route(web::get().to(sessions::list))
                .route(web::head().to(sessions::list))
                .route(web::delete().to(sessions::end_all)),
        )
        .service(order("/admin/sessions/{id}").route(web::delete().to(sessions::end)))
        .service(reading("/admin/past", past::past))
        .service(order("/admin/drain").route(web::post().to(orders::drain)))
        .service(order("/admin/reload").route(web::post().to(orders::reload)))
        .service(
            order("/admin/log")
                .route(web::get().to(orders::log))
                .route(web::head().to(orders::log))
                .route(web::put().to(orders::set_log)),
        );
    for resource in faults::rest::resources() {
        config.service(resource);
    }
    config.default_service(web::to(problem::not_found));
}

fn order(path: &str) -> Resource {
    web::resource(path)
        .app_data(web::PayloadConfig::new(ORDER_BYTES_MAX))
        .default_service(web::to(problem::method_not_allowed))
}

/// Appends a row of a list, which is encoded in pieces: it may be long.
fn encode_row(row: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, row).expect("a row is JSON, and a vector takes it");
}

/// Writes an order into both logs, with the operator who gave it.
pub(super) fn note(request: &HttpRequest, order: &str) {
    let identity = gate::identity(request);
    log::info!("order of an operator: {order} operator={:?}", identity.name());
    Worker::of(request).record(request, Event::Order, identity.name(), order);
}
