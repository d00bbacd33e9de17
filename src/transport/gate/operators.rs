//! The entrance of the listener of the operators: who may come to which address.

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};

use crate::access::KeyError;
use crate::audit::Event;
use crate::transport::gate::{Way, identify, own_pages, permit_operator, refuse_host, refuse_key};
use crate::transport::{Problem, Worker, admin, forwarded};

/// Lets a request to the listener of the operators through, or says why not: first its host, then the page that sends it, then its key.
///
/// # Errors
///
/// Returns the problem document.
pub(super) fn enter(worker: &Worker, request: &HttpRequest) -> Result<(), Problem> {
    let path = request.match_info().as_str();
    let Some(admin) = &worker.admin else { return Err(Problem::not_found(path)) };
    let is_probe = matches!(path, "/healthz" | "/readyz");
    if !is_probe && admin.check_host(request).is_err() {
        return Err(refuse_host(worker, request, "admin.hosts"));
    }
    forwarded::check(request)?;
    check_page(worker, request)?;
    if admin::is_open(path) {
        return Ok(());
    }
    let identity = identify(worker, request, Way::Admin)?;
    if admin.needs_key() && !identity.has_key() {
        worker.metrics().count_auth("none", KeyError::Missing.name());
        return Err(refuse_key(worker, request, &KeyError::Missing.into()));
    }
    permit_operator(&identity).inspect_err(|_| worker.record(request, Event::Refused, identity.name(), "no_admin"))?;
    request.extensions_mut().insert(identity);
    Ok(())
}

/// Checks that no page of another origin sends the request. Browsers send `Origin` with every request that may change something, and
/// tell the site with each.
fn check_page(worker: &Worker, request: &HttpRequest) -> Result<(), Problem> {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_reading { worker.check_own_origin(request) } else { own_pages::check(worker, request) }
}
