//! Ctrl-C and SIGTERM: they end a run early, and the report still comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mio::Waker;
use tokio::signal::unix::{SignalKind, signal};

/// How often the user has asked for the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicU32>);

impl Interrupt {
    /// Listens from now on, on a thread of its own, and wakes the poll at each signal.
    ///
    /// # Errors
    ///
    /// Returns why no thread can be started.
    pub(crate) fn listen(waker: Waker) -> std::io::Result<Self> {
        let interrupt = Self::default();
        let counter = interrupt.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            // Without a runtime the signals keep their meaning and end the process at once.
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(counter.count(&waker));
            }
        })?;
        Ok(interrupt)
    }

    async fn count(&self, waker: &Waker) -> std::io::Result<()> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            // The poll returns by itself within a fraction of a second.
            let _ = waker.wake();
        }
    }

    /// Returns how often the user has asked: once ends the measurement, twice what follows it too.
    pub(crate) fn count_so_far(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
