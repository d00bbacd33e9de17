//! `tickcast record`: the stream of a server into files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use crate::domain::{Channel, SystemClock};
use crate::feed::OnBadRecord;
use crate::record::remote::{Protocol, Recorded, RemoteConfig, RemoteError, record};

/// The address of a server of tickcast on this machine.
const DEFAULT_URL: &str = "ws://127.0.0.1:8080/ws";

/// Records the stream of a server into files that `tickcast replay` and `tickcast convert` read, until Ctrl-C
#[derive(Args, Clone)]
pub struct RecordCommand {
    #[arg(
        long,
        value_name = "URL",
        help = "The WebSocket of the server [default: ws://127.0.0.1:8080/ws]; that of a vendor must be given"
    )]
    url: Option<Url>,
    /// The protocol of the server: that of tickcast, or of the stock streams of Alpaca or Massive (Polygon)
    #[arg(long, value_enum, default_value = "native")]
    protocol: ProtocolName,
    /// The form of the messages of Alpaca [default: json]
    #[arg(long, value_enum)]
    codec: Option<Codec>,
    /// The reaction to a message of a vendor that cannot be read; skip announces it in the file as missing [default: skip]
    #[arg(long, value_name = "REACTION")]
    bad_record: Option<OnBadRecord>,
    /// The directory of the files; a recording there is continued
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The symbols, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "*")]
    symbols: Vec<String>,
    /// The channels, separated by commas, like trades,quotes; all that the protocol has by default
    #[arg(long, value_delimiter = ',', value_parser = channel)]
    channels: Vec<Channel>,
    /// A new file begins at each multiple of this time, like 1h or 10m
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = rotation)]
    rotate: Duration,
    /// Ends after this time, like 10m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    length: Option<Duration>,
    /// The secret of a key, or a token; KEY:SECRET for Alpaca; better in the variable `TICKCAST_TOKEN`, because others see the arguments of a process
    #[arg(long)]
    token: Option<String>,
    /// Certificates of the authorities to trust, in place of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProtocolName {
    Native,
    Alpaca,
    Massive,
}

/// The form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Codec {
    Json,
    Msgpack,
}

impl RecordCommand {
    /// Records until `stop` is ready, or the time of `--for` is over.
    ///
    /// # Errors
    ///
    /// Returns why the server, or the directory, cannot be used.
    pub async fn run(self, token: Option<String>, stop: impl Future<Output = ()>) -> Result<Recorded, RemoteError> {
        let protocol = match (self.protocol, self.codec, self.bad_record) {
            (ProtocolName::Native, None, None) => Protocol::Native,
            (ProtocolName::Alpaca, codec, _) => Protocol::Alpaca { is_packed: codec == Some(Codec::Msgpack) },
            (ProtocolName::Massive, None, _) => Protocol::Massive,
            (_, Some(_), _) => return Err(RemoteError::Unused("--codec", "Alpaca")),
            (ProtocolName::Native, None, Some(_)) => {
                return Err(RemoteError::Unused("--bad-record", "Alpaca and Massive"));
            }
        };
        // A vendor has no address by default: the secret would be shown to another server.
        let url = self.url.or_else(|| DEFAULT_URL.parse().ok().filter(|_| protocol == Protocol::Native));
        let url = url.ok_or(RemoteError::Url)?;
        let channels = if self.channels.is_empty() { protocol.channels().iter().collect() } else { self.channels };
        let config = RemoteConfig {
            url,
            protocol,
            bad_record: self.bad_record.unwrap_or(OnBadRecord::Skip),
            directory: self.out,
            symbols: self.symbols,
            channels,
            rotate: self.rotate,
            token: self.token.or(token),
            ca_file: self.ca,
        };
        let over = async {
            match self.length {
                Some(length) => tokio::time::sleep(length).await,
                None => std::future::pending().await,
            }
        };
        let stopped = async {
            tokio::select! {
                () = stop => {}
                () = over => {}
            }
        };
        record(config, Arc::new(SystemClock), stopped).await
    }
}

fn channel(text: &str) -> Result<Channel, &'static str> {
    text.parse().map_err(|()| "must be a channel like trades, quotes or bars.1m")
}

fn rotation(text: &str) -> Result<Duration, &'static str> {
    duration(text)
        .ok()
        .filter(|time| (1..=86_400).contains(&time.as_secs()))
        .ok_or("must be a time from 1s to 24h, like 1h")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let rule = "must be a number with s, m or h, like 10m";
    let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or(rule)?;
    let (count, unit) = text.split_at(unit);
    let unit = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err(rule),
    };
    count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit)).map(Duration::from_secs).ok_or(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_command_line() {
        assert_eq!(["5s", "2m", "1h"].map(duration), [5, 120, 3_600].map(|seconds| Ok(Duration::from_secs(seconds))));
        for text in ["", "5", "s", "5d", "-5s", "18446744073709551615m"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(rotation("0s").is_err() && rotation("25h").is_err() && rotation("24h").is_ok());
        assert_eq!((channel("bars.1m").is_ok(), channel("day").is_ok()), (true, false));
    }
}
