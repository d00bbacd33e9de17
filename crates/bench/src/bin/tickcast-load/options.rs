//! The command line: what may be asked for, and the checks that come before anything is opened.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use tickcast_core::domain::{Channel, ChannelSet};

use crate::report;
use crate::target::Target;
use crate::template::{self, Template};
use crate::watchlist::parse_list;

/// The most sessions of one run, of every kind together.
const SESSIONS_MAX: usize = 200_000;
/// The most connections to `[::1]`, which is one address and not a net of them.
const IPV6_CONNECTIONS_MAX: usize = 25_000;
/// The longest run: a day.
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
pub(crate) struct Arguments {
    /// The server: ws://, loopback hosts only
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    url: String,
    /// Sessions that subscribe and are measured [default: 100, or 0 with --idle or --stalled]
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    /// More sessions, which subscribe to nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    idle: usize,
    /// More sessions, which subscribe to everything and never read
    #[arg(long, value_name = "N", default_value_t = 0)]
    stalled: usize,
    /// Names and ranges (AAPL,SYM000..SYM499), '*', or auto: all that a tickcast server has
    #[arg(long, value_name = "LIST", default_value = "auto")]
    symbols: String,
    /// How many of them each session draws
    #[arg(long, value_name = "N", default_value_t = 20)]
    symbols_per_session: usize,
    /// Fixes which symbols each session draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The channels, with commas between
    #[arg(long, value_name = "LIST", default_value = "trades")]
    channels: String,
    #[arg(long, value_name = "TEMPLATE", help = SUBSCRIBE_HELP)]
    subscribe: Vec<String>,
    /// What to offer as Sec-WebSocket-Protocol
    #[arg(long, value_name = "NAME")]
    subprotocol: Option<String>,
    /// The key of the time stamp in a message; '' counts messages instead of events
    #[arg(long, value_name = "KEY", default_value = "ts")]
    ts_key: String,
    /// The unit of the time stamp
    #[arg(long, value_enum, default_value_t = Unit::Us)]
    ts_unit: Unit,
    /// New connections a second; 0 opens all at once
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000)]
    connect_rate: u32,
    /// Seconds from the last subscription to the measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    warmup_s: f64,
    /// Seconds of the measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    duration_s: f64,
    /// The server's process, to measure its CPU time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Accepts what the server has skipped and announced with `lag`; without it any missing event fails the run
    #[arg(long)]
    allow_lag: bool,
    /// Prints one JSON object instead of a table
    #[arg(long)]
    json: bool,
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

/// A run that can be made.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The server as it was named.
    pub(crate) url: String,
    /// The server.
    pub(crate) target: Target,
    /// Sessions that are measured.
    pub(crate) sessions: usize,
    /// Sessions that subscribe to nothing.
    pub(crate) idle: usize,
    /// Sessions that never read.
    pub(crate) stalled: usize,
    /// The symbols that were named, or `None` for the server's own.
    pub(crate) symbols: Option<Vec<String>>,
    /// How many of them each session takes.
    pub(crate) symbols_per_session: usize,
    /// Fixes which.
    pub(crate) seed: u64,
    /// The channels by name.
    pub(crate) channels: Vec<String>,
    /// What a session says to subscribe.
    pub(crate) templates: Vec<Template>,
    /// Whether that is our own protocol's subscription.
    pub(crate) is_native: bool,
    /// What to offer as `Sec-WebSocket-Protocol`.
    pub(crate) subprotocol: Option<String>,
    /// The key of the time stamp; empty to count messages.
    pub(crate) ts_key: String,
    /// The unit of the time stamp.
    pub(crate) ts_unit: Unit,
    /// New connections a second; 0 for all at once.
    pub(crate) connect_rate: u32,
    /// From the last subscription to the measurement.
    pub(crate) warmup: Duration,
    /// The measurement.
    pub(crate) duration: Duration,
    /// The server's process.
    pub(crate) pid: Option<u32>,
    /// Whether announced gaps are accepted.
    pub(crate) allow_lag: bool,
    /// Whether the report is JSON.
    pub(crate) json: bool,
}

impl Plan {
    /// Checks what was asked for.
    ///
    /// # Errors
    ///
    /// Returns what is wrong, in one line.
    pub(crate) fn new(arguments: Arguments) -> Result<Self, String> {
        let Arguments { idle, stalled, symbols_per_session, pid, .. } = arguments;
        let sessions = match arguments.sessions {
            Some(0) => return Err("--sessions must be at least 1".into()),
            Some(sessions) => sessions,
            None if idle + stalled > 0 => 0,
            None => 100,
        };
        if [sessions, idle, stalled].iter().fold(0_usize, |sum, part| sum.saturating_add(*part)) > SESSIONS_MAX {
            return Err(format!("--sessions, --idle and --stalled must not exceed {SESSIONS_MAX} together"));
        }
        let target = Target::parse(&arguments.url)?;
        if target.address.is_ipv6() && sessions + idle + stalled > IPV6_CONNECTIONS_MAX {
            return Err(format!("at most {IPV6_CONNECTIONS_MAX} connections fit between two IPv6 loopback addresses"));
        }
        if symbols_per_session == 0 {
            return Err("--symbols-per-session must be at least 1".into());
        }
        let is_native = arguments.subscribe.is_empty();
        let texts = if is_native { vec![template::NATIVE.to_owned()] } else { arguments.subscribe };
        if texts.len() > TEMPLATES_MAX {
            return Err(format!("--subscribe can be given at most {TEMPLATES_MAX} times"));
        }
        let templates = texts.iter().map(|text| Template::parse(text).map_err(|err| format!("bad --subscribe: {err}")));
        let token =
            |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\",;".contains(&b));
        if arguments.subprotocol.as_ref().is_some_and(|name| !token(name)) {
            return Err("--subprotocol must be one name".into());
        }
        Ok(Self {
            target,
            sessions,
            idle,
            stalled,
            symbols: (arguments.symbols != "auto").then(|| parse_list(&arguments.symbols)).transpose()?,
            symbols_per_session,
            seed: arguments.seed,
            channels: channels(&arguments.channels, is_native)?,
            templates: templates.collect::<Result<_, _>>()?,
            is_native,
            subprotocol: arguments.subprotocol,
            ts_key: arguments.ts_key,
            ts_unit: arguments.ts_unit,
            connect_rate: arguments.connect_rate,
            warmup: seconds("--warmup-s", arguments.warmup_s, 0.0)?,
            duration: seconds("--duration-s", arguments.duration_s, 0.1)?,
            pid,
            allow_lag: arguments.allow_lag,
            json: arguments.json,
            url: arguments.url,
        })
    }

    /// Returns how many connections the run opens.
    pub(crate) fn connections(&self) -> usize {
        self.sessions + self.idle + self.stalled
    }

    /// Returns whether any session names symbols of the server.
    pub(crate) fn needs_symbols(&self) -> bool {
        let names_symbols = self.templates.iter().any(Template::names_symbols);
        names_symbols && (self.sessions > 0 || (self.stalled > 0 && !self.is_native))
    }
}

fn channels(text: &str, is_native: bool) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').map(Into::into).collect();
    if names.iter().any(|name| name.is_empty() || (is_native && name.parse::<Channel>().is_err())) {
        let known: Vec<_> = ChannelSet::ALL.iter().map(Channel::name).collect();
        return Err(format!("bad --channels '{text}': a tickcast server has {}", known.join(", ")));
    }
    Ok(names)
}

fn seconds(name: &str, value: f64, min: f64) -> Result<Duration, String> {
    if (min..=SECONDS_MAX).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(format!("{name} must be {min} to {SECONDS_MAX} seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let line = ["tickcast-load"].iter().chain(arguments);
        Plan::new(Arguments::try_parse_from(line).unwrap())
    }

    #[test]
    fn the_defaults_are_a_small_run_on_our_own_server() {
        let plan = plan(&[]).unwrap();
        assert_eq!((plan.sessions, plan.idle, plan.stalled, plan.is_native), (100, 0, 0, true));
        assert_eq!((plan.channels.as_slice(), plan.symbols), (&["trades".to_owned()][..], None));
        assert_eq!(super::tests::plan(&["--idle", "5"]).unwrap().connections(), 5);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_one_line() {
        for (arguments, expected) in [
            (&["--sessions", "0"][..], "--sessions must be at least 1"),
            (&["--sessions", "199999", "--idle", "2"], "--sessions, --idle and --stalled must not exceed"),
            (
                &["--sessions", "1", "--idle", "18446744073709551615"],
                "--sessions, --idle and --stalled must not exceed",
            ),
            (&["--symbols-per-session", "0"], "--symbols-per-session must be at least 1"),
            (&["--symbols", "A,,B"], "bad symbols"),
            (&["--channels", "trades,bars"], "bad --channels"),
            (&["--subscribe", "{foo}"], "bad --subscribe: unknown placeholder {foo}"),
            (&["--subprotocol", "a\r\nb"], "--subprotocol must be one name"),
            (&["--url", "ws://example.org/"], "bad url"),
            (&["--url", "ws://[::1]/", "--idle", "25001"], "at most 25000 connections"),
            (&["--duration-s", "0"], "--duration-s must be"),
            (&["--duration-s", "NaN"], "--duration-s must be"),
            (&["--warmup-s=-1"], "--warmup-s must be"),
        ] {
            let err = plan(arguments).unwrap_err();
            assert!(err.starts_with(expected) && !err.contains('\n'), "{arguments:?}: {err}");
        }
    }

    #[test]
    fn other_servers_have_channels_of_their_own() {
        assert_eq!(plan(&["--subscribe", "", "--channels", "ticker"]).unwrap().channels, ["ticker"]);
    }
}
