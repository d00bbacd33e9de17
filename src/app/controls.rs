//! `ServerControls`: the orders of an operator, for the whole process.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::Keys;
use crate::app::log_filter::LogFilter;
use crate::app::tls::Certificate;
use crate::audit::{Audit, Entry, Event};
use crate::transport::Controls;

/// Carries out orders: those of the listener of the operators, and of signals.
pub struct ServerControls {
    keys: Arc<Keys>,
    certificate: Option<Arc<Certificate>>,
    audit: Arc<Audit>,
    drained: Notify,
}

impl ServerControls {
    /// Returns the controls of a server with these keys and this certificate.
    pub(super) fn new(keys: Arc<Keys>, certificate: Option<Arc<Certificate>>, audit: Arc<Audit>) -> Arc<Self> {
        Arc::new(Self { keys, certificate, audit, drained: Notify::new() })
    }

    /// Waits for the order to shut down.
    pub(super) async fn drained(&self) {
        self.drained.notified().await;
    }
}

impl Controls for ServerControls {
    fn drain(&self) {
        self.drained.notify_one();
    }

    fn reload(&self) -> Vec<(&'static str, bool)> {
        let keys = self.keys.reload().map(|is_good| ("keys", is_good));
        let certificate = self.certificate.as_ref().map(|certificate| ("certificate", certificate.reload()));
        if let Some((_, is_good)) = keys {
            let reason = if is_good { "keys reloaded" } else { "keys kept" };
            self.audit.record(Event::Reloaded, Entry { reason, ..Entry::default() });
        }
        keys.into_iter().chain(certificate).collect()
    }

    fn log_filter(&self) -> String {
        LogFilter::of_process().text()
    }

    fn set_log_filter(&self, text: &str) -> Result<(), String> {
        LogFilter::of_process().set(text)
    }
}
