//! The address `/faults`: adds, lists and removes rules. Only for programs on this machine.

use std::time::Instant;

use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Value, json};

use crate::faults::Rule;
use crate::protocol::{ErrorCode, Mistake};
use crate::transport::{Problem, admin, operator, problem};

/// Longest text of a rule, in bytes.
const RULE_BYTES_MAX: usize = 4_096;

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
    let worker = operator::check(&request, "change faults")?;
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
    let worker = operator::check(&request, "change faults")?;
    let rule = |rule: &std::sync::Arc<crate::faults::Installed>| -> Value {
        json!({"id": rule.id, "rule": rule.rule.text, "matched": rule.matched(), "struck": rule.struck()})
    };
    let rules: Vec<_> = worker.faults.shared().rules().iter().map(rule).collect();
    Ok(HttpResponse::Ok().json(json!({ "faults": rules })))
}

async fn remove_all(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = operator::check(&request, "change faults")?;
    let removed = worker.faults.shared().remove(None);
    admin::note(&request, "all faults removed");
    worker.faults.refresh(Instant::now());
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

async fn remove(request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let worker = operator::check(&request, "change faults")?;
    let removed = id.parse().map_or(0, |id| worker.faults.shared().remove(Some(id)));
    if removed == 0 {
        return Err(Problem::not_found(request.path()));
    }
    admin::note(&request, "fault removed");
    worker.faults.refresh(Instant::now());
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

fn in_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
