//! `Past`: the last hour in points, for the plots of an operator. A ring of bounded length, filled by `app`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::transport::admin::{Admin, encode_row};
use crate::transport::pieces::Array;
use crate::transport::query::Parameters;
use crate::transport::{Problem, pieces};

/// The state of the server at one time; rates are since the point before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// The time, in seconds of Unix time.
    pub time: f64,
    /// Open sessions.
    pub sessions: f64,
    /// Events published per second.
    pub published: f64,
    /// Events written per second.
    pub delivered: f64,
    /// Bytes written per second.
    pub bytes: f64,
    /// Events skipped or merged per second, because sessions were slow or wished so.
    pub skipped: f64,
    /// The age of events when they were written: 99 of 100 writes were not older. Milliseconds; the last bound of the histogram if older.
    pub age_p99_ms: f64,
    /// How late the feed is. Milliseconds.
    pub feed_lag_ms: f64,
    /// Events between the feed and the hub that is furthest behind.
    pub hub_lag: f64,
    /// CPU time of the process per second: 1 is one core.
    pub cpu: f64,
    /// Resident memory. Bytes.
    pub memory: f64,
}

/// The newest points, oldest first.
#[derive(Debug)]
pub struct Past {
    points: Mutex<VecDeque<Point>>,
    points_max: usize,
    point_ms: u64,
}

impl Past {
    /// Returns an empty ring of at most `points_max` points, one each `point_ms` milliseconds.
    pub const fn new(points_max: usize, point_ms: u64) -> Self {
        Self { points: Mutex::new(VecDeque::new()), points_max, point_ms }
    }

    /// Adds a point, in place of the oldest one if there are too many.
    pub fn add(&self, point: Point) {
        let mut points = self.lock();
        while points.len() >= self.points_max {
            points.pop_front();
        }
        points.push_back(point);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Point>> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Responds to `GET /admin/past`: the points of the last hour.
///
/// # Errors
///
/// Returns a problem document if a parameter is given.
pub(super) async fn past(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let past = &Admin::of(&request)?.past;
    Parameters::of(&request)?.finish()?;
    let points: Vec<_> = past.lock().iter().copied().collect();
    let head = format!(r#"{{"point_ms":{},"points_max":{},"points":["#, past.point_ms, past.points_max);
    Ok(pieces::response(&request, pieces::begin(Array::new(head, points, encode_row)), None))
}

impl Point {
    /// Returns a point without figures.
    pub fn at(time: Timestamp) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a time of these centuries is exact to the microsecond")]
        Self { time: time.micros() as f64 / 1e6, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_points_in_order() {
        let past = Past::new(3, 1_000);
        for second in 0..10 {
            past.add(Point::at(Timestamp::from_micros(second * 1_000_000)));
        }
        let times: Vec<_> = past.lock().iter().map(|point| point.time).collect();
        assert_eq!(times, [7.0, 8.0, 9.0]);
    }
}
