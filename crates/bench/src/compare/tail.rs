//! The end of the stream: the newest `seq` of each symbol, requested over REST after the window. It reveals a missing last event,
//! which leaves no gap in `seq`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::connection::get;
use crate::scan::Object;

/// The end of the stream at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// The time stamp of the newest event of the whole market, in microseconds since 1970.
    pub(crate) newest: i64,
    seqs: HashMap<String, u64>,
}

#[derive(Deserialize)]
struct Answer {
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    symbol: String,
    ts: i64,
    seq: Numbers,
}

#[derive(Deserialize)]
struct Numbers {
    trades: u64,
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
    serde_json::from_slice::<Snapshot>(object.raw).ok().map(|snapshot| snapshot.seq.trades)
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
        let answer = serde_json::from_slice::<Answer>(body).ok().filter(|answer| !answer.snapshots.is_empty());
        let Answer { snapshots } = answer.ok_or("invalid snapshots")?;
        let newest = snapshots.iter().map(|snapshot| snapshot.ts).max().unwrap_or_default();
        let seqs = snapshots.into_iter().map(|snapshot| (snapshot.symbol, snapshot.seq.trades));
        Ok(Self { newest, seqs: seqs.collect() })
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
    fn the_seq_of_all_symbols_and_the_newest_time_are_parsed() {
        let body = br#"{"epoch":"e","offset":9,"snapshots":[
            {"type":"snapshot","symbol":"A","offset":9,"ts":70,"seq":{"trades":7,"quotes":1,"bars.1s":2}},
            {"type":"snapshot","symbol":"B","offset":9,"ts":60,"seq":{"trades":0,"quotes":3}}]}"#;
        let tail = Tail::parse(body).unwrap();
        assert_eq!((tail.newest, tail.seq("A"), tail.seq("B"), tail.seq("C")), (70, Some(7), Some(0), None));
    }

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
        let body = b"# HELP tickcast_feed_lag_seconds x
tickcast_feed_lag_seconds 3.5
tickcast_feed_steps_total 7
";
        assert_eq!(parse_lateness(body), Ok(Duration::from_millis(3_500)));
        let body = b"tickcast_feed_lag_seconds 0\ntickcast_feed_steps_total 0\n";
        assert_eq!(parse_lateness(body), Ok(Duration::MAX), "it has made no step");
        assert_eq!(
            parse_lateness(
                b"tickcast_feed_steps_total 7
"
            ),
            Err("invalid metrics".into())
        );
    }
}
