//! `COMPARISON.md`: the comparison in words, tables and plots. Every number and every verdict is computed from the samples.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::compare::cheap::pairs;
use crate::compare::result::{Comparison, P99_EVENTS_MIN, Sample};
use crate::compare::table::{NOTHING, markdown, matrix, named, significant};
use crate::compare::{cheap, method, plot};

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

/// Makes the folders, so that a mistake is known before anything is measured.
/// The error says why they cannot be made, in one line.
pub(crate) fn prepare(out: &Path) -> Result<(), String> {
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|err| format!("cannot write to {}: {err}", folder.display()))
}

/// Reads raw data that was written before.
/// The error says why it cannot be read, in one line.
pub(crate) fn read(path: &Path) -> Result<Comparison, String> {
    let fail = |err: String| format!("cannot read {}: {err}", path.display());
    let text = fs::read(path).map_err(|err| fail(err.to_string()))?;
    serde_json::from_slice(&text).map_err(|err| fail(err.to_string()))
}

/// Writes page, raw data and plots.
/// The error says why they cannot be written, in one line.
pub(crate) fn write(out: &Path, comparison: &Comparison) -> Result<(), String> {
    let save = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).map_err(|err| format!("cannot write {}: {err}", path.display()))
    };
    let json = serde_json::to_string_pretty(comparison).map_err(|err| format!("cannot write the data: {err}"))?;
    save(&format!("{FOLDER}/comparison.json"), json + "\n")?;
    let clients = clients_most(&comparison.samples);
    let most: Vec<_> = comparison.samples.iter().filter(|sample| sample.clients == clients).collect();
    for (file, title, unit, figure) in PLOTS {
        let title = format!("{title} ({clients} clients)");
        plot::draw(&out.join(FOLDER).join(file), (&title, unit), &most, |sample| figure(comparison, sample))?;
    }
    save("COMPARISON.md", render(comparison))
}

/// Returns the most clients of any sample: the figures beside WebSocket are told from these.
pub(crate) fn clients_most(samples: &[Sample]) -> usize {
    samples.iter().map(|sample| sample.clients).max().unwrap_or(0)
}

/// Returns the transports but WebSocket, in the order of the samples.
pub(crate) fn others(samples: &[Sample]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for sample in samples {
        let name = sample.result.transport.as_str();
        if name != "WebSocket" && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn render(comparison: &Comparison) -> String {
    let mut page = String::from(
        "# The four transports compared\n\n\
         Written by `make compare`; every number and verdict below is computed from one run of it.\n\
         The raw data: [comparison/comparison.json](comparison/comparison.json).\n\n",
    );
    page += &marks(comparison);
    page += &headline(comparison);
    page += &cheap::section(comparison);
    page += &delayed(comparison);
    page += &plots(comparison);
    page += &matrix(comparison);
    page += &method::section(comparison);
    page
}

/// What keeps this page from being one that anybody can make again, and from meaning much.
fn marks(comparison: &Comparison) -> String {
    let Comparison { machine, arguments, .. } = comparison;
    let mut text = String::new();
    if machine.changed == Some(true) {
        let _ = writeln!(
            text,
            "**Made with uncommitted changes to commit `{}`: nobody else can make this page again.**\n",
            machine.commit
        );
    }
    if machine.commit == "unknown" {
        text += "**It is not known which commit this page was made with.**\n\n";
    }
    if !arguments.is_empty() {
        let _ = writeln!(text, "**Made with arguments: `{}`.**\n", arguments.join(" "));
    }
    if comparison.quick {
        text += "**This run was made with `--quick`: it shows that the comparison works, and not much more.**\n\n";
    }
    text
}

fn headline(comparison: &Comparison) -> String {
    let samples = &comparison.samples;
    let clients = clients_most(samples);
    let mut sockets: Vec<_> =
        samples.iter().filter(|sample| sample.clients == clients && sample.result.transport == "WebSocket").collect();
    sockets.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut text = format!(
        "## Per delivered event, relative to WebSocket\n\n\
         {clients} clients. WebSocket is 1; in its row are the figures themselves. Server CPU is net of what a server without clients\n\
         spends; `{NOTHING}` where that is less than servers without clients differ by (when WebSocket's is, the others' are the\n\
         figures themselves), and at p99 where there were fewer than {P99_EVENTS_MIN} different events. `full`: a CPU was at its\n\
         limit, and the figures are those of a queue.\n\n"
    );
    for socket in sockets {
        let _ = writeln!(text, "{} events per second for each client:\n", socket.rate);
        let unit = |value: Option<f64>, unit| value.map_or(NOTHING.into(), |value| significant(value) + unit);
        let mut rows = vec![vec![
            named(socket),
            format!("{:.0} B", socket.bytes_per_event()),
            significant(socket.requests_per_event()),
            unit(Some(socket.p50_ms()), " ms"),
            unit(socket.p99_ms(), " ms"),
            unit(comparison.net_us_per_event(socket), " µs"),
        ]];
        for name in others(samples) {
            let Some((sample, _)) =
                pairs(samples, name, clients).into_iter().find(|pair| pair.0.rate.total_cmp(&socket.rate).is_eq())
            else {
                continue;
            };
            let times = |figure: &dyn Fn(&Sample) -> Option<f64>| {
                let ratio = figure(sample).zip(figure(socket)).map(|(of, one)| of / one.max(f64::MIN_POSITIVE));
                unit(ratio, "×")
            };
            rows.push(vec![
                named(sample),
                times(&|sample| Some(sample.bytes_per_event())),
                significant(sample.requests_per_event()),
                times(&|sample| Some(sample.p50_ms())),
                times(&Sample::p99_ms),
                match comparison.net_us_per_event(socket) {
                    None => comparison.net_us_per_event(sample).map_or(NOTHING.into(), |us| significant(us) + " µs"),
                    Some(_) => times(&|sample| comparison.net_us_per_event(sample)),
                },
            ]);
        }
        let names = ["transport", "bytes", "requests (absolute)", "latency p50", "latency p99", "server CPU, net"];
        text += &markdown(&names, rows);
    }
    text
}

fn delayed(comparison: &Comparison) -> String {
    let Some(first) = comparison.delayed.first() else { return String::new() };
    let rows = comparison.delayed.iter().map(|sample| {
        let near = comparison.samples.iter().find(|near| {
            near.result.transport == sample.result.transport
                && near.clients == sample.clients
                && near.rate.total_cmp(&sample.rate).is_eq()
        });
        let added = |figure: &dyn Fn(&Sample) -> Option<f64>| {
            let added = figure(sample).zip(near.and_then(figure)).map(|(far, near)| far - near);
            added.map_or(NOTHING.into(), |added| format!("{added:+.1}"))
        };
        vec![
            named(sample),
            format!("{:.1}", sample.p50_ms()),
            added(&|sample| Some(sample.p50_ms())),
            sample.p99_ms().map_or(NOTHING.into(), |ms| format!("{ms:.1}")),
            added(&Sample::p99_ms),
            format!("{:.1}", sample.result.behind_ms),
            added(&|sample| Some(sample.result.behind_ms)),
            significant(sample.requests_per_client_second()),
        ]
    });
    let one_way = first.round_trip_ms / 2.0;
    let mut text = format!(
        "## Through a proxy that adds {} ms to each round trip\n\n{one_way} ms each way, {} clients, {} events per second each; in milliseconds, `+` is what was added.\n\n",
        first.round_trip_ms, first.clients, first.rate
    );
    text += &markdown(&["transport", "p50", "+", "p99", "+", "behind", "+", "requests per client and s"], rows);
    let of = |name: &str| comparison.delayed.iter().find(|sample| sample.result.transport == name);
    if let (Some(socket), Some(poll)) = (of("WebSocket"), of("long poll")) {
        let _ = write!(
            text,
            "What is pushed is on its way once, {one_way} ms. A long poll is on its way back and forth after each answer, and what\n\
             happens meanwhile waits: at the median it is {}",
            later(poll.p50_ms() - socket.p50_ms())
        );
        let late = poll.p99_ms().zip(socket.p99_ms()).map(|(poll, socket)| later(poll - socket));
        text += &late.map_or(".\n\n".into(), |late| format!(", and at p99 {late}.\n\n"));
    }
    text
}

/// Returns how much later than WebSocket something is, in words.
fn later(ms: f64) -> String {
    format!("{:.1} ms {} than WebSocket", ms.abs(), if ms < 0.0 { "sooner" } else { "later" })
}

fn plots(comparison: &Comparison) -> String {
    let mut text = format!(
        "## Over the event rate\n\n{} clients. A hollow point: a CPU was full. No point: no figure.\n\n",
        clients_most(&comparison.samples)
    );
    for (file, title, ..) in PLOTS {
        let _ = writeln!(text, "![{title}]({FOLDER}/{file})\n");
    }
    text
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

    fn line<'a>(page: &'a str, begin: &str) -> &'a str {
        page.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {page}"))
    }

    #[test]
    fn the_headline_is_net_and_names_what_is_full() {
        let page = headline(&example());
        // 10 % and 20 % of a core beyond the market's 4 %.
        assert!(line(&page, "| WebSocket |").ends_with("| 100 µs |"), "{page}");
        assert_eq!(line(&page, "| long poll |"), "| long poll | 3.0× | 1.0 | 1.0× | 1.0× | 2.0× |");
        assert!(page.contains("| long poll (full) |"), "{page}");
    }

    #[test]
    fn a_dash_stands_where_there_is_no_figure() {
        let mut all = example();
        all.samples[0].result.events_different = 99;
        all.idle[0].measurements.clear();
        let page = headline(&all);
        let mut faint = example();
        faint.samples[0].server_cpu_us = 0.0;
        assert!(line(&headline(&faint), "| long poll |").ends_with("| 200 µs |"), "beside no figure: {page}");
        assert_eq!(line(&page, "| WebSocket |"), "| WebSocket | 100 B | 0 | 0.90 ms | – | – |");
        assert_eq!(line(&page, "| long poll |"), "| long poll | 3.0× | 1.0 | 1.0× | – | – |");
        assert!(matrix(&all).contains("| 14 % | 10 % | 0 | 0 | – |"), "{}", matrix(&all));
    }

    #[test]
    fn a_page_that_cannot_be_made_again_says_so() {
        let mut all = example();
        assert_eq!(marks(&all), "");
        all.machine.changed = Some(true);
        assert!(render(&all).contains("**Made with uncommitted changes to commit `0123456789ab`"));
        all.machine.changed = None;
        all.machine.commit = "unknown".into();
        all.arguments = vec!["--window-s".into(), "9".into()];
        all.quick = true;
        let marks = marks(&all);
        for part in ["not known which commit", "arguments: `--window-s 9`", "`--quick`"] {
            assert!(marks.contains(part), "{marks}");
        }
    }

    #[test]
    fn the_words_about_the_proxy_follow_the_figures() {
        let mut all = example();
        all.delayed = vec![sample("WebSocket", 100, 10.0, 0.14), sample("long poll", 100, 10.0, 0.24)];
        all.delayed[1].result.latency_us = [("p50", 700), ("p99", 62_000)].map(|(at, us)| (at.to_owned(), us)).into();
        let text = delayed(&all);
        assert!(text.contains("at the median it is 0.2 ms sooner than WebSocket, and at p99 60.0 ms later"), "{text}");
        all.delayed[0].result.events_different = 5;
        assert!(delayed(&all).contains("0.2 ms sooner than WebSocket.\n"), "{}", delayed(&all));
    }
}
