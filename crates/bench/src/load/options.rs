//! The command line of `tickcast-load`: its options, and the checks before any connection is opened.

use std::time::Duration;

use clap::Parser;
use hyper::body::Bytes;
use tickcast_core::domain::{Channel, ChannelSet};

use crate::command::seconds;
use crate::connection::Header;
use crate::load::report;
use crate::load::watchlist::Symbols;
use crate::target::Target;

/// The most sessions of one run, of all roles together: less than the 28,232 ephemeral ports of Linux, because all connect
/// from one address.
const SESSIONS_MAX: usize = 25_000;
/// The longest run, in seconds: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The most subscribe messages of one session.
const TEMPLATES_MAX: usize = 64;

/// The subscribe message of a tickcast server.
const NATIVE: &str = r#"{"action":"subscribe","id":{session},"symbols":{symbols},"channels":{channels}}"#;

/// Puts load on a WebSocket server of this machine and measures latency, cost and completeness.
///
/// Opens the sessions, subscribes, warms up and measures. At the end it asks a tickcast server for snapshots, to prove that no event
/// is missing. Ctrl-C ends the measurement early, with a report.
#[derive(Debug, Parser)]
#[command(name = "tickcast-load", version, args_override_self = true, after_long_help = report::KEYS)]
pub(crate) struct Plan {
    /// The server: ws://, loopback hosts only
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub(crate) url: Target,
    /// Sessions that subscribe and are measured [default: 100, or 0 with --idle or --stalled]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    sessions: Option<usize>,
    /// Additional sessions that subscribe to nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) idle: usize,
    /// Additional sessions that subscribe to everything and never read
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stalled: usize,
    /// Names and ranges (AAPL,SYM000..SYM499), '*', or auto: all symbols of a tickcast server
    #[arg(long, value_name = "LIST", default_value = "auto")]
    pub(crate) symbols: Symbols,
    /// Symbols of each session, chosen at random
    #[arg(long, value_name = "N", default_value = "20", value_parser = at_least_one)]
    pub(crate) symbols_per_session: usize,
    /// The seed of that choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Channels, separated by commas
    #[arg(long, value_name = "LIST", default_value = "trades", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// A message for another server, with {symbols}, {channels} (JSON lists) and {session} (a number) filled in, sent for each symbol
    /// if it has {symbol}; can be repeated; '' sends nothing
    #[arg(long, value_name = "TEMPLATE")]
    subscribe: Vec<String>,
    /// A header of the handshake, as 'Name: value'; can be repeated
    #[arg(long, value_name = "HEADER", value_parser = header)]
    pub(crate) header: Vec<Header>,
    /// A marker that each event has once and no other message has, as text, or bytes in hexadecimal digits after 0x. Events are only counted:
    /// their time and number are not read
    #[arg(long, value_name = "BYTES", value_parser = marker)]
    pub(crate) event_marker: Option<Bytes>,
    /// New connections per second; 0 opens all at once
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000)]
    pub(crate) connect_rate: u32,
    /// Seconds from the last subscription to the measurement
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = |text: &str| seconds(text, 0.0, SECONDS_MAX))]
    pub(crate) warmup_s: Duration,
    /// Seconds of the measurement
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = |text: &str| seconds(text, 0.1, SECONDS_MAX))]
    pub(crate) duration_s: Duration,
    /// The process id of the server, to measure its CPU time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Accepts events that the server skipped and announced with `lag`; otherwise any missing event fails the run
    #[arg(long)]
    pub(crate) allow_lag: bool,
    /// Prints one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl Plan {
    /// Checks the options together.
    ///
    /// # Errors
    /// One line that names the invalid option.
    pub(crate) fn check(&self) -> Result<(), String> {
        let parts = [self.sessions(), self.idle, self.stalled];
        let connections = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        if connections > SESSIONS_MAX {
            return Err(format!("--sessions, --idle and --stalled must not exceed {SESSIONS_MAX} together"));
        }
        if self.subscribe.len() > TEMPLATES_MAX {
            return Err(format!("--subscribe can be given at most {TEMPLATES_MAX} times"));
        }
        let is_bad = |name: &String| name.is_empty() || (self.is_native() && name.parse::<Channel>().is_err());
        if self.channels.iter().any(is_bad) {
            let (names, known) =
                (self.channels.join(","), ChannelSet::ALL.iter().map(Channel::name).collect::<Vec<_>>());
            return Err(format!("bad --channels '{names}': a tickcast server has {}", known.join(", ")));
        }
        Ok(())
    }

    /// Returns the number of measured sessions.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.unwrap_or(if self.idle > 0 || self.stalled > 0 { 0 } else { 100 })
    }

    /// Returns the number of connections of all roles.
    pub(crate) fn connections(&self) -> usize {
        self.sessions() + self.idle + self.stalled
    }

    /// Returns whether the server speaks the tickcast protocol, which is so unless `--subscribe` was given.
    pub(crate) fn is_native(&self) -> bool {
        self.subscribe.is_empty()
    }

    /// Returns the subscribe messages of a session.
    pub(crate) fn subscribe(&self, session: usize, symbols: &[&str]) -> Vec<String> {
        let channels = serde_json::json!(self.channels).to_string();
        let list = serde_json::json!(symbols).to_string();
        let messages = self.templates().filter(|template| !template.is_empty()).flat_map(|template| {
            let template = template.replace("{session}", &session.to_string());
            let template = template.replace("{channels}", &channels).replace("{symbols}", &list);
            let each = if template.contains("{symbol}") { symbols } else { &[""] };
            each.iter().map(move |symbol| template.replace("{symbol}", symbol))
        });
        messages.collect()
    }

    fn templates(&self) -> impl Iterator<Item = &str> {
        self.subscribe.iter().map(String::as_str).chain(self.is_native().then_some(NATIVE))
    }

    /// Returns whether any subscribe message lists symbols of the server.
    pub(crate) fn needs_symbols(&self) -> bool {
        let lists_symbols = self.templates().any(|template| template.contains("{symbol"));
        lists_symbols && (self.sessions() > 0 || (self.stalled > 0 && !self.is_native()))
    }
}

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(": ").ok_or("must be 'Name: value'")?;
    let name = name.parse().map_err(|_| "bad name of a header")?;
    Ok((name, value.parse().map_err(|_| "bad value of a header")?))
}

fn marker(text: &str) -> Result<Bytes, String> {
    let Some(digits) = text.strip_prefix("0x") else { return Ok(Bytes::copy_from_slice(text.as_bytes())) };
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    let bytes = pairs.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    bytes.collect::<Option<Vec<u8>>>().map(Bytes::from).ok_or_else(|| "must be pairs of hexadecimal digits".into())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "must be at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let plan: Plan = crate::command::parse(["tickcast-load"].iter().chain(arguments))?;
        plan.check().map(|()| plan)
    }

    #[test]
    fn the_defaults_are_a_small_run_on_a_tickcast_server() {
        let plan = plan(&[]).unwrap();
        assert_eq!((plan.sessions(), plan.idle, plan.stalled, plan.is_native()), (100, 0, 0, true));
        assert_eq!((plan.channels.join(","), &plan.symbols.0), ("trades".into(), &None));
        assert_eq!(super::tests::plan(&["--idle", "5"]).unwrap().connections(), 5);
        let expected = r#"{"action":"subscribe","id":7,"symbols":["AAPL","BRK.B"],"channels":["trades"]}"#;
        assert_eq!(plan.subscribe(7, &["AAPL", "BRK.B"]), [expected]);
    }

    #[test]
    fn an_invalid_option_is_an_error_of_one_line() {
        for (arguments, option, reason) in [
            (&["--sessions", "0"][..], "--sessions", "must be at least 1"),
            (&["--sessions", "24999", "--idle", "2"], "--sessions, --idle and --stalled", "must not exceed"),
            (&["--sessions", "1", "--idle", "18446744073709551615"], "--sessions", "must not exceed"),
            (&["--symbols-per-session", "0"], "--symbols-per-session", "must be at least 1"),
            (&["--symbols", "A,,B"], "--symbols", "bad symbols"),
            (&["--channels", "trades,bars"], "bad --channels", "has trades, quotes"),
            (&["--url", "ws://example.org/"], "--url", "bad url"),
            (&["--duration-s", "0"], "--duration-s", "must be"),
            (&["--duration-s", "NaN"], "--duration-s", "must be"),
            (&["--warmup-s=-1"], "--warmup-s", "must be"),
            (&["--header", "a"], "--header", "must be"),
            (&["--header", "a b: c"], "--header", "bad name"),
            (&["--event-marker", "0xa1b"], "--event-marker", "must be pairs"),
            (&["--event-marker", "0xzz"], "--event-marker", "must be pairs"),
        ] {
            let err = plan(arguments).unwrap_err();
            assert!(err.contains(option) && err.contains(reason) && !err.contains('\n'), "{arguments:?}: {err}");
        }
    }

    #[test]
    fn another_server_has_its_own_channels_and_subscribe_messages() {
        let plan = plan(&["--subscribe", "", "--subscribe", "{a}{channels}", "--channels", "ticker"]).unwrap();
        assert_eq!(plan.subscribe(0, &["A"]), [r#"{a}["ticker"]"#]);
        assert!(!plan.needs_symbols());
    }

    #[test]
    fn a_dialect_is_headers_messages_and_the_bytes_of_an_event() {
        let arguments =
            ["--subscribe", "auth", "--subscribe", "T.{symbol}", "--header", "A-B: c d", "--event-marker", "0xA154"];
        let plan = plan(&arguments).unwrap();
        assert_eq!(plan.subscribe(0, &["X", "Y"]), ["auth", "T.X", "T.Y"]);
        assert!(plan.needs_symbols());
        assert_eq!((plan.header[0].0.as_str(), plan.header[0].1.to_str().unwrap()), ("a-b", "c d"));
        assert_eq!(plan.event_marker.unwrap()[..], [0xa1, b'T']);
        let plan = super::tests::plan(&["--event-marker", r#""T":"t""#]).unwrap();
        assert_eq!(plan.event_marker.unwrap(), r#""T":"t""#);
    }
}
