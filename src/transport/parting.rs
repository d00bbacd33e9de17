//! What becomes of the socket of a session that the server has closed: when its client takes nothing of what was written before
//! the close, the connection is reset soon, where the stall timeout would keep what waits in the kernel for much longer.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::protocol::CloseReason;
use crate::transport::activity::{Activity, Dismissal};
use crate::transport::traffic::Meter;
use crate::transport::watch::TURN;

/// Resets the connection of a session that is being closed for this reason when its socket is jammed and makes no progress
/// for so long. A client that is merely slow, or a server that goes down, is no reason: the close is to reach it.
pub(super) fn reset_when_jammed(
    reason: CloseReason,
    connection: Option<Rc<Activity>>,
    meter: Rc<Meter>,
    close_timeout: Duration,
) {
    let is_slow = matches!(reason, CloseReason::Lagging | CloseReason::HubOverrun | CloseReason::Shutdown);
    let Some(connection) = connection.filter(|_| !is_slow) else { return };
    actix_web::rt::spawn(async move {
        loop {
            let since = Instant::now();
            sleep(close_timeout).await;
            if !connection.is_jammed() {
                return;
            }
            // A look that comes later has been held up: what the client has taken meanwhile may not have been noticed.
            if since.elapsed() < close_timeout + TURN && !meter.pace().has_progressed(since) {
                log::debug!("jammed socket reset reason={}", reason.name());
                meter.pace().give_up();
                return connection.dismiss(Dismissal::Jammed);
            }
        }
    });
}
