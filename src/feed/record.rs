//! The section `[feed.record]` of the configuration.

use serde::Deserialize;

use crate::domain::{Channel, ChannelSet};
use crate::feed::replay::list;

/// The recording of the stream into files. docs/RECORDING.md describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// The directory of the files. Empty for no recording.
    pub dir: String,
    /// A new file begins at each multiple of this time since 1970, in milliseconds: 1,000 to 86,400,000.
    pub rotate_ms: u64,
    /// The channels that are recorded. In a variable of the environment separated by commas. Empty for all.
    #[serde(deserialize_with = "list")]
    pub channels: Vec<String>,
    /// Most events that wait for the disk. One more, and events are lost for the recording. 1 to 16,777,216.
    pub queue_events_max: usize,
    /// Time after which recorded events can be read even if the process is killed, in milliseconds: 10 to 60,000.
    pub frame_ms: u64,
    /// Time until the next attempt after an error of the disk, in milliseconds: 100 to 600,000.
    pub retry_ms: u64,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            dir: String::new(),
            rotate_ms: 3_600_000,
            channels: Vec::new(),
            queue_events_max: 262_144,
            frame_ms: 1_000,
            retry_ms: 5_000,
        }
    }
}

impl RecordConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub(super) fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        if !(1_000..=86_400_000).contains(&self.rotate_ms) {
            return Err(("feed.record.rotate_ms", "must be 1000 to 86400000"));
        }
        if self.channels.iter().any(|name| name.parse::<Channel>().is_err()) {
            return Err(("feed.record.channels", "must be channels like trades, quotes or bars.1m"));
        }
        if !(1..=16_777_216).contains(&self.queue_events_max) {
            return Err(("feed.record.queue_events_max", "must be 1 to 16777216"));
        }
        if !(10..=60_000).contains(&self.frame_ms) {
            return Err(("feed.record.frame_ms", "must be 10 to 60000"));
        }
        if !(100..=600_000).contains(&self.retry_ms) {
            return Err(("feed.record.retry_ms", "must be 100 to 600000"));
        }
        Ok(())
    }

    /// Returns whether the stream is recorded.
    pub fn is_on(&self) -> bool {
        !self.dir.is_empty()
    }

    /// Returns the channels that are recorded.
    pub fn channels(&self) -> ChannelSet {
        let named: ChannelSet = self.channels.iter().filter_map(|name| name.parse::<Channel>().ok()).collect();
        if self.channels.is_empty() { ChannelSet::ALL } else { named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_value_is_refused_with_its_key() {
        RecordConfig::default().validate().unwrap();
        let is = |key: &str, change: fn(&mut RecordConfig)| {
            let mut config = RecordConfig::default();
            change(&mut config);
            assert_eq!(config.validate().map_err(|(key, _)| key), Err(key));
        };
        is("feed.record.rotate_ms", |config| config.rotate_ms = 999);
        is("feed.record.channels", |config| config.channels = vec!["trades".into(), "day".into()]);
        is("feed.record.queue_events_max", |config| config.queue_events_max = 0);
        is("feed.record.frame_ms", |config| config.frame_ms = 9);
        is("feed.record.retry_ms", |config| config.retry_ms = 99);
    }
}
