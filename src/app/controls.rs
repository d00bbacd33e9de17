//! `ServerControls`: the orders of an operator, for the whole process.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::Keys;
use crate::app::log_filter::LogFilter;
use crate::app::tls::Certificate;
use crate::transport::Controls;

/// Carries out orders: those of the listener of the operators, and of signals.
pub struct ServerControls {
    keys: Arc<Keys>,
    certificate: Option<Arc<Certificate>>,
    drained: Notify,
}

impl ServerControls {
    /// Returns the controls of a server with these keys and this certificate.
    pub(super) fn new(keys: Arc<Keys>, certificate: Option<Arc<Certificate>>) -> Arc<Self> {
        Arc::new(Self { keys, certificate, drained: Notify::new() })
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
        keys.into_iter().chain(certificate).collect()
    }

    fn log_filter(&self) -> String {
        LogFilter::of_process().text()
    }

    fn set_log_filter(&self, text: &str) -> Result<(), String> {
        LogFilter::of_process().set(text)
    }
}
