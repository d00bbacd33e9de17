//! Modes of a subscription (every event, or the newest only), and the reaction to a lag.

use std::time::Duration;

/// Mode of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Every event.
    #[default]
    All,
    /// The newest event of each topic, at most at this rate; without a rate, the newest at each write.
    Latest(Option<Rate>),
}

impl Mode {
    /// Returns the name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Latest(_) => "latest",
        }
    }

    /// Returns the least time between two events; zero if there is no limit.
    pub fn interval(self) -> Duration {
        match self {
            Self::Latest(Some(rate)) => rate.interval(),
            Self::All | Self::Latest(None) => Duration::ZERO,
        }
    }
}

/// A rate, in thousandths of a hertz: 0.001 to 1,000 Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u32);

impl Rate {
    /// Lowest rate, in hertz.
    pub const HZ_MIN: f64 = 0.001;
    /// Highest rate, in hertz.
    pub const HZ_MAX: f64 = 1_000.0;

    /// Returns the rate of this many events per second, rounded to a thousandth; `None` if it is out of range.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
    pub fn from_hz(hz: f64) -> Option<Self> {
        (Self::HZ_MIN..=Self::HZ_MAX).contains(&hz).then(|| Self((hz * 1_000.0).round() as u32))
    }

    /// Returns the rate in hertz.
    pub fn hz(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// Returns the time between two events.
    pub fn interval(self) -> Duration {
        Duration::from_secs(1_000) / self.0
    }
}

/// Reaction to a full outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLag {
    /// The session is sent the newest values and the number of events skipped.
    #[default]
    CatchUp,
    /// The session is closed.
    Close,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_precision_of_a_thousandth_and_a_range() {
        assert_eq!(Rate::from_hz(0.5).unwrap().interval(), Duration::from_secs(2));
        assert_eq!(Rate::from_hz(4.0).unwrap().interval(), Duration::from_millis(250));
        assert!((Rate::from_hz(0.333_333).unwrap().hz() - 0.333).abs() < 1e-9);
        for hz in [0.0, -1.0, 0.000_9, 1_000.1, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::from_hz(hz), None, "{hz}");
        }
    }
}
