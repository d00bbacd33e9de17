//! `COMPARISON.md`: the figures of a comparison, filled into the template `page.md`. Every number and verdict is computed from
//! the raw data.

use std::fs;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};

use crate::compare::cheap::{AS_CHEAP, Cheap, pairs};
use crate::compare::plot;
use crate::compare::result::{Comparison, P99_EVENTS_MIN, Sample};
use crate::compare::table::{figure, matrix, named};

/// The folder of the raw data and the plots, beside the page.
const FOLDER: &str = "comparison";

type Figure = fn(&Comparison, &Sample) -> Option<f64>;

/// File, title, unit and figure of each plot.
const PLOTS: [(&str, &str, &str, Figure); 4] = [
    ("bytes.svg", "Bytes on the wire for each delivered event", "bytes", |_, sample| Some(sample.bytes_per_event())),
    ("cpu.svg", "Net CPU of the server for each delivered event", "microseconds", Comparison::net_us_per_event),
    ("latency.svg", "Latency, median", "milliseconds", |_, sample| Some(sample.p50_ms())),
    ("requests.svg", "Requests of each client per second", "requests per second", |_, sample| {
        Some(sample.requests_per_client_second())
    }),
];

/// Creates the folders, so that a wrong path is an error before the first measurement.
///
/// # Errors
/// One line: the folders cannot be created.
pub(crate) fn prepare(out: &Path) -> Result<(), String> {
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|err| format!("cannot write to {}: {err}", folder.display()))
}

/// Reads the raw data of an earlier run.
///
/// # Errors
/// One line: the file cannot be read or parsed.
pub(crate) fn read(path: &Path) -> Result<Comparison, String> {
    let fail = |err: String| format!("cannot read {}: {err}", path.display());
    let text = fs::read(path).map_err(|err| fail(err.to_string()))?;
    serde_json::from_slice(&text).map_err(|err| fail(err.to_string()))
}

/// Writes page, raw data and plots.
///
/// # Errors
/// One line: a file cannot be written.
pub(crate) fn write(out: &Path, comparison: &Comparison) -> Result<(), String> {
    let save = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).map_err(|err| format!("cannot write {}: {err}", path.display()))
    };
    let json = serde_json::to_string_pretty(comparison).map_err(|err| format!("cannot write the data: {err}"))?;
    save(&format!("{FOLDER}/comparison.json"), json + "\n")?;
    let clients = comparison.clients_max();
    for (file, title, unit, figure) in PLOTS {
        let title = format!("{title} ({clients} clients)");
        plot::draw(&out.join(FOLDER).join(file), (&title, unit), comparison, figure)?;
    }
    save("COMPARISON.md", render(comparison).map_err(|err| format!("cannot write the page: {err}"))?)
}

fn render(comparison: &Comparison) -> Result<String, minijinja::Error> {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    let mut templates = Environment::new();
    templates.set_syntax(syntax);
    templates.add_filter("number", |value: f64| value.to_string());
    templates.add_filter("fixed", |value: f64, digits: usize| format!("{value:.digits$}"));
    templates.add_filter("signed", |value: f64| format!("{value:+.1}"));
    templates.add_filter("figure", figure);
    let samples = comparison.samples.iter().chain(&comparison.delayed);
    let (columns, rows) = matrix(comparison);
    let page = context! {
        clients => comparison.clients_max(),
        p99_events_min => P99_EVENTS_MIN,
        as_cheap => AS_CHEAP,
        relative => relative(comparison),
        cheap => Serde(comparison.others().map(|name| Cheap::new(comparison, name)).collect::<Vec<_>>()),
        through_proxy => through_proxy(comparison),
        late => Serde(late(comparison)),
        plots => Serde(PLOTS.map(|(file, title, ..)| (file, title))),
        columns,
        rows,
        window_s_max => samples.map(|sample| sample.window_s).fold(0.0, f64::max),
        results => Serde(comparison.results().collect::<Vec<_>>()),
        ..Value::from(Serde(comparison))
    };
    templates.render_named_str("page.md", include_str!("page.md"), page)
}

/// Returns a sample's figures, which the template compares.
fn figures(comparison: &Comparison, sample: &Sample) -> Value {
    context! {
        name => named(sample),
        rate => sample.rate,
        bytes => sample.bytes_per_event(),
        requests => sample.requests_per_event(),
        requests_per_client_second => sample.requests_per_client_second(),
        p50_ms => sample.p50_ms(),
        p99_ms => sample.p99_ms(),
        net_us => comparison.net_us_per_event(sample),
    }
}

/// Returns the figures at each rate with the most clients, those of WebSocket first.
fn relative(comparison: &Comparison) -> Vec<Vec<Value>> {
    let of = |name| pairs(comparison, name, comparison.clients_max());
    let at_rate = |(_, socket): (&Sample, &Sample)| {
        let pairs = ["WebSocket"].into_iter().chain(comparison.others()).flat_map(of);
        let beside = pairs.filter(|(_, beside)| std::ptr::eq(*beside, socket));
        beside.map(|(sample, _)| figures(comparison, sample)).collect()
    };
    of("WebSocket").into_iter().map(at_rate).collect()
}

/// Returns the figures of each sample through the proxy, and those of the same cell without it.
fn through_proxy(comparison: &Comparison) -> Vec<Vec<Value>> {
    let with_near = |far: &Sample| {
        let cells = pairs(comparison, &far.result.transport, far.clients).into_iter().map(|(sample, _)| sample);
        let near = cells.filter(|near| near.rate.total_cmp(&far.rate).is_eq());
        [far].into_iter().chain(near).map(|sample| figures(comparison, sample)).collect()
    };
    comparison.delayed.iter().map(with_near).collect()
}

/// Returns how much later than WebSocket a long poll is through the proxy, in words: at the median and at p99.
fn late(comparison: &Comparison) -> [Option<String>; 2] {
    let of = |name: &str| comparison.delayed.iter().find(|sample| sample.result.transport == name);
    let (socket, poll) = (of("WebSocket"), of("long poll"));
    let figures: [fn(&Sample) -> Option<f64>; 2] = [|sample| Some(sample.p50_ms()), Sample::p99_ms];
    figures.map(|figure| {
        let ms = poll.and_then(figure)? - socket.and_then(figure)?;
        Some(format!("{:.1} ms {} than WebSocket", ms.abs(), if ms < 0.0 { "sooner" } else { "later" }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};
    use crate::compare::result::Idle;

    fn example() -> Comparison {
        let samples = vec![
            sample("WebSocket", 100, 10.0, 0.14),
            sample("long poll", 100, 10.0, 0.24),
            sample("WebSocket", 100, 100.0, 0.50),
            sample("long poll", 100, 100.0, 0.99),
        ];
        comparison(vec![Idle::new(10.0, vec![0.035, 0.045]), Idle::new(100.0, vec![0.04, 0.05])], samples)
    }

    /// Renders the page with this change to the example, and checks that it contains these parts.
    fn check(change: impl FnOnce(&mut Comparison), parts: &[&str]) {
        let mut all = example();
        change(&mut all);
        let page = render(&all).unwrap();
        for part in parts {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn the_committed_page_is_that_of_the_committed_data() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let data = read(&docs.join("comparison/comparison.json")).unwrap();
        assert_eq!(data.machine.changed, Some(false), "anybody can make it from its commit");
        let page = render(&data).unwrap();
        assert!(page == fs::read_to_string(docs.join("COMPARISON.md")).unwrap(), "make it again with --from");
    }

    #[test]
    fn cpu_is_net_and_a_full_cpu_is_marked() {
        // The clients use 10 % and 20 % of a core; the market uses 4 %.
        let relative =
            "| WebSocket | 100 B | 0 | 0.90 ms | 2.0 ms | 100 µs |\n| long poll | 3.0× | 1.0 | 1.0× | 1.0× | 2.0× |";
        check(|_| {}, &[relative, "| long poll (full) |"]);
        check(|all| all.samples[0].generator_cpu = 0.95, &["| WebSocket (full) | 100 B |"]);
        check(|all| all.samples[0].server_cpu_us = 0.0, &["| 1.0× | 1.0× | 200 µs |"]);
    }

    #[test]
    fn a_missing_figure_is_a_dash() {
        let change = |all: &mut Comparison| {
            all.samples[0].result.events_different = 99;
            all.idle[0].measurements.truncate(1);
        };
        let rows = ["| WebSocket | 100 B | 0 | 0.90 ms | – | – |", "| long poll | 3.0× | 1.0 | 1.0× | – | – |"];
        check(change, &[rows[0], rows[1], "| 14 % | 10 % | 0 | 0 | – |"]);
    }

    #[test]
    fn an_irreproducible_or_unclean_run_is_marked() {
        check(|all| all.machine.changed = Some(true), &["**Made with uncommitted changes to commit `0123456789ab`"]);
        let change = |all: &mut Comparison| {
            all.machine.commit = "unknown".into();
            all.arguments = vec!["--window-s".into(), "9".into()];
            all.pace.coalesce_ms = 0;
            all.samples[0].result.missing = 3;
            all.together.transports = vec![all.samples[0].result.clone()];
            all.together.transports[0].open_ended = 7;
            all.together.same_events = false;
        };
        let marks = ["not known which commit", "arguments: `--window-s 9`", "not coalesced", ": 6 events missing"];
        check(change, &marks);
        check(change, &["  7 clients", "received **not** the same events (WebSocket 4000)"]);
    }

    #[test]
    fn a_long_poll_through_the_proxy_is_compared_with_a_websocket() {
        let change = |all: &mut Comparison| {
            all.delayed = vec![sample("WebSocket", 100, 10.0, 0.14), sample("long poll", 100, 10.0, 0.24)];
            all.delayed[1].result.latency_us =
                [("p50", 700), ("p99", 62_000)].map(|(at, us)| (at.to_owned(), us)).into();
        };
        check(change, &["at the median it is 0.2 ms sooner than WebSocket, and at p99 60.0 ms later"]);
        let few = |all: &mut Comparison| {
            change(all);
            all.delayed[0].result.events_different = 5;
        };
        check(few, &["0.2 ms sooner than WebSocket.\n"]);
    }
}
