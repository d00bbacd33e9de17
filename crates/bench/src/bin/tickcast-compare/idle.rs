//! Servers without clients: what the market costs alone, and how far measurements of the same thing are apart. What clients
//! cost is told against these.

use serde::{Deserialize, Serialize};

/// The server with no clients, measured some times: what the market costs alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Idle {
    /// Events per second of each client that might come.
    pub(crate) rate: f64,
    /// The part of one core that it uses, on average.
    pub(crate) server_cpu: f64,
    /// That of each measurement, each on a server of its own, before the matrix and after it; none in data of old.
    #[serde(default)]
    pub(crate) measurements: Vec<f64>,
}

impl Idle {
    /// Returns what these measurements say together.
    pub(crate) fn new(rate: f64, measurements: Vec<f64>) -> Self {
        let server_cpu = measurements.iter().sum::<f64>() / measurements.len().max(1) as f64;
        Self { rate, server_cpu, measurements }
    }

    /// Returns the lowest and the highest measurement; the mean for both when they are not known one by one.
    pub(crate) fn range(&self) -> (f64, f64) {
        let mean = (self.server_cpu, self.server_cpu);
        self.measurements.iter().fold(mean, |(low, high), one| (low.min(*one), high.max(*one)))
    }

    /// Returns by how much the measurements differ, from the lowest to the highest; `None` when there are not two.
    pub(crate) fn spread(&self) -> Option<f64> {
        let (low, high) = self.range();
        (self.measurements.len() > 1).then_some(high - low)
    }
}

/// What clients cost a server beyond what it spends with none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Net {
    /// As a part of one core.
    pub(crate) cpu: f64,
    /// By how much servers without clients differ from one measurement to another: less than that tells nothing.
    pub(crate) spread: f64,
}

impl Net {
    /// Returns whether it is more than what idle servers differ by.
    pub(crate) fn is_told(self) -> bool {
        self.cpu > self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{comparison, sample};

    #[test]
    fn the_spread_of_idle_servers_is_from_the_lowest_to_the_highest() {
        let idle = Idle::new(1.0, vec![0.04, 0.03, 0.05]);
        assert!((idle.server_cpu - 0.04).abs() < 1e-9 && (idle.spread().unwrap() - 0.02).abs() < 1e-9);
        assert_eq!(Idle::new(1.0, vec![0.04]).spread(), None, "one measurement has none");
    }

    #[test]
    fn the_market_alone_is_not_charged_to_the_clients() {
        // 10 % of a core for 4 s, of which 4 % are the market's.
        let one = sample("WebSocket", 100, 10.0, 0.10);
        let all = comparison(vec![Idle::new(10.0, vec![0.03, 0.05])], vec![one.clone()]);
        assert!((all.net(&one).unwrap().cpu - 0.06).abs() < 1e-9);
        let events = one.result.events as f64;
        assert!((all.net_us_per_event(&one).unwrap() - 0.06 * 4e6 / events).abs() < 1e-6);
        let faint = sample("WebSocket", 1, 10.0, 0.055);
        assert!(
            all.net(&faint).unwrap().cpu > 0.01 && all.net_us_per_event(&faint).is_none(),
            "below the spread of 2 %"
        );
        assert!(all.net(&sample("WebSocket", 1, 99.0, 0.5)).is_none(), "no idle server at this rate");
    }
}
