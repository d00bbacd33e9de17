//! The command line: what may be asked for, and the checks that come before anything is opened.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use tickcast_core::domain::{Channel, ChannelSet};

use crate::command::seconds;
use crate::load::report;
use crate::load::template::{NATIVE, Template};
use crate::load::watchlist::Symbols;
use crate::target::Target;

/// The most sessions of one run, of every kind together.
const SESSIONS_MAX: usize = 200_000;
/// The most connections to `[::1]`, which is one address and not a net of them.
const IPV6_CONNECTIONS_MAX: usize = 25_000;
/// The longest run, in seconds: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The most subscribe messages of one session's template list.
const TEMPLATES_MAX: usize = 64;

/// What `--help` says of `--subscribe`.
const SUBSCRIBE_HELP: &str = "A message that subscribes, for other servers; {symbols} {symbols_csv} {symbol} {channels} \
{session} are filled in; may be given several times; '' sends nothing";

/// Makes load on a WebSocket server of this machine and measures how well it serves.
///
/// Opens the sessions, subscribes, lets everything settle, measures for a time, then asks a tickcast server where each
/// stream stands and so proves that nothing is missing. Ctrl-C ends the measurement early, with a report.
#[derive(Debug, Parser)]
#[command(name = "tickcast-load", version, args_override_self = true, after_long_help = report::KEYS)]
pub(crate) struct Plan {
    /// The server: ws://, loopback hosts only
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub(crate) url: Target,
    /// Sessions that subscribe and are measured [default: 100, or 0 with --idle or --stalled]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    sessions: Option<usize>,
    /// More sessions, which subscribe to nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) idle: usize,
    /// More sessions, which subscribe to everything and never read
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stalled: usize,
    /// Names and ranges (AAPL,SYM000..SYM499), '*', or auto: all that a tickcast server has
    #[arg(long, value_name = "LIST", default_value = "auto")]
    pub(crate) symbols: Symbols,
    /// How many of them each session draws
    #[arg(long, value_name = "N", default_value = "20", value_parser = at_least_one)]
    pub(crate) symbols_per_session: usize,
    /// Fixes which symbols each session draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The channels, with commas between
    #[arg(long, value_name = "LIST", default_value = "trades")]
    channels: String,
    #[arg(long, value_name = "TEMPLATE", help = SUBSCRIBE_HELP)]
    subscribe: Vec<Template>,
    /// What to offer as Sec-WebSocket-Protocol
    #[arg(long, value_name = "NAME", value_parser = token)]
    pub(crate) subprotocol: Option<String>,
    /// The key of the time stamp in a message; '' counts messages instead of events
    #[arg(long, value_name = "KEY", default_value = "ts")]
    pub(crate) ts_key: String,
    /// The unit of the time stamp
    #[arg(long, value_enum, default_value_t = Unit::Us)]
    pub(crate) ts_unit: Unit,
    /// New connections a second; 0 opens all at once
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000)]
    pub(crate) connect_rate: u32,
    /// Seconds from the last subscription to the measurement
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = |text: &str| seconds(text, 0.0, SECONDS_MAX))]
    pub(crate) warmup_s: Duration,
    /// Seconds of the measurement
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = |text: &str| seconds(text, 0.1, SECONDS_MAX))]
    pub(crate) duration_s: Duration,
    /// The server's process, to measure its CPU time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Accepts what the server has skipped and announced with `lag`; without it any missing event fails the run
    #[arg(long)]
    pub(crate) allow_lag: bool,
    /// Prints one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// The unit of a server's time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
}

impl Unit {
    /// Returns the time stamp in microseconds.
    #[inline]
    pub(crate) fn micros(self, ts: i64) -> i64 {
        match self {
            Self::Ns => ts / 1_000,
            Self::Us => ts,
            Self::Ms => ts.saturating_mul(1_000),
        }
    }
}

impl Plan {
    /// Checks what no single option can tell.
    /// The error says what is wrong, in one line.
    pub(crate) fn check(&self) -> Result<(), String> {
        let parts = [self.sessions(), self.idle, self.stalled];
        let connections = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        if connections > SESSIONS_MAX {
            return Err(format!("--sessions, --idle and --stalled must not exceed {SESSIONS_MAX} together"));
        }
        if self.url.address.is_ipv6() && connections > IPV6_CONNECTIONS_MAX {
            return Err(format!("at most {IPV6_CONNECTIONS_MAX} connections fit between two IPv6 loopback addresses"));
        }
        if self.subscribe.len() > TEMPLATES_MAX {
            return Err(format!("--subscribe can be given at most {TEMPLATES_MAX} times"));
        }
        let is_bad = |name: &&str| name.is_empty() || (self.is_native() && name.parse::<Channel>().is_err());
        if self.channels().iter().any(is_bad) {
            let known: Vec<_> = ChannelSet::ALL.iter().map(Channel::name).collect();
            return Err(format!("bad --channels '{}': a tickcast server has {}", self.channels, known.join(", ")));
        }
        Ok(())
    }

    /// Returns how many sessions are measured.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.unwrap_or(if self.idle > 0 || self.stalled > 0 { 0 } else { 100 })
    }

    /// Returns how many connections the run opens.
    pub(crate) fn connections(&self) -> usize {
        self.sessions() + self.idle + self.stalled
    }

    /// Returns the channels by name.
    pub(crate) fn channels(&self) -> Vec<&str> {
        self.channels.split(',').collect()
    }

    /// Returns whether our own protocol is spoken.
    pub(crate) fn is_native(&self) -> bool {
        self.subscribe.is_empty()
    }

    /// Returns what a session says to subscribe.
    pub(crate) fn templates(&self) -> Vec<Template> {
        if self.is_native() { NATIVE.parse().into_iter().collect() } else { self.subscribe.clone() }
    }

    /// Returns whether any session names symbols of the server.
    pub(crate) fn needs_symbols(&self) -> bool {
        let names_symbols = self.templates().iter().any(Template::names_symbols);
        names_symbols && (self.sessions() > 0 || (self.stalled > 0 && !self.is_native()))
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "must be at least 1".into())
}

fn token(text: &str) -> Result<String, String> {
    let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;".contains(&byte));
    if is_token { Ok(text.into()) } else { Err("must be one name".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let plan: Plan = crate::command::parse(["tickcast-load"].iter().chain(arguments))?;
        plan.check().map(|()| plan)
    }

    #[test]
    fn the_defaults_are_a_small_run_on_our_own_server() {
        let plan = plan(&[]).unwrap();
        assert_eq!((plan.sessions(), plan.idle, plan.stalled, plan.is_native()), (100, 0, 0, true));
        assert_eq!((plan.channels(), &plan.symbols.0), (vec!["trades"], &None));
        assert_eq!(super::tests::plan(&["--idle", "5"]).unwrap().connections(), 5);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_one_line() {
        for (arguments, option, reason) in [
            (&["--sessions", "0"][..], "--sessions", "must be at least 1"),
            (&["--sessions", "199999", "--idle", "2"], "--sessions, --idle and --stalled", "must not exceed"),
            (&["--sessions", "1", "--idle", "18446744073709551615"], "--sessions", "must not exceed"),
            (&["--symbols-per-session", "0"], "--symbols-per-session", "must be at least 1"),
            (&["--symbols", "A,,B"], "--symbols", "bad symbols"),
            (&["--channels", "trades,bars"], "bad --channels", "has trades, quotes"),
            (&["--subscribe", "{foo}"], "--subscribe", "unknown placeholder {foo}"),
            (&["--subprotocol", "a\r\nb"], "--subprotocol", "must be one name"),
            (&["--url", "ws://example.org/"], "--url", "bad url"),
            (&["--url", "ws://[::1]/", "--idle", "25001"], "at most 25000 connections", ""),
            (&["--duration-s", "0"], "--duration-s", "must be"),
            (&["--duration-s", "NaN"], "--duration-s", "must be"),
            (&["--warmup-s=-1"], "--warmup-s", "must be"),
        ] {
            let err = plan(arguments).unwrap_err();
            assert!(err.contains(option) && err.contains(reason) && !err.contains('\n'), "{arguments:?}: {err}");
        }
    }

    #[test]
    fn other_servers_have_channels_of_their_own() {
        assert_eq!(plan(&["--subscribe", "", "--channels", "ticker"]).unwrap().channels(), ["ticker"]);
    }
}
