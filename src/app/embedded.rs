//! For programs that embed the server: with routes, or with a market, of their own.

use std::sync::Arc;

use actix_web::web::ServiceConfig;

use crate::app::market::{self, Opened};
use crate::app::{Application, Settings, StartError};
use crate::domain::{Clock, Timestamp};
use crate::feed::Source;
use crate::metrics::SharedMetrics;

impl Application {
    /// Like [`Application::start`], with routes that take precedence over those of the service: for programs that embed
    /// the server.
    ///
    /// # Errors
    ///
    /// Returns why the server cannot start: settings, the certificate, an address, or a lack of threads.
    pub fn start_with(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        more_routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        Self::begin(settings, clock, more_routes, market::start)
    }

    /// Like [`Application::start`], with the market that `open` opens instead of that of `feed.kind`; it is given the settings,
    /// the time at which the stream begins, and the counters. For programs that embed the server and have a source of events of their own.
    ///
    /// # Errors
    ///
    /// Returns why the server cannot start: settings, the certificate, an address, or a lack of threads.
    pub fn start_market<S: Source + Send>(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        open: impl FnOnce(&Settings, Timestamp, &SharedMetrics) -> Opened<S>,
    ) -> Result<Self, StartError> {
        let run = |settings: &Settings, clock: Arc<dyn Clock>, metrics: SharedMetrics| {
            let reading = clock.read();
            market::run(open(settings, reading.wall, &metrics), settings, clock, reading, metrics)
        };
        Self::begin(settings, clock, |_| {}, run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{SymbolTable, SystemClock};
    use crate::feed::publish::PublishSource;

    #[actix_web::test]
    async fn a_market_that_grows_needs_memory_for_its_most_symbols() {
        let started = |symbols_max: usize| {
            let mut settings = Settings::default();
            settings.server.port = 0;
            settings.server.workers = 1;
            settings.feed.symbols_max = symbols_max;
            Application::start_market(&settings, Arc::new(SystemClock), |settings, start, _| Opened {
                start,
                source: PublishSource::new(start),
                table: Arc::new(SymbolTable::growing(Vec::new(), settings.feed.symbols_max)),
                snapshots: Vec::new(),
                open: Vec::new(),
                days: Vec::new(),
                past: Box::new(|_, _| Vec::new()),
            })
        };
        assert!(started(Settings::default().feed.symbols_max).is_ok(), "with the defaults");
        let refused = started(30_000).err().expect("too many").to_string();
        assert!(refused.contains("30000 symbols x 6 intervals x 60 bars"), "{refused}");
    }
}
