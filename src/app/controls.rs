//! `ServerControls`: the orders of an operator, for the whole process.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::{Keys, Reread};
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

    fn reload(&self) -> Vec<(&'static str, Reread)> {
        let mut read = self.keys.reload();
        read.extend(self.certificate.as_ref().map(|certificate| ("server.tls.cert", certificate.reload())));
        if !read.is_empty() {
            let words: Vec<_> = read.iter().map(|(setting, result)| format!("{setting} {}", result.name())).collect();
            self.audit.record(Event::Reloaded, Entry { reason: &words.join(", "), ..Entry::default() });
        }
        read
    }

    fn log_filter(&self) -> String {
        LogFilter::of_process().text()
    }

    fn set_log_filter(&self, text: &str) -> Result<(), String> {
        LogFilter::of_process().set(text)
    }
}
