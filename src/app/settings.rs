//! Settings: every key with its default, overridden by files and by the environment, checked before anything starts.
//!
//! `config/default.toml` is compiled into the binary; a test proves that it says what the code says.

use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::Deserialize;

use crate::feed::FeedConfig;
use crate::history::HistoryConfig;
use crate::hub::PushConfig;
use crate::session::SessionConfig;
use crate::transport::{AllowedOrigins, HandshakeConfig};

const DEFAULT_TOML: &str = include_str!("../../config/default.toml");
/// The prefix and separator of the environment's keys: `TICKCAST__SERVER__PORT`.
const ENVIRONMENT: (&str, &str) = ("TICKCAST", "__");

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Where prices come from.
    pub feed: FeedConfig,
    /// How events are sent.
    pub push: PushConfig,
    /// How much of the past is kept.
    pub history: HistoryConfig,
    /// What one session may do.
    pub session: SessionConfig,
    /// What the page about the handshake may take.
    pub handshake: HandshakeConfig,
}

/// The section `[server]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on: a host name or an IP address.
    pub host: String,
    /// The TCP port; 0 takes a free one.
    pub port: u16,
    /// Worker threads, at most 512; 0 starts one for each core.
    pub workers: usize,
    /// How long the orderly end may take. Milliseconds, at most 600,000.
    pub shutdown_grace_ms: u64,
    /// Over how long sessions are closed then, so that their clients do not all come back at once. Milliseconds; never
    /// more than half of `shutdown_grace_ms` is taken.
    pub drain_ms: u64,
    /// The most sessions at the same time. At least 1.
    pub connections_max: usize,
    /// Bytes that wait for one socket in the server before its outbox begins to fill. At least 1,024.
    pub write_buffer_bytes: usize,
    /// Unsent bytes in the kernel beyond which a socket takes no more (`TCP_NOTSENT_LOWAT`). At least 1,024.
    pub unsent_bytes_max: u32,
    /// Clients whose traffic is accounted. At least 1.
    pub traffic_clients_max: usize,
    /// Pages of other origins that may open sessions; in the environment a list with commas.
    pub allowed_origins: AllowedOrigins,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            workers: 0,
            shutdown_grace_ms: 5_000,
            drain_ms: 2_000,
            connections_max: 20_000,
            write_buffer_bytes: 32_768,
            unsent_bytes_max: 16_384,
            traffic_clients_max: 256,
            allowed_origins: AllowedOrigins::default(),
        }
    }
}

impl ServerConfig {
    fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { host, .. } if host.is_empty() => Err(("server.host", "must not be empty")),
            Self { workers: 513.., .. } => Err(("server.workers", "must be at most 512")),
            Self { shutdown_grace_ms: 600_001.., .. } => Err(("server.shutdown_grace_ms", "must be at most 600000")),
            Self { drain_ms: 600_001.., .. } => Err(("server.drain_ms", "must be at most 600000")),
            Self { connections_max: 0, .. } => Err(("server.connections_max", "must be at least 1")),
            Self { write_buffer_bytes: ..1_024, .. } => Err(("server.write_buffer_bytes", "must be at least 1024")),
            Self { unsent_bytes_max: ..1_024, .. } => Err(("server.unsent_bytes_max", "must be at least 1024")),
            Self { traffic_clients_max: 0, .. } => Err(("server.traffic_clients_max", "must be at least 1")),
            _ => Ok(()),
        }
    }
}

/// Why the settings cannot be used. Displays as one line that names the key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a value could not be read.
    #[error("{}", in_one_line(.0))]
    Read(#[from] ConfigError),
    /// A value is out of its range.
    #[error("{key} {complaint}")]
    Value {
        /// The key, with its section.
        key: &'static str,
        /// What is wrong with it.
        complaint: &'static str,
    },
}

/// Leaves out the drawing of the place that a parser of TOML adds to its complaint.
fn in_one_line(err: &ConfigError) -> String {
    let text = err.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('|') && !line.contains(" | "));
    lines.collect::<Vec<_>>().join(", ")
}

impl Settings {
    /// Reads the settings: the defaults, then `config/<profile>.toml` of the present directory, then `file`, then the
    /// environment.
    ///
    /// # Errors
    ///
    /// Returns the first key that is unknown or has a bad value, or the file that cannot be read.
    pub fn read(profile: Option<&str>, file: Option<&Path>) -> Result<Self, SettingsError> {
        let (prefix, separator) = ENVIRONMENT;
        let environment = Environment::with_prefix(prefix).prefix_separator(separator).separator(separator);
        Self::layered(profile, file, environment)
    }

    fn layered(profile: Option<&str>, file: Option<&Path>, environment: Environment) -> Result<Self, SettingsError> {
        let mut layers = Config::builder().add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml));
        if let Some(profile) = profile {
            let path = Path::new("config").join(format!("{profile}.toml"));
            layers = layers.add_source(File::from(path).format(FileFormat::Toml));
        }
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml));
        }
        let settings: Self = layers.add_source(environment).build()?.try_deserialize()?;
        settings.validate()?;
        Ok(settings)
    }

    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// Returns the first key that is not.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.server
            .validate()
            .and_then(|()| self.feed.validate())
            .and_then(|()| self.push.validate())
            .and_then(|()| self.history.validate())
            .and_then(|()| self.session.validate())
            .and_then(|()| self.handshake.validate())
            .map_err(|(key, complaint)| SettingsError::Value { key, complaint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let source: HashMap<_, _> = variables.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let environment = Environment::with_prefix("TICKCAST").prefix_separator("__").separator("__");
        Settings::layered(None, None, environment.source(Some(source)))
    }

    #[test]
    fn the_file_of_defaults_says_what_the_code_says() {
        assert_eq!(read(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn the_environment_overrides_a_key() {
        let settings = read(&[
            ("TICKCAST__SERVER__PORT", "9000"),
            ("TICKCAST__FEED__EVENTS_PER_SECOND", "5000"),
            ("TICKCAST__SERVER__HOST", "0.0.0.0"),
            ("TICKCAST__SERVER__ALLOWED_ORIGINS", "https://example.com, http://localhost:3000"),
        ]);
        let settings = settings.unwrap();
        let expected = AllowedOrigins::parse(&["https://example.com", "http://localhost:3000"]);
        assert_eq!(Some(settings.server.allowed_origins), expected);
        assert_eq!((settings.server.port, settings.server.host.as_str()), (9000, "0.0.0.0"));
        assert!((settings.feed.events_per_second - 5000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_bad_key_or_value_is_refused_in_one_line_that_names_it() {
        for (key, value, named) in [
            ("TICKCAST__SERVER__PROT", "1", "prot"),
            ("TICKCAST__SEVER__PORT", "1", "sever"),
            ("TICKCAST__SERVER__PORT", "70000", "port"),
            ("TICKCAST__SERVER__PORT", "many", "port"),
            ("TICKCAST__SERVER__ALLOWED_ORIGINS", "example.com", "allowed_origins"),
            ("TICKCAST__FEED__EVENTS_PER_SECOND", "0", "feed.events_per_second"),
            ("TICKCAST__FEED__EVENTS_PER_SECOND", "NaN", "feed.events_per_second"),
            ("TICKCAST__FEED__EVENTS_PER_SECOND", "-5", "feed.events_per_second"),
            ("TICKCAST__FEED__KIND", "imagined", "kind"),
            ("TICKCAST__FEED__SPEED", "0", "feed.speed"),
            ("TICKCAST__PUSH__OUTBOX_EVENTS_MAX", "0", "push.outbox_events_max"),
            ("TICKCAST__HISTORY__EVENTS_MAX", "0", "history.events_max"),
            ("TICKCAST__SESSION__MESSAGE_BYTES_MAX", "1", "session.message_bytes_max"),
            ("TICKCAST__SESSION__HEARTBEAT_MS", "-1", "heartbeat_ms"),
            ("TICKCAST__HANDSHAKE__CAPTURES_MAX", "0", "handshake.captures_max"),
        ] {
            let err = read(&[(key, value)]).expect_err(key).to_string();
            assert!(err.contains(named) && !err.contains('\n'), "{key}={value}: {err}");
        }
    }
}
