//! Which stream a client gets: that of the present, or a delayed one, by `delay_ms` of its key or token. A delayed stream has hubs, a
//! history and bars of its own, so that a client of it gets nothing of the others.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;

use crate::access::Identity;
use crate::feed::DelayGate;
use crate::history::ArchiveReader;
use crate::hub::{Hub, SharedRouter};
use crate::transport::{Problem, Worker};

/// A delayed stream, as the handlers of one worker thread see it.
#[derive(Clone)]
pub struct DelayedStream {
    /// Its hub on this thread.
    pub hub: Addr<Hub>,
    /// The router of its hub on this thread.
    pub router: SharedRouter,
    /// Reads its bars.
    pub archive: ArchiveReader,
    /// Whether it is served.
    pub gate: Arc<DelayGate>,
}

/// The stream of a client.
pub(super) struct Served<'a> {
    pub(super) router: &'a SharedRouter,
    pub(super) archive: &'a ArchiveReader,
    gate: Option<&'a Arc<DelayGate>>,
}

impl Worker {
    /// Returns the stream that the client may have.
    ///
    /// # Errors
    ///
    /// Returns 503 if it is a delayed one that is not served now. What is read from another thread must be checked again afterwards, with
    /// [`Served::check`].
    pub(super) fn stream_of(&self, identity: &Identity) -> Result<Served<'_>, Problem> {
        // Keys and tokens with other delays are refused when they are read.
        let served = self.find_stream(identity);
        let served = served.ok_or_else(|| Problem::forbidden("the delay_ms of the key is none of auth.delays_ms"))?;
        served.check()?;
        Ok(served)
    }

    /// Returns the stream that the client may have, whether it is served now or not.
    pub(super) fn find_stream(&self, identity: &Identity) -> Option<Served<'_>> {
        let delay_ms = identity.entitlement().delay_ms;
        if delay_ms == 0 {
            return Some(Served { router: &self.router, archive: &self.archive, gate: None });
        }
        let stream = self.delayed.iter().find(|stream| stream.gate.delay_ms() == delay_ms);
        stream.map(|DelayedStream { router, archive, gate, .. }| Served { router, archive, gate: Some(gate) })
    }
}

impl Served<'_> {
    /// Checks that everything which has been read until now may be sent.
    ///
    /// # Errors
    ///
    /// Returns 503 if the stream is not served.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Some(gate) = self.gate.filter(|gate| !gate.is_open()) else { return Ok(()) };
        let left = wait(gate.opens_in_micros(), self.router.borrow().config().market.speed());
        let detail = format!("nothing of the stream with delay_ms={} is due yet", gate.delay_ms());
        Err(Problem::unavailable(detail).after(left))
    }
}

/// Returns the time of the clock in which a market of this speed advances by so many microseconds, at most a day. Nobody knows it while a
/// replay is paused, or goes as fast as it can (speed 0): then a client asks again after a second.
fn wait(micros: u64, speed: f64) -> Duration {
    if speed <= 0.0 {
        return Duration::from_secs(1);
    }
    Duration::from_micros(micros).div_f64(speed).min(Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_delayed_stream_has_an_end_also_while_the_market_stands_still() {
        let second = Duration::from_secs(1);
        assert_eq!(
            [(10_000_000, 10.0), (0, 0.0), (900_000_000, 0.0)].map(|(left, speed)| wait(left, speed)),
            [second; 3]
        );
        assert_eq!(wait(u64::MAX, 0.01), Duration::from_hours(24));
    }
}
