//! The costs of requests over HTTP: charged to the client's address and key, and refused with 429 when these have used up their work.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::HttpRequest;

use crate::access::{Identity, Owed, Payer};
use crate::session::{HTTP_WORK, ROW_WORK, WORK_NS, byte_work};
use crate::transport::traffic::ThreadTime;
use crate::transport::{Problem, Worker, forwarded, gate};

/// Charges a request over HTTP, which may open a WebSocket, to an address and a key.
///
/// # Errors
///
/// Returns 429 if their earlier requests have cost too much.
pub(super) fn admit(request: &HttpRequest, address: Option<IpAddr>, identity: &Identity) -> Result<(), Problem> {
    spend(request, address, identity).map_err(|owed| Problem::rate_limited(owed.to_string()).after(owed.wait))
}

/// Does the same, for those who answer in another form.
///
/// # Errors
///
/// Returns an error if the earlier requests have cost too much.
pub(in crate::transport) fn spend(
    request: &HttpRequest,
    address: Option<IpAddr>,
    identity: &Identity,
) -> Result<(), Owed> {
    let (Some(payer), now) = (Worker::of(request).keys.payer(address, identity), Instant::now()) else { return Ok(()) };
    payer.check(now)?;
    payer.charge(HTTP_WORK + byte_work(request.query_string().len()), now);
    Ok(())
}

/// Charges work to the client of a request, beside that of every request.
pub(in crate::transport) fn charge(request: &HttpRequest, work: u64) {
    if let Some(payer) = payer(request) {
        payer.charge(work, Instant::now());
    }
}

/// Charges a read of the archive, whose thread calls this: its CPU time since then, because bars of the past may have to be computed
/// first, or the usual cost of its rows if that is more. Also if the client has disconnected meanwhile.
pub(in crate::transport) fn charge_read(payer: Option<&Payer>, since: ThreadTime, rows: usize) {
    if let Some(payer) = payer {
        payer.charge((ROW_WORK * rows as u64).max(since.elapsed_ns() / WORK_NS), Instant::now());
    }
}

/// Returns who pays for the request; `None` if nothing of its client is limited.
pub(in crate::transport) fn payer(request: &HttpRequest) -> Option<Box<Payer>> {
    Worker::of(request).keys.payer(forwarded::address(request), &gate::identity(request))
}
