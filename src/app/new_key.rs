//! `tickcast key new`: makes a key for the key file.

use std::fmt::Write;

use clap::{Args, Subcommand};

use crate::access::Secret;
use crate::domain::{Clock, SystemClock};

/// Commands about keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Prints a new secret, once, to the standard error, and to the standard output the entry for the key file, `auth.keys_file`,
    /// which does not contain it
    New(NewKey),
}

/// The key to make.
#[derive(Args)]
pub struct NewKey {
    /// Name of the key
    #[arg(long)]
    id: String,
    /// Symbols that it permits, with ? and * as wildcards; may be repeated, or separated by commas
    #[arg(long = "symbols", value_name = "PATTERN", default_value = "*", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Channels that it permits, like trades or bars.*; may be repeated, or separated by commas
    #[arg(long = "channels", value_name = "PATTERN", default_value = "*", value_delimiter = ',')]
    channels: Vec<String>,
    /// Events per second of each topic
    #[arg(long)]
    max_hz: Option<f64>,
    /// Symbols of one session
    #[arg(long)]
    symbols_max: Option<usize>,
    /// Connections at the same time
    #[arg(long)]
    connections_max: Option<usize>,
    /// Work per second that its requests may cause, in units of one event read
    #[arg(long)]
    work_per_second_max: Option<usize>,
    /// Delay of everything that it permits, in milliseconds: one of `auth.delays_ms`
    #[arg(long)]
    delay_ms: Option<u64>,
    /// The end, like 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Whether it may read metrics and control faults
    #[arg(long)]
    admin: bool,
    /// Whether it may publish events, where feed.kind is "publish"
    #[arg(long)]
    publish: bool,
}

impl NewKey {
    /// Returns a new secret, and the entry for the key file.
    ///
    /// # Errors
    ///
    /// Returns the mistake in the arguments, by the rules of the key file; also an end in the past.
    pub fn make(&self) -> Result<(Secret, String), String> {
        let secret = Secret::random();
        let entry = self.entry(&secret);
        crate::access::check_key_file(&entry)?;
        let end = self.expires.as_deref().and_then(|end| chrono::DateTime::parse_from_rfc3339(end).ok());
        if end.is_some_and(|end| end.timestamp_micros() <= SystemClock.now().micros()) {
            return Err("expires is in the past".into());
        }
        Ok((secret, entry))
    }

    fn entry(&self, secret: &Secret) -> String {
        // A JSON string is a basic string of TOML.
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let list = |texts: &[String]| texts.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let mut entry = format!(
            "[[keys]]\nid = {}\nsecret_sha256 = \"{:x}\"\nsymbols = [{}]\nchannels = [{}]\n",
            quoted(&self.id),
            secret.digest(),
            list(&self.symbols),
            list(&self.channels),
        );
        let numbers = [
            ("symbols_max", self.symbols_max),
            ("connections_max", self.connections_max),
            ("work_per_second_max", self.work_per_second_max),
        ];
        for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
            _ = writeln!(entry, "{name} = {number}");
        }
        if let Some(hz) = self.max_hz {
            _ = writeln!(entry, "max_hz = {hz:?}");
        }
        if let Some(delay_ms) = self.delay_ms {
            _ = writeln!(entry, "delay_ms = {delay_ms}");
        }
        if let Some(expires) = &self.expires {
            _ = writeln!(entry, "expires = {}", quoted(expires));
        }
        if self.admin {
            entry.push_str("admin = true\n");
        }
        if self.publish {
            entry.push_str("publish = true\n");
        }
        entry
    }
}
