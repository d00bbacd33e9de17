//! Starts the audit log, and writes its counts when their second is over.

use std::sync::Arc;
use std::time::Duration;

use crate::app::Settings;
use crate::audit::Audit;
use crate::domain::Clock;
use crate::metrics::SharedMetrics;

/// Time between two looks at the counts.
const FLUSH: Duration = Duration::from_millis(250);

/// Returns the audit log of a server.
pub(super) fn start(settings: &Settings, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Arc<Audit> {
    let audit = Arc::new(Audit::new(clock, metrics, settings.log.audit_sources_max));
    let flushed = audit.clone();
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(FLUSH).await;
            flushed.flush();
        }
    });
    audit
}
