//! `COMPARISON.md`: the comparison in words, tables and plots. Every number and every verdict is computed from the samples.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::crossover::{AS_CHEAP, CPU_OF_1000_CLIENTS, cpu_more, crossing, pairs, ratios, significant};
use crate::plot;
use crate::result::{Comparison, Sample};

/// The folder of the raw data and the plots, beside the page.
const FOLDER: &str = "comparison";
/// A generator that has used more of its core than this has made the latencies itself.
const GENERATOR_CPU_MAX: f64 = 0.9;
/// A server that has used more of its core than this was at its limit.
const SERVER_CPU_MAX: f64 = 0.97;

type Figure = fn(&Sample) -> f64;

/// File, title, unit and figure of each plot.
const PLOTS: [(&str, &str, &str, Figure); 4] = [
    ("bytes.svg", "Bytes on the wire for each delivered event", "bytes", Sample::bytes_per_event),
    ("cpu.svg", "CPU of the server for each delivered event", "microseconds", Sample::cpu_us_per_event),
    ("latency.svg", "Latency, median", "milliseconds", |sample| sample.latency_ms("p50")),
    ("requests.svg", "Requests of each client per second", "requests per second", Sample::requests_per_client_second),
];

/// Makes the folders, so that a mistake is known before anything is measured.
///
/// # Errors
///
/// Returns why they cannot be made, in one line.
pub(crate) fn prepare(out: &Path) -> Result<(), String> {
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|err| format!("cannot write to {}: {err}", folder.display()))
}

/// Reads raw data that was written before.
///
/// # Errors
///
/// Returns why it cannot be read, in one line.
pub(crate) fn read(path: &Path) -> Result<Comparison, String> {
    let fail = |err: String| format!("cannot read {}: {err}", path.display());
    let text = fs::read(path).map_err(|err| fail(err.to_string()))?;
    serde_json::from_slice(&text).map_err(|err| fail(err.to_string()))
}

/// Writes page, raw data and plots.
///
/// # Errors
///
/// Returns why they cannot be written, in one line.
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
        plot::draw(&out.join(FOLDER).join(file), (&title, unit), &most, figure)?;
    }
    save("COMPARISON.md", render(comparison))
}

fn clients_most(samples: &[Sample]) -> usize {
    samples.iter().map(|sample| sample.clients).max().unwrap_or(0)
}

/// The transports but WebSocket, in the order of the samples.
fn others(samples: &[Sample]) -> Vec<&str> {
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
    if comparison.quick {
        page += "**This run was made with `--quick`: it shows that the comparison works, and not much more.**\n\n";
    }
    page += &headline(comparison);
    page += &cheap(comparison);
    page += &delayed(comparison);
    page += &plots(comparison);
    page += &matrix(&comparison.samples);
    page += &method(comparison);
    page
}

/// Appends a table row; a string takes everything.
fn line(page: &mut String, cells: &[String]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn table(names: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    line(&mut text, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    line(
        &mut text,
        &names.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" }.into()).collect::<Vec<_>>(),
    );
    rows.into_iter().for_each(|row| line(&mut text, &row));
    text + "\n"
}

fn headline(comparison: &Comparison) -> String {
    let samples = &comparison.samples;
    let clients = clients_most(samples);
    let mut sockets: Vec<_> =
        samples.iter().filter(|sample| sample.clients == clients && sample.result.transport == "WebSocket").collect();
    sockets.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut text = format!(
        "## Per delivered event, relative to WebSocket\n\n{clients} clients. WebSocket is 1; in its row are the figures themselves.\n\n"
    );
    for socket in sockets {
        let _ = writeln!(text, "{} events per second for each client:\n", socket.rate);
        let mut rows = vec![vec![
            "WebSocket".to_owned(),
            format!("{:.0} B", socket.bytes_per_event()),
            significant(socket.requests_per_event()),
            format!("{} ms", significant(socket.latency_ms("p50"))),
            format!("{} ms", significant(socket.latency_ms("p99"))),
            format!("{} µs", significant(socket.cpu_us_per_event())),
        ]];
        for name in others(samples) {
            let Some((sample, _)) =
                pairs(samples, name, clients).into_iter().find(|pair| pair.0.rate.total_cmp(&socket.rate).is_eq())
            else {
                continue;
            };
            let times =
                |figure: Figure| format!("{}×", significant(figure(sample) / figure(socket).max(f64::MIN_POSITIVE)));
            rows.push(vec![
                name.to_owned(),
                times(Sample::bytes_per_event),
                significant(sample.requests_per_event()),
                times(|sample| sample.latency_ms("p50")),
                times(|sample| sample.latency_ms("p99")),
                times(Sample::cpu_us_per_event),
            ]);
        }
        text +=
            &table(&["transport", "bytes", "requests (absolute)", "latency p50", "latency p99", "server CPU"], rows);
    }
    text
}

/// Where polling is as cheap.
fn cheap(comparison: &Comparison) -> String {
    let samples = &comparison.samples;
    let clients = clients_most(samples);
    let mut text = format!(
        "## Where polling is as cheap\n\nMeasured with {clients} clients; between the rates measured, a straight line over the logarithm of the rate.\n\"As few\" and \"as little\" is at most 10 % more.\n\n"
    );
    for name in others(samples) {
        let pairs = pairs(samples, name, clients);
        let (Some((first, socket)), Some((last, _))) = (pairs.first(), pairs.last()) else { continue };
        let rates = (first.rate, last.rate);
        let bytes = crossing(&ratios(&pairs, Sample::bytes_per_event), AS_CHEAP);
        let cpu = crossing(&ratios(&pairs, Sample::cpu_us_per_event), AS_CHEAP);
        let _ = writeln!(
            text,
            "- **{name}**: as few bytes as WebSocket: {}; as little CPU: {}.",
            bytes.words(rates),
            cpu.words(rates)
        );
        if first.result.is_poll {
            let more = crossing(&cpu_more(&pairs), CPU_OF_1000_CLIENTS);
            let _ = writeln!(
                text,
                "  Less than {} % of a core more for 1,000 clients: {}.\n  At {} events/s a client has {} bytes per second and makes {} requests per second (WebSocket: {} bytes), and has a price {} ms after it was made, at the median (WebSocket: {} ms).",
                100.0 * CPU_OF_1000_CLIENTS,
                more.words(rates),
                first.rate,
                significant(first.bytes_per_client_second()),
                significant(first.requests_per_client_second()),
                significant(socket.bytes_per_client_second()),
                significant(first.latency_ms("p50")),
                significant(socket.latency_ms("p50")),
            );
        }
    }
    text + "\nA short poll is cheap where many events come in its interval, because it bundles them: it pays with staleness, half its\n\
            interval on average; where nothing comes it asks in vain. A long poll asks again after every answer: it is nearly as prompt as a socket, and costs a request\n\
            and two heads for each bundle. Requests of a browser have some hundred bytes more of headers than those here.\n\n"
}

fn delayed(comparison: &Comparison) -> String {
    let Some(first) = comparison.delayed.first() else { return String::new() };
    let rows = comparison.delayed.iter().map(|sample| {
        let name = &sample.result.transport;
        let near = comparison.samples.iter().find(|near| {
            near.result.transport == *name
                && near.clients == sample.clients
                && near.rate.total_cmp(&sample.rate).is_eq()
        });
        let lost =
            near.map_or(String::new(), |near| format!("{:+.1}", sample.latency_ms("p50") - near.latency_ms("p50")));
        let lost_late =
            near.map_or(String::new(), |near| format!("{:+.1}", sample.latency_ms("p99") - near.latency_ms("p99")));
        let behind =
            near.map_or(String::new(), |near| format!("{:+.1}", sample.result.behind_ms - near.result.behind_ms));
        vec![
            name.clone(),
            format!("{:.1}", sample.latency_ms("p50")),
            lost,
            format!("{:.1}", sample.latency_ms("p99")),
            lost_late,
            format!("{:.1}", sample.result.behind_ms),
            behind,
            significant(sample.requests_per_client_second()),
        ]
    });
    let one_way = first.round_trip_ms / 2.0;
    let mut text = format!(
        "## Through a proxy that adds {} ms to each round trip\n\n{one_way} ms each way, {} clients, {} events per second each; in milliseconds, `+` is what was added.\n\n",
        first.round_trip_ms, first.clients, first.rate
    );
    text += &table(
        &["transport", "p50", "+", "p99", "+", "behind", "+", "requests per client and s"],
        rows.collect::<Vec<_>>(),
    );
    let of = |name: &str| comparison.delayed.iter().find(|sample| sample.result.transport == name);
    if let (Some(socket), Some(poll)) = (of("WebSocket"), of("long poll")) {
        let _ = writeln!(
            text,
            "What is pushed is late by the way here, {one_way} ms. A long poll is on its way back and forth after each answer, and what\n\
             happens meanwhile waits: it is {:.1} ms later than WebSocket at the median, and {:.1} ms at p99.\n",
            poll.latency_ms("p50") - socket.latency_ms("p50"),
            poll.latency_ms("p99") - socket.latency_ms("p99"),
        );
    }
    text
}

fn plots(comparison: &Comparison) -> String {
    let mut text = format!("## Over the event rate\n\n{} clients.\n\n", clients_most(&comparison.samples));
    for (file, title, ..) in PLOTS {
        let _ = writeln!(text, "![{title}]({FOLDER}/{file})\n");
    }
    text
}

fn matrix(samples: &[Sample]) -> String {
    let rows = samples.iter().map(|sample| {
        let result = &sample.result;
        let full = |part: f64, max: f64| format!("{:.0} %{}", 100.0 * part, if part > max { " (full)" } else { "" });
        vec![
            format!("{} × {}/s {}", sample.clients, sample.rate, result.transport),
            result.events.to_string(),
            significant(sample.requests_per_event()),
            significant(sample.bytes_per_event()),
            significant(sample.latency_ms("p50")),
            significant(sample.latency_ms("p99")),
            significant(result.age_ms),
            significant(result.behind_ms),
            significant(sample.cpu_us_per_event()),
            full(sample.server_cpu(), SERVER_CPU_MAX),
            full(sample.generator_cpu, GENERATOR_CPU_MAX),
            (result.missing + result.repeated + result.faults).to_string(),
        ]
    });
    let names = [
        "clients × events/s",
        "events",
        "requests per event",
        "bytes per event",
        "p50 ms",
        "p99 ms",
        "age ms",
        "behind ms",
        "CPU µs per event",
        "server CPU",
        "generator CPU",
        "missing, repeated, faults",
    ];
    format!("## The whole matrix\n\n{}", table(&names, rows.collect::<Vec<_>>()))
}

fn method(comparison: &Comparison) -> String {
    let Comparison { machine, together, .. } = comparison;
    let idle: Vec<_> = comparison
        .idle
        .iter()
        .map(|idle| format!("{:.1} % of a core at {} events/s", 100.0 * idle.server_cpu, idle.rate))
        .collect();
    let due: Vec<_> =
        together.transports.iter().map(|group| format!("{} {}", group.transport, group.events_due)).collect();
    let cores = if comparison.pinned { "each on a core of its own" } else { "NOT on cores of their own" };
    let same = if together.same_events { "the same events in the same order" } else { "**not** the same events" };
    format!(
        "## How it was measured\n\n\
         - {date}, commit `{commit}`; {cpu}, {count} cores, {memory} GiB, Linux {kernel}; loopback; server and generator {cores}.\n\
         - Arguments: `{arguments}`; seed {seed}; {symbols} symbols for each client, channel `trades`, mode `all`; a server of its own, with one worker, for each row.\n\
         - Bytes are those of the TCP streams, both ways, with all headers and framing, without those of TCP and IP; what a client\n  \
           sends and gets once, to connect and subscribe, is in the raw data as `setup_bytes`. Requests are the least that is needed:\n  \
           three headers.\n\
         - Latency is from the event's time stamp to the `read` that brought it. It is that of all events made in the window,\n  \
           however late they came. Where a CPU is full, it is that of the queue before it.\n\
         - Staleness: `age` is the mean age of the last known price over time and symbols; `behind` is the part of it that is not\n  \
           the market's own quiet, so that one who knows every price at once has 0. A market begins with its server: where a symbol has no event for longer\n  \
           than a measurement takes, both are shorter than they become with time, and `behind` goes towards the mean latency.\n\
         - CPU is the server's whole process, its market included. The market alone took {idle}: for one client that is\n  \
           most of it. The generator's own is in the raw data and the matrix, that of the proxy in it.\n\
         - A short poll asks once in its interval, a long poll (`wait_ms` 25000) as soon as it is answered; each client keeps one\n  \
           connection and has one question at a time. Heartbeats (every 15 s) are longer apart than a window.\n\
         - Holes and repeats are told by `seq` and `offset` of every client. At the same time on one server, {together} clients of each\n  \
           transport got {same} ({due}).\n",
        date = machine.date,
        commit = machine.commit,
        cpu = machine.cpu,
        count = machine.cores,
        memory = machine.memory_gib,
        kernel = machine.kernel,
        arguments = if comparison.arguments.is_empty() { "none".into() } else { comparison.arguments.join(" ") },
        seed = comparison.seed,
        symbols = comparison.symbols_per_client,
        idle = idle.join(", "),
        together = together.clients,
        due = due.join(", "),
    )
}
