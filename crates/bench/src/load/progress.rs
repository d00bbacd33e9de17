//! The progress bar: on standard error when that is a terminal, nowhere otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The time between two updates.
const INTERVAL: Duration = Duration::from_millis(200);

/// A bar that shows how far one phase after the other has come.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    next: Instant,
}

impl Progress {
    /// Returns a bar, invisible unless standard error is a terminal.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:<12} [{bar:40}] {percent:>3}% {prefix}");
        let bar = style
            .ok()
            .filter(|_| std::io::stderr().is_terminal())
            .map(|style| ProgressBar::new(1_000).with_style(style));
        Self { bar, next: Instant::now() }
    }

    /// Shows the phase and how much of it is done, from 0 to 1, when it is time to.
    pub(crate) fn show(&mut self, now: Instant, phase: &'static str, done: f64, detail: impl FnOnce() -> String) {
        let Some(bar) = self.bar.as_ref().filter(|_| now >= self.next) else { return };
        self.next = now + INTERVAL;
        bar.set_message(phase);
        bar.set_prefix(detail());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1000")]
        bar.set_position((done * 1_000.0).clamp(0.0, 1_000.0) as u64);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
