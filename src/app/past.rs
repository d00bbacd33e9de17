//! Measures the points of the plots for operators: one each `admin.point_ms`, from the metrics and the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

use crate::domain::Clock;
use crate::metrics::SharedMetrics;
use crate::transport::{Past, Point};

/// Adds a point to `past` at this interval, for the life of the server.
pub(super) fn record(past: Arc<Past>, interval: Duration, metrics: SharedMetrics, clock: Arc<dyn Clock>) {
    actix_web::rt::spawn(async move {
        let mut last = Totals::read(&metrics, Instant::now());
        loop {
            tokio::time::sleep(interval).await;
            let now = Totals::read(&metrics, Instant::now());
            past.add(point(&last, &now, &metrics, clock.as_ref()));
            last = now;
        }
    });
}

/// Counters at one time.
struct Totals {
    at: Instant,
    published: u64,
    delivered: u64,
    bytes: u64,
    skipped: u64,
    cpu: Duration,
    ages: Vec<(f64, u64)>,
}

impl Totals {
    fn read(metrics: &SharedMetrics, at: Instant) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let [seconds, nanos] = [cpu.tv_sec, cpu.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
        Self {
            at,
            published: metrics.events_published.get(),
            delivered: metrics.events_delivered.get(),
            bytes: metrics.bytes_written.get(),
            skipped: metrics.events_skipped.get() + metrics.events_conflated.get(),
            cpu: Duration::from_secs(seconds) + Duration::from_nanos(nanos),
            ages: metrics.event_age.buckets(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for a plot")]
fn point(last: &Totals, now: &Totals, metrics: &SharedMetrics, clock: &dyn Clock) -> Point {
    let seconds = now.at.saturating_duration_since(last.at).as_secs_f64().max(f64::MIN_POSITIVE);
    let rate = |last: u64, now: u64| now.saturating_sub(last) as f64 / seconds;
    let slowest_hub = metrics.hub_offsets().into_iter().min();
    Point {
        sessions: metrics.sessions.get() as f64,
        published: rate(last.published, now.published),
        delivered: rate(last.delivered, now.delivered),
        bytes: rate(last.bytes, now.bytes),
        skipped: rate(last.skipped, now.skipped),
        age_p99_ms: quantile(&last.ages, &now.ages, 0.99) * 1e3,
        feed_lag_ms: metrics.feed_lag().as_secs_f64() * 1e3,
        hub_lag: slowest_hub.map_or(0.0, |offset| metrics.feed_offset().saturating_sub(offset) as f64),
        cpu: now.cpu.saturating_sub(last.cpu).as_secs_f64() / seconds,
        memory: resident_bytes().unwrap_or(0) as f64,
        ..Point::at(clock.now())
    }
}

/// Returns the bound below which this share of the new values of a histogram is, interpolated within its bucket as Prometheus does; 0
/// without a new value. The last bucket, without a bound, counts as that before it.
#[expect(clippy::cast_precision_loss, reason = "a figure for a plot")]
fn quantile(last: &[(f64, u64)], now: &[(f64, u64)], share: f64) -> f64 {
    let counts: Vec<_> = now
        .iter()
        .enumerate()
        .map(|(index, (bound, count))| (*bound, count.saturating_sub(last.get(index).map_or(0, |(_, last)| *last))))
        .collect();
    let wanted = counts.iter().map(|(_, count)| *count).sum::<u64>() as f64 * share;
    let (mut below, mut seen) = (0.0, 0.0);
    for (bound, count) in counts {
        let count = count as f64;
        if count > 0.0 && seen + count >= wanted {
            return if bound.is_finite() { below + (bound - below) * ((wanted - seen) / count) } else { below };
        }
        seen += count;
        if bound.is_finite() {
            below = bound;
        }
    }
    0.0
}

/// Returns the resident memory of the process; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_that_of_the_new_values() {
        let last = [(0.001, 1_000), (0.002, 0), (0.004, 0), (f64::INFINITY, 5)];
        let is = |now: [u64; 4], share: f64, expected: f64| {
            let now: Vec<_> = last.iter().zip(now).map(|((bound, count), more)| (*bound, count + more)).collect();
            let found = quantile(&last, &now, share);
            assert!((found - expected).abs() < 1e-9, "{now:?} {share}: {found}");
        };
        is([0, 0, 0, 0], 0.99, 0.0);
        is([0, 100, 0, 0], 0.5, 0.001_5);
        is([50, 0, 50, 0], 0.99, 0.002 + 0.002 * 0.98);
        is([1, 0, 0, 99], 0.99, 0.004);
    }
}
