//! Faults on request at the connections of a worker thread: which session has which faults (`WorkerFaults`), what they do to its
//! messages (`sink.rs`) and frames (`faulty.rs`), and the address `/faults` (`rest.rs`).
//!
//! The rules and their choices belong to the floor `faults`, the socket of a session to its transport.

mod faulty;
pub(super) mod rest;
mod sink;

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use tokio::sync::watch;

use crate::faults::{Break, Chosen, Faults, Installed, Subject};
use crate::hub::SharedRouter;
use crate::transport::connection::state::{ConnectionState, Dismissal, half_closed};
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Meter};

pub(super) use faulty::{Faulty, Stall, Step};
pub(super) use sink::FaultySink;

/// The rules, as the sessions of one worker thread have been told of them.
pub struct WorkerFaults {
    shared: Arc<Faults>,
    /// Those of the thread.
    routers: Vec<SharedRouter>,
    version: RefCell<watch::Receiver<u64>>,
    rules: RefCell<Vec<Arc<Installed>>>,
    /// `session.close_timeout_ms`.
    close_timeout: Duration,
}

impl WorkerFaults {
    /// Returns the rules for the sessions of this thread, those of these routers, and follows their changes from now on.
    pub fn start(shared: Arc<Faults>, routers: Vec<SharedRouter>, close_timeout: Duration) -> Rc<Self> {
        let (version, rules) = (RefCell::new(shared.version()), RefCell::new(shared.rules()));
        let follower = shared.version();
        let faults = Rc::new(Self { shared, routers, version, rules, close_timeout });
        let (worker, mut version) = (faults.clone(), follower);
        actix_web::rt::spawn(async move {
            while version.changed().await.is_ok() {
                worker.refresh(Instant::now());
            }
        });
        faults
    }

    /// Returns the rules of the process.
    pub(super) fn shared(&self) -> &Arc<Faults> {
        &self.shared
    }

    /// Returns whether there are no rules, in the whole process.
    pub(super) fn has_none(&self) -> bool {
        self.rules.borrow().is_empty() && !self.version.borrow().has_changed().unwrap_or(false)
    }

    /// Returns the rules as the sessions of this thread know them.
    pub(super) fn rules(&self) -> Ref<'_, Vec<Arc<Installed>>> {
        self.rules.borrow()
    }

    /// Tells the sessions of this thread of rules that were added or removed.
    pub(super) fn refresh(&self, now: Instant) {
        let mut version = self.version.borrow_mut();
        if !version.has_changed().unwrap_or(false) {
            return;
        }
        version.mark_unchanged();
        let known = self.rules.borrow().last().map_or(0, |rule| rule.id);
        let rules = self.shared.rules();
        let fresh = rules.partition_point(|rule| rule.id <= known);
        let guests = self.routers.iter().flat_map(|router| router.borrow().guests().collect::<Vec<_>>());
        for router in self.routers.iter().cloned().chain(guests) {
            for writer in router.borrow().writers() {
                writer.rules_changed(&rules, &rules[fresh..], now);
            }
        }
        self.rules.replace(rules);
    }

    /// Returns the faults of a session that begins; `None` if no rule chooses it.
    pub(super) fn choose(&self, subject: &Subject<'_>, now: Instant) -> Option<Box<Faulty>> {
        self.add(None, &self.rules.borrow(), subject, now)
    }

    /// Adds those of these rules that choose the session to its faults.
    pub(super) fn add(
        &self,
        mut faulty: Option<Box<Faulty>>,
        rules: &[Arc<Installed>],
        subject: &Subject<'_>,
        now: Instant,
    ) -> Option<Box<Faulty>> {
        if let Some(faulty) = &mut faulty {
            faulty.chosen().rename(subject);
        }
        if rules.is_empty() {
            return faulty;
        }
        let new = || Faulty::new(Chosen::new(subject), self.shared.clone(), self.close_timeout);
        let mut faulty = faulty.unwrap_or_else(|| Box::new(new()));
        faulty.chosen().add(rules, subject, now);
        Some(faulty).filter(|faulty| !faulty.is_over())
    }

    /// Returns the rules that choose sessions by the key of their client.
    pub(super) fn rules_with_key(&self) -> Vec<Arc<Installed>> {
        self.rules.borrow().iter().filter(|rule| rule.rule.filter.key.is_some()).cloned().collect()
    }

    /// Resets the connection of a poll, or leaves it without an answer until the client gives up, if a rule demands it.
    pub(super) async fn break_poll(&self, request: &HttpRequest, dialect: &str) {
        if self.has_none() {
            return;
        }
        let (client, now) = (client(request), Instant::now());
        let subject = Subject { dialect, transport: "poll", session: None, client: client.as_deref(), key: None };
        let mut chosen = Chosen::new(&subject);
        chosen.add(&self.shared.rules(), &subject, now);
        match chosen.take_break(now) {
            None | Some(Break::Close { .. }) => return,
            Some(Break::Drop) => reset(&traffic::meter(request), ConnectionState::of(request).as_deref()),
            Some(Break::HalfOpen) => {}
        }
        half_closed(request).await;
    }

    /// Returns the response with which a rule refuses a request for a session; `None` if no rule does.
    pub(super) fn refuse(&self, request: &HttpRequest, dialect: &str, transport: &str) -> Option<HttpResponse> {
        self.refuse_key(request, dialect, transport, None)
    }

    /// Returns the response with which a rule refuses a request under this key.
    pub(super) fn refuse_key(
        &self,
        request: &HttpRequest,
        dialect: &str,
        transport: &str,
        key: Option<&str>,
    ) -> Option<HttpResponse> {
        if self.has_none() {
            return None;
        }
        let client = client(request);
        let subject = Subject { dialect, transport, session: None, client: client.as_deref(), key };
        let (status, retry_after_s) = self.shared.refusal(&subject, Instant::now())?;
        let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
        if let Some(seconds) = retry_after_s {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        let text = "refused by a rule of /faults";
        let body = match dialect {
            "massive" => json!({"status": "ERROR", "error": text}),
            "finnhub" => json!({"error": text}),
            _ => json!({"message": text}),
        };
        Some(response.insert_header((CACHE_CONTROL, "no-store")).force_close().json(body))
    }
}

/// Resets a connection that carries a response.
pub(super) fn reset(meter: &Meter, connection: Option<&ConnectionState>) {
    meter.pace().give_up();
    if let Some(connection) = connection {
        connection.dismiss(Dismissal::Jammed);
    }
}

/// Returns the client's own name in this request.
pub(super) fn client(request: &HttpRequest) -> Option<String> {
    Parameters::of(request).ok()?.take("client").ok()?
}
