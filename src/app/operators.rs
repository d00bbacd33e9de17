//! The listener of the operators (`[admin]`): bound, and made from the parts of the server.

use std::sync::Arc;

use crate::app::listen::Listener;
use crate::app::serve::{Listeners, OperatorListener};
use crate::app::{Certificate, ServerControls, Settings, StartError, past};
use crate::domain::Clock;
use crate::hub::HubConfig;
use crate::transport::{Admin, Hubs, OperatorsUnknown, Past};

/// Returns the listener of the operators, if there is to be one.
///
/// # Errors
///
/// Returns an error if it cannot listen, or if everybody beyond this machine could use it.
pub(super) fn listener(
    settings: &Settings,
    certificate: Option<&Arc<Certificate>>,
) -> Result<Option<OperatorListener>, StartError> {
    let admin = &settings.admin;
    if !admin.is_on() {
        return Ok(None);
    }
    let listener = Listener::bind(&admin.host, admin.port)?;
    if !listener.is_loopback() && settings.auth.keys_file.is_empty() {
        return Err(OperatorsUnknown.into());
    }
    let tls = certificate.filter(|_| admin.tls).map(|certificate| certificate.clone().server_config());
    Ok(Some((listener, tls)))
}

/// Returns the state of the listener of the operators, and begins to record the past.
pub(super) fn admin(
    settings: &Settings,
    listeners: &Listeners,
    hubs: &Hubs,
    controls: &Arc<ServerControls>,
    hub_config: &HubConfig,
    clock: &Arc<dyn Clock>,
) -> Option<Arc<Admin>> {
    let (listener, _) = listeners.admin.as_ref()?;
    let (config, needs_key) = (settings.admin.clone(), settings.auth.required || !listener.is_loopback());
    let past = Arc::new(Past::new(config.points_max, config.point_ms));
    past::record(past.clone(), config.point(), hub_config.metrics.clone(), clock.clone());
    Some(Arc::new(Admin::new(config, needs_key, hubs.clone(), controls.clone(), past)))
}
