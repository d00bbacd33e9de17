//! Settings: every key with its default, overridden by files and by the environment, validated before the server starts.
//!
//! `config/default.toml` is compiled into the binary; a test compares it with the defaults in the code.

use std::path::Path;

use config::builder::{ConfigBuilder, DefaultState};
use config::{Config, ConfigError, Environment, File, FileFormat, Format, Source};
use serde::Deserialize;

use crate::access::{AuthConfig, KeysConfig, LimitsConfig};
use crate::app::LogConfig;
use crate::app::SettingsError;
use crate::app::kind::check_kinds;
use crate::app::layer::Layer;
use crate::app::server_config::ServerConfig;
use crate::app::variable::check_names;
use crate::faults::{FaultLimits, Rule};
use crate::feed::FeedConfig;
use crate::history::HistoryConfig;
use crate::hub::PushConfig;
use crate::session::SessionConfig;
use crate::transport::{AdminConfig, InspectorConfig};

const DEFAULT_TOML: &str = include_str!("../../config/default.toml");
/// Prefix and separator of environment variables: `TICKCAST__SERVER__PORT`.
const ENVIRONMENT: (&str, &str) = ("TICKCAST", "__");

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Addresses, connections, HTTP.
    pub server: ServerConfig,
    /// Source of prices.
    pub feed: FeedConfig,
    /// Delivery of events.
    pub push: PushConfig,
    /// Size of the history.
    pub history: HistoryConfig,
    /// Limits of one session.
    pub session: SessionConfig,
    /// Limits of the page `/handshake`.
    pub handshake: InspectorConfig,
    /// The keys of clients that speak a vendor's dialect.
    pub keys: KeysConfig,
    /// The clients that may use the server.
    pub auth: AuthConfig,
    /// The listener of the operators.
    pub admin: AdminConfig,
    /// How often strangers may try.
    pub limits: LimitsConfig,
    /// The log.
    pub log: LogConfig,
    /// Faults on request, in force from the start.
    pub faults: Vec<Rule>,
    /// Limits of the faults.
    pub fault_limits: FaultLimits,
}

fn defaults() -> ConfigBuilder<DefaultState> {
    Config::builder().add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml))
}

impl Settings {
    /// Reads the settings: the defaults, then `config/<profile>.toml` of the current directory, then `file`, then the
    /// environment.
    ///
    /// # Errors
    ///
    /// Returns the first key that is unknown or has a bad value, the file that cannot be read, or the environment variable that is nearly
    /// that of a setting.
    pub fn read(profile: Option<&str>, file: Option<&Path>) -> Result<Self, SettingsError> {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        check_names(&defaults().build()?.cache, variables)?;
        Self::layered(profile, file, &Self::environment())
    }

    /// Returns the source of settings from the environment. An empty variable counts as not set: `KEY= tickcast`, and
    /// compose files with `KEY=${KEY}`, mean the default.
    fn environment() -> Environment {
        let (prefix, separator) = ENVIRONMENT;
        Environment::with_prefix(prefix).prefix_separator(separator).separator(separator).ignore_empty(true)
    }

    fn layered(profile: Option<&str>, file: Option<&Path>, environment: &Environment) -> Result<Self, SettingsError> {
        let profile = profile.map(|profile| Path::new("config").join(format!("{profile}.toml")));
        let mut texts = Vec::new();
        for path in profile.as_deref().into_iter().chain(file) {
            let text =
                std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.into(), source })?;
            texts.push((path.display().to_string(), text));
        }
        Self::of_texts(&texts, environment)
    }

    /// Returns the settings of the defaults, of the texts of files with their names, and of the environment, each overriding those
    /// before it.
    fn of_texts(texts: &[(String, String)], environment: &Environment) -> Result<Self, SettingsError> {
        let defaults = defaults();
        let mut layers = defaults.clone();
        for (name, text) in texts {
            let values = FileFormat::Toml.parse(Some(name), text);
            let values = values.map_err(|cause| ConfigError::FileParse { uri: Some(name.clone()), cause })?;
            layers = layers.add_source(Layer(values));
        }
        let merged = layers.add_source(Layer(environment.collect()?)).build()?;
        check_kinds(&defaults.build()?.cache, &merged.cache)?;
        let settings: Self = merged.try_deserialize()?;
        settings.validate()?;
        Ok(settings)
    }

    /// Entrance of the fuzz target `config`: returns the settings of files with these texts, without an environment.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in them.
    #[cfg(any(test, fuzzing))]
    #[doc(hidden)]
    pub fn of_files(texts: &[&str]) -> Result<Self, SettingsError> {
        let texts: Vec<_> = texts.iter().map(|text| ("fuzz.toml".to_owned(), (*text).to_owned())).collect();
        Self::of_texts(&texts, &Self::environment().source(Some(std::collections::HashMap::new())))
    }

    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// Returns the first key whose value is not.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.server
            .validate()
            .and_then(|()| self.feed.validate())
            .and_then(|()| self.push.validate())
            .and_then(|()| self.history.validate())
            .and_then(|()| self.session.validate())
            .and_then(|()| self.handshake.validate())
            .and_then(|()| self.keys.validate())
            .and_then(|()| self.auth.validate())
            .and_then(|()| self.admin.validate(self.server.tls.is_on()))
            .and_then(|()| self.limits.validate())
            .and_then(|()| self.keys.fit(&self.auth))
            .and_then(|()| self.log.validate())
            .and_then(|()| self.fault_limits.validate(&self.faults))
            .and_then(|()| {
                let is_noticed = self.server.behind_max_ms >= 2 * self.feed.step_ms;
                is_noticed.then_some(()).ok_or(("server.behind_max_ms", "must be at least twice feed.step_ms"))
            })
            .and_then(|()| {
                let longest_ms = self.auth.delays_ms.iter().max().unwrap_or(0);
                // Bars come in addition.
                let has_room = self.feed.events_within(longest_ms) <= self.feed.delay_events_max;
                let rule = "must be more than the events of the longest of auth.delays_ms: feed.events_per_second times its seconds";
                has_room.then_some(()).ok_or(("feed.delay_events_max", rule))
            })
            .map_err(|(key, complaint)| SettingsError::Value { key, complaint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::AllowedOrigins;
    use config::{Map, Value, ValueKind};
    use std::collections::HashMap;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let source: HashMap<_, _> = variables.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Settings::layered(None, None, &Settings::environment().source(Some(source)))
    }

    #[test]
    fn the_file_of_defaults_equals_the_defaults_in_the_code() {
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
    fn rates_may_be_fractions() {
        let rates = [("TICKCAST__FEED__EVENTS_PER_SECOND", "0.5"), ("TICKCAST__FEED__QUOTES_PER_TRADE", "2.5")];
        let feed = read(&rates).unwrap().feed;
        assert!((feed.events_per_second - 0.5).abs() + (feed.quotes_per_trade - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let settings = read(&[("TICKCAST__SERVER__PORT", ""), ("TICKCAST__SERVER__ALLOWED_ORIGINS", "")]);
        assert_eq!(settings.unwrap(), Settings::default());
    }

    /// Appends the environment variable of each number below `table`.
    fn numbers(prefix: &str, table: Map<String, Value>, names: &mut Vec<String>) {
        for (key, value) in table {
            let name = format!("{prefix}__{}", key.to_uppercase());
            match value.kind {
                ValueKind::Table(table) => numbers(&name, table, names),
                ValueKind::I64(_) | ValueKind::Float(_) => names.push(name),
                _ => {}
            }
        }
    }

    #[test]
    fn every_number_has_an_upper_bound() {
        let defaults = Config::builder().add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml)).build().unwrap();
        let mut names = Vec::new();
        numbers("TICKCAST", defaults.cache.into_table().unwrap(), &mut names);
        // Every seed is valid.
        names.retain(|name| name != "TICKCAST__FEED__SEED");
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            let key = name.rsplit("__").next().unwrap().to_lowercase();
            let err = read(&[(&name, &u64::MAX.to_string())]).expect_err(&name).to_string();
            assert!(err.contains(&key), "{name}: {err}");
        }
    }

    /// Variables with bad names or values, and the name in the complaint about each.
    const BAD: &[(&str, &str, &str)] = &[
        ("TICKCAST__SERVER__PROT", "1", "prot"),
        ("TICKCAST__SEVER__PORT", "1", "sever"),
        ("TICKCAST__SERVER__PORT", "70000", "port"),
        ("TICKCAST__SERVER__BASE_PATH", "tickcast", "server.base_path"),
        ("TICKCAST__SERVER__BASE_PATH", "/tickcast/", "server.base_path"),
        ("TICKCAST__SERVER__BASE_PATH", "/a{b}", "server.base_path"),
        ("TICKCAST__SERVER__PORT", "many", "port"),
        ("TICKCAST__SERVER__ALLOWED_ORIGINS", "example.com", "allowed_origins"),
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "0", "feed.events_per_second"),
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "NaN", "feed.events_per_second"),
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "-5", "feed.events_per_second"),
        ("TICKCAST__FEED__KIND", "imagined", "kind"),
        ("TICKCAST__FEED__SPEED", "0", "feed.speed"),
        ("TICKCAST__FEED__STEP_MS", "0", "feed.step_ms"),
        ("TICKCAST__FEED__CATCH_UP_MAX_MS", "999", "feed.catch_up_max_ms"),
        ("TICKCAST__FEED__SYMBOLS_MAX", "0", "feed.symbols_max"),
        ("TICKCAST__FEED__SYMBOLS_MAX", "1000001", "feed.symbols_max"),
        ("TICKCAST__FEED__DELAY_EVENTS_MAX", "0", "feed.delay_events_max"),
        ("TICKCAST__FEED__REPLAYS_MAX", "0", "feed.replays_max"),
        ("TICKCAST__AUTH__DELAYS_MS", "0", "delays_ms"),
        ("TICKCAST__AUTH__DELAYS_MS", "86400000", "feed.delay_events_max"),
        ("TICKCAST__AUTH__JWT__DEFAULT__DELAY_MS", "900000", "auth.jwt.default.delay_ms"),
        ("TICKCAST__FEED__AMENDMENTS_PER_MILLION_TRADES", "100001", "feed.amendments_per_million_trades"),
        ("TICKCAST__FEED__LATE_PER_MILLION_TRADES", "100001", "feed.late_per_million_trades"),
        ("TICKCAST__PUSH__OUTBOX_EVENTS_MAX", "0", "push.outbox_events_max"),
        ("TICKCAST__HISTORY__EVENTS_MAX", "0", "history.events_max"),
        ("TICKCAST__SESSION__MESSAGE_BYTES_MAX", "1", "session.message_bytes_max"),
        ("TICKCAST__SESSION__VENDOR_MESSAGE_BYTES_MAX", "1", "session.vendor_message_bytes_max"),
        ("TICKCAST__SESSION__AUTH_TIMEOUT_MS", "9", "session.auth_timeout_ms"),
        ("TICKCAST__SESSION__FINNHUB_PING_MS", "9", "session.finnhub_ping_ms"),
        ("TICKCAST__SESSION__HEARTBEAT_MS", "-1", "heartbeat_ms"),
        ("TICKCAST__HANDSHAKE__CAPTURES_MAX", "0", "handshake.captures_max"),
        ("TICKCAST__SERVER__CONNECTIONS_SPARE_MAX", "0", "server.connections_spare_max"),
        ("TICKCAST__SERVER__TURN_CONNECTIONS_MAX", "0", "server.turn_connections_max"),
        ("TICKCAST__SERVER__TURN_ANSWERS_MAX", "0", "server.turn_answers_max"),
        ("TICKCAST__SERVER__TRAFFIC_CLIENTS_MAX", "0", "server.traffic_clients_max"),
        ("TICKCAST__SERVER__BARS_READS_MAX", "0", "server.bars_reads_max"),
        ("TICKCAST__SERVER__BEHIND_MAX_MS", "9", "server.behind_max_ms"),
        ("TICKCAST__LOG__WAITING_BYTES_MAX", "1023", "log.waiting_bytes_max"),
        ("TICKCAST__LOG__AUDIT_SOURCES_MAX", "0", "log.audit_sources_max"),
        ("TICKCAST__KEYS__ANY", "maybe", "keys.any"),
        ("TICKCAST__KEYS__AT_EXCESS", "wait", "at_excess"),
        ("TICKCAST__KEYS__ANY_CONNECTIONS_MAX", "1000001", "keys.any_connections_max"),
        ("TICKCAST__SERVER__HOSTS", "example.com:80", "hosts"),
        ("TICKCAST__SERVER__HSTS_S", "63072001", "server.hsts_s"),
        ("TICKCAST__SERVER__HSTS_S", "60", "server.tls.cert"),
        ("TICKCAST__SERVER__TRUSTED_PROXIES", "127.0.0.1, proxy.example", "trusted_proxies"),
        ("TICKCAST__SERVER__PROXY_HEADERS", "x-real-ip", "proxy_headers"),
        ("TICKCAST__SERVER__PROXY_PROTOCOL", "true", "server.proxy_protocol"),
        ("TICKCAST__AUTH__REQUIRED", "true", "auth.keys_file"),
        ("TICKCAST__AUTH__REQUIRED", "perhaps", "auth.required"),
        ("TICKCAST__ADMIN__PORT", "65536", "port"),
        ("TICKCAST__ADMIN__TLS", "true", "admin.tls"),
        ("TICKCAST__ADMIN__HOSTS", "a:80", "hosts"),
        ("TICKCAST__ADMIN__SESSIONS_MAX", "0", "admin.sessions_max"),
        ("TICKCAST__ADMIN__POINT_MS", "9", "admin.point_ms"),
        ("TICKCAST__ADMIN__POINTS_MAX", "0", "admin.points_max"),
        ("TICKCAST__AUTH__PENDING_MAX", "0", "auth.pending_max"),
        ("TICKCAST__AUTH__EXPIRY_NOTICE_MS", "3600001", "auth.expiry_notice_ms"),
        ("TICKCAST__LIMITS__ADDRESSES_MAX", "0", "limits.addresses_max"),
        ("TICKCAST__LIMITS__EXEMPT", "localhost", "exempt"),
        ("TICKCAST__LIMITS__ADDRESS_CONNECTIONS_MAX", "1000001", "limits.address_connections_max"),
        ("TICKCAST__LIMITS__ADDRESS_SOCKETS_MAX", "1000001", "limits.address_sockets_max"),
        ("TICKCAST__LIMITS__ADDRESS_HANDSHAKES_PER_SECOND", "1000001", "limits.address_handshakes_per_second"),
        ("TICKCAST__LIMITS__ADDRESS_BURST", "0", "limits.address_burst"),
        ("TICKCAST__LIMITS__ADDRESS_WORK_PER_SECOND_MAX", "1000000001", "limits.address_work_per_second_max"),
        ("TICKCAST__LIMITS__KEY_WORK_PER_SECOND_MAX", "1000000001", "limits.key_work_per_second_max"),
        ("TICKCAST__LIMITS__ADDRESS_FAILURES_PER_MINUTE", "1000001", "limits.address_failures_per_minute"),
        ("TICKCAST__SERVER__WORKERS", "513", "server.workers"),
        ("TICKCAST__SERVER__WORKERS", "true", "server.workers"),
        ("TICKCAST__SERVER__WORKERS", "1.5", "server.workers"),
        ("TICKCAST__SERVER__TLS__ONLY", "maybe", "server.tls.only"),
        ("TICKCAST__FEED__SPEED", "on", "feed.speed"),
        ("TICKCAST__SESSION__IDLE_TIMEOUT_MS", "15000", "session.idle_timeout_ms"),
        ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "2147483648", "session.stall_timeout_ms"),
        ("TICKCAST__SESSION__STALL_BYTES_MIN", "0", "session.stall_bytes_min"),
        ("TICKCAST__SERVER__TLS__CERT", "cert.pem", "server.tls.key"),
        ("TICKCAST__SERVER__TLS__KEY", "key.pem", "server.tls.cert"),
        ("TICKCAST__SERVER__TLS__ONLY", "true", "server.tls.cert"),
        ("TICKCAST__SERVER__TLS__HANDSHAKE_TIMEOUT_MS", "0", "server.tls.handshake_timeout_ms"),
        ("TICKCAST__SERVER__TLS__CRET", "x", "cret"),
    ];

    #[test]
    fn a_bad_key_or_value_is_refused_in_one_line_that_names_it() {
        for &(key, value, named) in BAD {
            let err = read(&[(key, value)]).expect_err(key).to_string();
            assert!(err.contains(named) && !err.contains('\n'), "{key}={value}: {err}");
        }
    }

    #[test]
    fn a_complaint_about_a_name_with_a_line_break_is_one_line() {
        let err = Settings::of_files(&["\"a\\rb\\nc\" = 1"]).unwrap_err().to_string();
        assert!(err.contains("a b") && !err.chars().any(char::is_control), "{err:?}");
    }

    #[test]
    fn a_name_with_a_place_in_a_list_is_unknown_however_high_the_place() {
        for text in ["\"faults[400000000000000]\" = 1", "[\"00[00000004000000000000]\"]"] {
            let err = Settings::of_files(&[text]).unwrap_err().to_string();
            assert!(err.contains("unknown field"), "{err}");
        }
        let err = read(&[("TICKCAST__FAULTS[400000000000000]", "1")]).unwrap_err().to_string();
        assert!(err.contains("faults["), "{err}");
    }

    #[test]
    fn a_complaint_quotes_the_beginning_of_a_long_value() {
        for key in ["TICKCAST__AUTH__REQUIRED", "TICKCAST__FEED__KIND", "TICKCAST__SERVER__TRUSTED_PROXIES"] {
            let err = read(&[(key, &"é".repeat(10_000))]).expect_err(key).to_string();
            assert!(err.chars().count() < 600, "{key}: {} characters", err.chars().count());
        }
    }
}
