//! Requests that only operators may send, on a listener of clients.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::ORIGIN;
use url::{Host, Url};

use crate::transport::admin::Site;
use crate::transport::{Problem, Worker, gate};

/// Headers with which a proxy passes a request on.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Checks that the request comes from an operator, and on a listener of clients, from this machine, through no proxy, and from no foreign
/// page. To others there is no such address.
///
/// # Errors
///
/// Returns why the request is refused. `what` completes "only pages of localhost may …".
pub(super) fn check<'a>(request: &'a HttpRequest, what: &str) -> Result<&'a Worker, Problem> {
    gate::check_operator(request)?;
    let worker = Worker::of(request);
    if Site::of(request) == Site::Operators {
        // Its entrance has checked the page.
        return Ok(worker);
    }
    let is_local = request.peer_addr().is_some_and(|peer| is_loopback(peer.ip()));
    if !is_local || PROXY_HEADERS.iter().any(|name| request.headers().contains_key(*name)) {
        return Err(Problem::not_found(request.path()));
    }
    worker.check_own_origin(request)?;
    // A name that its owner has pointed at this machine would make a foreign page one of this server.
    if let Some(origin) = request.headers().get(ORIGIN)
        && !origin.to_str().is_ok_and(is_of_this_machine)
    {
        return Err(Problem::forbidden_origin(format!("only pages of localhost may {what}")));
    }
    Ok(worker)
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

fn is_of_this_machine(origin: &str) -> bool {
    match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
