//! The end of the stream: the newest `seq` of each symbol, requested over REST after the window. It reveals a missing last event,
//! which leaves no gap in `seq`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::connection::get;
use crate::scan::Object;

/// The end of the stream at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// The time stamp of the newest event of the whole market, in microseconds since 1970.
    pub(crate) newest: i64,
    seqs: HashMap<String, u64>,
}

/// Requests by how much the server's market is late; long before its first step. Fails with one line.
pub(crate) async fn lateness(address: SocketAddr) -> Result<Duration, String> {
    parse_lateness(&get(address, "/metrics").await?)
}

fn parse_lateness(metrics: &[u8]) -> Result<Duration, String> {
    let metrics = String::from_utf8_lossy(metrics);
    let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    match value("tickcast_feed_steps_total ").zip(value("tickcast_feed_lag_seconds ")) {
        Some((0.0, _)) => Ok(Duration::MAX),
        Some((_, lag)) => Duration::try_from_secs_f64(lag).map_err(|err| err.to_string()),
        None => Err("invalid metrics".into()),
    }
}

/// Returns the `seq` of the newest trade in a `snapshot` message.
pub(crate) fn seq_of_snapshot(object: &Object<'_>) -> Option<u64> {
    trades(&serde_json::from_slice(object.raw).ok()?)
}

fn trades(snapshot: &Value) -> Option<u64> {
    snapshot["seq"]["trades"].as_u64()
}

impl Tail {
    /// Returns the `seq` of the newest trade of this symbol.
    pub(crate) fn seq(&self, symbol: &str) -> Option<u64> {
        self.seqs.get(symbol).copied()
    }

    /// Requests the snapshots of all symbols at one position of the stream. Fails with one line.
    pub(crate) async fn ask(address: SocketAddr) -> Result<Self, String> {
        Self::parse(&get(address, "/api/v1/snapshot").await?)
    }

    fn parse(body: &[u8]) -> Result<Self, String> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let snapshots = answer["snapshots"].as_array().ok_or("invalid snapshots")?;
        let newest = snapshots.iter().filter_map(|snapshot| snapshot["ts"].as_i64()).max();
        let seq = |snapshot: &Value| Some((snapshot["symbol"].as_str()?.to_owned(), trades(snapshot)?));
        let seqs: Option<_> = snapshots.iter().map(seq).collect();
        newest.zip(seqs).map(|(newest, seqs)| Self { newest, seqs }).ok_or_else(|| "invalid snapshots".into())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, u64); N]> for Tail {
    fn from(seqs: [(&str, u64); N]) -> Self {
        Self { newest: 0, seqs: seqs.map(|(symbol, seq)| (symbol.to_owned(), seq)).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_snapshot_is_an_error() {
        for body in [
            &br#"{"snapshots":[]}"#[..],
            br#"{"snapshots":[{"type":"snapshot","symbol":"A","ts":1,"seq":{}}]}"#,
            br#"{"snapshots":[{"type":"snapshot","symbol":"A","ts":1,"seq":{"trades":7}}"#,
        ] {
            assert_eq!(Tail::parse(body).unwrap_err(), "invalid snapshots");
        }
    }

    #[test]
    fn the_lateness_of_the_market_is_a_metric() {
        let body = b"# HELP tickcast_feed_lag_seconds x\ntickcast_feed_lag_seconds 3.5\ntickcast_feed_steps_total 7\n";
        assert_eq!(parse_lateness(body), Ok(Duration::from_millis(3_500)));
        let body = b"tickcast_feed_lag_seconds 0\ntickcast_feed_steps_total 0\n";
        assert_eq!(parse_lateness(body), Ok(Duration::MAX), "it has made no step");
        assert_eq!(parse_lateness(b"tickcast_feed_steps_total 7\n"), Err("invalid metrics".into()));
    }
}
