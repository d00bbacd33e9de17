//! The command line of `tickcast-compare`: its options, and the cells that follow from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::command::seconds;
use crate::compare::cell::Cell;
use crate::compare::client::Transport;
use crate::compare::server::Cores;

/// The most clients of one transport.
const CLIENTS_MAX: f64 = 10_000.0;
/// The lowest and the highest rate of one client, in events per second.
const RATES: (f64, f64) = (0.001, 10_000.0);
/// The most values of one list.
const VALUES_MAX: usize = 16;
/// The longest window, in seconds.
const WINDOW_S_MAX: f64 = 600.0;
/// The longest interval and delay, in milliseconds.
const MILLIS_MAX: f64 = 60_000.0;
/// Measurements of a server without clients at each rate, before the matrix and again after it.
pub(crate) const IDLE_MEASUREMENTS: usize = 2;

/// Numbers separated by commas. Not a `Vec`, which would be an option that can be repeated.
type List = Box<[f64]>;

/// Compares WebSocket, server-sent events, long poll and short poll on servers that it starts itself.
///
/// Measures a matrix of clients, event rates and transports, then each transport through a proxy with a delay, then all at the same
/// time on one server, to check that they receive the same events. Prints a table, and writes COMPARISON.md and comparison/ with
/// the raw data and the plots.
#[derive(Debug, Parser)]
#[command(name = "tickcast-compare", version, args_override_self = true)]
pub(crate) struct Arguments {
    /// Clients of each transport
    #[arg(long, value_name = "LIST", default_value = "1,100,1000", value_parser = |text: &str| list(text, (1.0, CLIENTS_MAX)))]
    clients: List,
    /// Events per second of each client
    #[arg(long, value_name = "LIST", default_value = "1,10,100", value_parser = |text: &str| list(text, RATES))]
    rates: List,
    /// Additional rates for the most clients only, at which polling may be cheap
    #[arg(long, value_name = "LIST", default_value = "0.1", value_parser = |text: &str| if text.is_empty() { Ok(List::default()) } else { list(text, RATES) })]
    low_rates: List,
    /// Milliseconds between two short polls
    #[arg(long, value_name = "LIST", default_value = "100,1000", value_parser = |text: &str| list(text, (1.0, MILLIS_MAX)))]
    short_poll_ms: List,
    /// Seconds of each measurement; two or three times as long if events are few
    #[arg(long, value_name = "SECONDS", default_value = "3.5", value_parser = |text: &str| seconds(text, 0.1, WINDOW_S_MAX))]
    window_s: Duration,
    /// Seconds before each measurement
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = |text: &str| seconds(text, 0.0, WINDOW_S_MAX))]
    pub(crate) warmup_s: Duration,
    /// Longest wait for the last events after it, in addition to the interval of a poll
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = |text: &str| seconds(text, 0.0, WINDOW_S_MAX))]
    pub(crate) drain_s: Duration,
    /// Milliseconds that the proxy adds to each round trip, half of them each way
    #[arg(long, value_name = "MS", default_value = "40", value_parser = |text: &str| list(text, (0.0, MILLIS_MAX)))]
    round_trip_ms: List,
    /// The server's program [default: tickcast in the folder of this program]
    #[arg(long, value_name = "FILE", default_value_os_t = default_server(), hide_default_value = true)]
    pub(crate) server: PathBuf,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = "docs")]
    pub(crate) out: PathBuf,
    /// Writes page and plots again from this raw data, without measuring
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}

/// The options and the cells of a comparison.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) arguments: Arguments,
    /// The cores of server and generator.
    pub(crate) cores: Option<Cores>,
    /// Servers without clients, one for each rate.
    pub(crate) idle: Vec<Cell>,
    /// The matrix, with one transport in each cell.
    pub(crate) cells: Vec<Cell>,
    /// The cells through the proxy, with one transport in each.
    pub(crate) delayed: Vec<Cell>,
    /// All transports at the same time.
    pub(crate) together: Cell,
}

impl Plan {
    /// Returns the cells for these arguments. Fails with one line if there is no server program.
    pub(crate) fn new(arguments: Arguments) -> Result<Self, String> {
        if !arguments.server.is_file() {
            let server = arguments.server.display();
            return Err(format!("there is no server at {server}: build it, or name it with --server"));
        }
        let (rates, low_rates) = (&arguments.rates, &arguments.low_rates);
        let delay = Duration::from_secs_f64(arguments.round_trip_ms[0] / 2_000.0);
        let polls = [0.0].iter().chain(&arguments.short_poll_ms).map(|ms| Duration::from_secs_f64(ms / 1e3));
        let transports = [Transport::WebSocket, Transport::EventStream].into_iter().chain(polls.map(Transport::Poll));
        let transports: Vec<_> = transports.collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: at most CLIENTS_MAX")]
        let clients: Vec<usize> = arguments.clients.iter().map(|count| *count as usize).collect();
        let most = clients.iter().copied().max().unwrap_or(1);
        let window_of = |clients: usize, rate: f64| arguments.window_s * times(clients as f64 * rate, clients == most);
        let cell = |transports: &[Transport], clients: usize, rate: f64, delay| Cell {
            transports: transports.to_vec(),
            clients,
            rate,
            delay,
            window: window_of(clients, rate),
        };
        // As long as the measurements from which they are subtracted.
        let idle = |rate: &f64| Cell { window: window_of(most, *rate), ..cell(&[], 0, *rate, None) };
        let each = |clients, rate, delay| {
            let cell = &cell;
            transports.iter().map(move |one| cell(&[*one], clients, rate, delay)).collect::<Vec<_>>()
        };
        let mut cells: Vec<Cell> = low_rates.iter().flat_map(|rate| each(most, *rate, None)).collect();
        cells.extend(clients.iter().flat_map(|count| rates.iter().flat_map(|rate| each(*count, *rate, None))));
        // Enough events for a percentile, and no full CPU.
        let middle = rates[rates.len() / 2];
        let few = most.min(100);
        Ok(Self {
            idle: low_rates.iter().chain(rates).map(idle).collect(),
            delayed: each(few, middle, Some(delay)),
            together: cell(&transports, few, middle, None),
            cells,
            cores: Cores::find(),
            arguments,
        })
    }

    /// Returns the most open sockets at the same time; a connection through the proxy has five.
    pub(crate) fn connections(&self) -> usize {
        let delayed = self.delayed.iter().map(|cell| 5 * cell.clients);
        let cells = self.cells.iter().chain([&self.together]).map(|cell| cell.clients * cell.transports.len());
        delayed.chain(cells).max().unwrap_or(0)
    }
}

/// Returns by how much the window of a cell is longer than `--window-s`: cells with few events need more time, and those with the
/// most clients, which the CPU verdicts use, most of all.
fn times(events_per_second: f64, has_most_clients: bool) -> u32 {
    match (has_most_clients, events_per_second) {
        (true, ..=100.0) => 3,
        (true, ..=1_000.0) | (false, ..100.0) => 2,
        _ => 1,
    }
}

fn default_server() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("tickcast")
}

fn list(text: &str, (min, max): (f64, f64)) -> Result<List, String> {
    let values: Option<Vec<f64>> = text.split(',').map(|value| value.trim().parse().ok()).collect();
    let is_good =
        |values: &Vec<f64>| values.len() <= VALUES_MAX && values.iter().all(|value| (min..=max).contains(value));
    let reason = || format!("must be at most {VALUES_MAX} numbers from {min} to {max} separated by commas");
    values.filter(is_good).map(Vec::into).ok_or_else(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &[&str]) -> Result<Plan, String> {
        let line = ["tickcast-compare", "--server", "/proc/self/exe"].iter().chain(more);
        Plan::new(crate::command::parse(line)?)
    }

    #[test]
    fn the_defaults_are_the_complete_matrix() {
        let plan = plan(&[]).unwrap();
        assert_eq!((plan.cells.len(), plan.delayed.len(), plan.together.transports.len()), (50, 5, 5));
        assert_eq!((plan.idle.len(), plan.together.clients, plan.together.rate), (4, 100, 10.0));
        let windows = |cells: &[Cell], clients, rate: f64| {
            let cell = cells.iter().find(|cell| cell.clients == clients && cell.rate.total_cmp(&rate).is_eq());
            cell.map(|cell| cell.window.as_secs_f64())
        };
        for (clients, rate, expected) in
            [(1_000, 0.1, 10.5), (1_000, 1.0, 7.0), (1_000, 10.0, 3.5), (1, 10.0, 7.0), (100, 1.0, 3.5)]
        {
            assert_eq!(windows(&plan.cells, clients, rate), Some(expected), "{clients} × {rate}");
        }
        assert_eq!(windows(&plan.idle, 0, 0.1), Some(10.5), "as long as the cells from which it is subtracted");
        assert_eq!(plan.delayed[0].delay, Some(Duration::from_millis(20)));
        assert_eq!(plan.connections(), 1_000);
    }

    #[test]
    fn an_invalid_option_is_an_error_of_one_line() {
        for (arguments, option, reason) in [
            (&["--clients", "0"][..], "--clients", "must be at most 16 numbers from 1 to 10000"),
            (&["--clients", "1,x"], "--clients", "must be"),
            (&["--rates", "NaN"], "--rates", "must be"),
            (&["--rates", ""], "--rates", "must be"),
            (&["--low-rates", "0"], "--low-rates", "must be"),
            (&["--short-poll-ms", "0"], "--short-poll-ms", "must be"),
            (&["--window-s", "0"], "--window-s", "must be 0.1 to 600 seconds"),
            (&["--warmup-s=-1"], "--warmup-s", "must be"),
            (&["--drain-s", "inf"], "--drain-s", "must be"),
            (&["--round-trip-ms", "1e9"], "--round-trip-ms", "0 to 60000"),
            (&["--server", "/nowhere/tickcast"], "there is no server at", "/nowhere/tickcast"),
        ] {
            let err = plan(arguments).unwrap_err();
            assert!(err.contains(option) && err.contains(reason) && !err.contains('\n'), "{arguments:?}: {err}");
        }
    }
}
