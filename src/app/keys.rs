//! The keys of the server: made from the settings, and ended when they expire.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Keys, OpenToEverybody};
use crate::app::serve::Listeners;
use crate::app::{Settings, StartError};
use crate::domain::Clock;
use crate::metrics::SharedMetrics;

/// Time between two looks at the keys that have expired.
const EXPIRY_CHECK: Duration = Duration::from_millis(250);

/// Returns the keys for a server with these listeners, and watches over their ends.
///
/// # Errors
///
/// Returns an error if the server would let in everybody without saying so, or if the key file cannot be used.
pub(super) fn of(
    settings: &Settings,
    listeners: &Listeners,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
) -> Result<Arc<Keys>, StartError> {
    let on_loopback = listeners.are_loopback();
    let accepts_any = settings.keys.accepts_any(on_loopback)?;
    if !on_loopback && !settings.auth.required && !settings.auth.open {
        return Err(OpenToEverybody.into());
    }
    let keys = Keys::new(&settings.keys, accepts_any);
    let keys = Arc::new(keys.guarded(&settings.auth, &settings.limits, clock, metrics)?);
    end_expired_keys(keys.clone());
    Ok(keys)
}

/// Ends the sessions of keys that expire, within a quarter of a second.
fn end_expired_keys(keys: Arc<Keys>) {
    if keys.is_guarded() {
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(EXPIRY_CHECK).await;
                keys.end_expired();
            }
        });
    }
}
