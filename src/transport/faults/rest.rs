//! The address `/faults`: adds, lists and removes rules. Only for programs on this machine.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::http::header::ORIGIN;
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::faults::Rule;
use crate::protocol::{ErrorCode, Mistake};
use crate::transport::admin::{self, Site};
use crate::transport::{Problem, Worker, gate, problem};

/// Longest text of a rule, in bytes.
const RULE_BYTES_MAX: usize = 4_096;
/// Headers with which a proxy passes a request on.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Returns the resources `/faults` and `/faults/{id}`.
pub(in crate::transport) fn resources() -> [Resource; 2] {
    let all = web::resource("/faults")
        .app_data(web::PayloadConfig::new(RULE_BYTES_MAX))
        .route(web::post().to(add))
        .route(web::get().to(list))
        .route(web::head().to(list))
        .route(web::delete().to(remove_all))
        .default_service(web::to(problem::method_not_allowed));
    let one = web::resource("/faults/{id}")
        .route(web::delete().to(remove))
        .default_service(web::to(problem::method_not_allowed));
    [all, one]
}

/// Adds the rule in the body.
async fn add(request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> Result<HttpResponse, Problem> {
    let worker = check(&request)?;
    let body = body.map_err(|err| Problem::bad_request(format!("no rule arrived: {err}")))?;
    let rule: Rule =
        serde_json::from_slice(&body).map_err(|err| Problem::bad_request(in_one_line(&err.to_string())))?;
    let faults = worker.faults.shared();
    let id = faults.add(rule, Instant::now()).ok_or_else(|| {
        Problem::mistake(Mistake::new(ErrorCode::LimitExceeded, "there are fault_limits.rules_max rules already"))
    })?;
    worker.faults.refresh(Instant::now());
    admin::note(&request, &format!("fault added id={id}"));
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

/// Lists the rules, each with the number of sessions that it matched, and of its strikes.
async fn list(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = check(&request)?;
    let rule = |rule: &std::sync::Arc<crate::faults::Installed>| -> Value {
        json!({"id": rule.id, "rule": rule.rule.text, "matched": rule.matched(), "struck": rule.struck()})
    };
    let rules: Vec<_> = worker.faults.shared().rules().iter().map(rule).collect();
    Ok(HttpResponse::Ok().json(json!({ "faults": rules })))
}

async fn remove_all(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = check(&request)?;
    let removed = worker.faults.shared().remove(None);
    admin::note(&request, "all faults removed");
    worker.faults.refresh(Instant::now());
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

async fn remove(request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let worker = check(&request)?;
    let removed = id.parse().map_or(0, |id| worker.faults.shared().remove(Some(id)));
    if removed == 0 {
        return Err(Problem::not_found(request.path()));
    }
    admin::note(&request, "fault removed");
    worker.faults.refresh(Instant::now());
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

/// Checks that the request comes from an operator, and on a listener of clients, from this machine, through no proxy, and from no foreign
/// page. To others there is no such address.
fn check(request: &HttpRequest) -> Result<&Worker, Problem> {
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
        return Err(Problem::forbidden_origin("only pages of localhost may change faults"));
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

fn in_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
