//! `tickcast replay FILE…`: the server with a replay as its feed.

use std::path::PathBuf;

use clap::Args;

use crate::app::{ReadArguments, Settings, SettingsError};
use crate::feed::FeedKind;
use crate::feed::replay::ReplayTime;

/// Serves files of trades, quotes and bars (CSV, DBN, recordings) again: sets `feed.kind` and the keys of `[feed.replay]`
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub struct ReplayCommand {
    /// The files, merged in the order of time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Seconds of the files per second of the clock, 0.01 to 1000, or max for as fast as the clients take them
    #[arg(long, value_name = "X", value_parser = speed)]
    speed: Option<f64>,
    /// Time of the files at which to begin, like 2020-12-15T09:30; what comes before fills the history
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Time of the files at which to end
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Keep the times of the files, instead of moving them so that the replay begins now
    #[arg(long)]
    original_time: bool,
    /// Begin again at the end
    #[arg(long = "loop")]
    is_loop: bool,
    /// Wait for POST /api/v1/feed/resume
    #[arg(long)]
    paused: bool,
    /// The longest silence, like 5s or 500ms: a longer one, like a night, lasts so long
    #[arg(long, value_name = "TIME", value_parser = millis)]
    gap_max: Option<u64>,
    /// Waits, at any speed, for clients that must lose nothing
    #[arg(long)]
    lossless: bool,
    #[command(flatten)]
    read: ReadArguments,
}

impl ReplayCommand {
    /// Sets the keys of the settings that the arguments name.
    ///
    /// # Errors
    ///
    /// Returns the first key whose value is bad.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.feed.kind = FeedKind::Replay;
        let feed = &mut settings.feed;
        if let Some(speed) = self.speed {
            feed.speed = speed;
        }
        let replay = &mut feed.replay;
        replay.files = self.files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        self.read.apply(replay, &mut feed.bad_record);
        let texts = [(&self.start, &mut replay.start), (&self.end, &mut replay.end)];
        for (argument, key) in texts {
            if let Some(text) = argument {
                key.clone_from(text);
            }
        }
        if self.original_time {
            replay.time = ReplayTime::Original;
        }
        if let Some(gap_max_ms) = self.gap_max {
            replay.gap_max_ms = gap_max_ms;
        }
        replay.is_loop |= self.is_loop;
        replay.paused |= self.paused;
        replay.lossless |= self.lossless;
        settings.validate()
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let rule = "must be 0.01 to 1000, or max";
    match text {
        "max" => Ok(0.0),
        text => text.parse().ok().filter(|speed| (0.01..=1_000.0).contains(speed)).ok_or(rule),
    }
}

fn millis(text: &str) -> Result<u64, &'static str> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return Err("must be a number with ms, s or m, like 5s"),
    };
    count
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .ok_or("must be a number with ms, s or m, like 5s")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        command: ReplayCommand,
    }

    #[test]
    fn the_arguments_set_the_keys_of_the_settings() {
        let line = "replay a.csv b.csv --speed 10 --start 2020-12-15T09:30 --end 2020-12-15T16:00 --loop --paused --gap-max 5s \
                    --tz America/New_York --symbol SPY --reorder-ms 5 --only SPY,QQQ --interval 1m --format csv";
        let mut settings = Settings::default();
        Line::parse_from(line.split_whitespace()).command.apply(&mut settings).unwrap();
        let feed = &settings.feed;
        assert_eq!((feed.kind, feed.speed), (FeedKind::Replay, 10.0));
        let replay = &feed.replay;
        assert_eq!((&*replay.start, &*replay.end), ("2020-12-15T09:30", "2020-12-15T16:00"));
        assert_eq!((&*replay.tz, &*replay.symbol), ("America/New_York", "SPY"));
        assert_eq!((&*replay.interval, &*replay.format), ("1m", "csv"));
        assert_eq!((replay.gap_max_ms, replay.reorder_ms), (5_000, 5));
        assert!(replay.is_loop && replay.paused && !replay.lossless && replay.time == ReplayTime::Now);
        assert_eq!(replay.files, ["a.csv", "b.csv"]);
        assert_eq!(replay.only, ["SPY", "QQQ"]);
    }

    #[test]
    fn the_words_of_the_command_line() {
        assert_eq!(["5s", "500ms", "2m", "0ms"].map(millis), [Ok(5_000), Ok(500), Ok(120_000), Ok(0)]);
        for text in ["", "5", "s", "-5s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(millis(text).is_err(), "{text}");
        }
        assert_eq!(["max", "10", "0.01"].map(speed), [Ok(0.0), Ok(10.0), Ok(0.01)]);
        for text in ["", "0", "-1", "1001", "NaN", "inf", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
