//! `Delays`: the delays that keys and tokens may have, `auth.delays_ms`. Each has a stream and a history of its own, from the start of
//! the server on.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Most different delays: each costs a worker thread as much as its own stream.
const DELAYS_MAX: usize = 8;
/// Longest delay in milliseconds: a day.
pub(super) const DELAY_MS_MAX: u64 = 86_400_000;

/// Different delays in milliseconds, 1 to 86,400,000 each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays(Vec<u64>);

impl Delays {
    /// Returns these delays; `None` if there are too many, one is out of range, or one is there twice.
    pub fn new(delays_ms: Vec<u64>) -> Option<Self> {
        let is_new = |index: usize| !delays_ms[..index].contains(&delays_ms[index]);
        let are_good = delays_ms.len() <= DELAYS_MAX
            && delays_ms.iter().all(|delay_ms| (1..=DELAY_MS_MAX).contains(delay_ms))
            && (0..delays_ms.len()).all(is_new);
        are_good.then_some(Self(delays_ms))
    }

    /// Returns whether a key may have this delay: one of these, or none at all.
    pub fn permit(&self, delay_ms: u64) -> bool {
        delay_ms == 0 || self.0.contains(&delay_ms)
    }

    /// Returns each delay in milliseconds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> {
        self.0.iter().copied()
    }
}

/// Reads a list, or one comma-separated text from the environment.
impl<'de> Deserialize<'de> for Delays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Numbers {
            List(Vec<u64>),
            One(u64),
            Line(String),
        }
        let numbers = match Numbers::deserialize(deserializer)? {
            Numbers::List(numbers) => Some(numbers),
            Numbers::One(number) => Some(vec![number]),
            Numbers::Line(line) => line.split(',').map(|text| text.trim().parse().ok()).collect(),
        };
        let rule = "delays_ms must be at most 8 different numbers of milliseconds, 1 to 86400000 each";
        numbers.and_then(Self::new).ok_or_else(|| D::Error::custom(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_different_few_and_at_most_a_day() {
        let is_good = |delays: &[u64]| Delays::new(delays.to_vec()).is_some();
        assert!(is_good(&[]) && is_good(&[1, DELAY_MS_MAX]) && is_good(&[1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(!is_good(&[0]) && !is_good(&[DELAY_MS_MAX + 1]) && !is_good(&[5, 6, 5]));
        assert!(!is_good(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
        let delays = Delays::new(vec![900_000]).unwrap();
        assert_eq!([0, 900_000, 1].map(|delay_ms| delays.permit(delay_ms)), [true, true, false]);
    }
}
