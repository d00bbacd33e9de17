//! Checks the architecture: the direction of dependencies between floors, the files that may name a crate, the length
//! and the header of files, the tables of close reasons and error codes in the protocol document, and the tests in the list of attacks.
//!
//! The rules are those of `docs/ARCHITECTURE.md`. The last tests feed invalid files to the checker, to prove that it
//! finds them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;

use tickcast::metrics::HTTP_ERRORS;
use tickcast::protocol::{CloseReason, ErrorCode, Reconnect};

/// The floors in the direction of the data; one may name itself and those earlier in this list.
const FLOORS: [&str; 14] = [
    "domain",
    "protocol",
    "metrics",
    "rate",
    "audit",
    "access",
    "faults",
    "feed",
    "history",
    "record",
    "hub",
    "session",
    "transport",
    "app",
];
/// The modules of the crate `tickcast-tape` in the direction of the data, by the same rule.
const TAPE: [&str; 21] = [
    "row",
    "counts",
    "options",
    "error",
    "decimal",
    "limits",
    "times",
    "spans",
    "names",
    "input",
    "reader",
    "csv",
    "databento",
    "lines",
    "recorded",
    "open",
    "order",
    "merge",
    "bars",
    "write",
    "convert",
];
/// Most lines of a file.
const LINES_MAX: usize = 400;

/// The source directory of each crate, and the prefix of its paths below; floors of the core count like those of the
/// server.
const CRATES: [(&str, &str); 4] =
    [("src/", ""), ("crates/core/src/", ""), ("crates/bench/src/", "bench/"), ("crates/tape/src/", "tape/")];

/// Crates that only some files may name: the crate, and the prefixes of paths of these files, see [`CRATES`].
const RESERVED: [(&str, &[&str]); 15] = [
    ("actix_web_actors", &["transport/websocket/mod.rs"]),
    ("actix_service", &["transport/connection/mod.rs"]),
    ("actix_cors", &["transport/origin.rs", "transport/vendor/mod.rs"]),
    ("actix_web", &["transport/", "app/", "main.rs"]),
    ("actix_http", &["transport/"]),
    (
        "actix",
        &[
            "transport/",
            "app/",
            "hub/",
            "history/mod.rs",
            "feed/mod.rs",
            "feed/delay.rs",
            "feed/receivers.rs",
            "feed/event_log.rs",
            "feed/publish/",
            "record/",
            "main.rs",
        ],
    ),
    ("rustls", &["app/", "access/token/fetch.rs", "record/remote/connection.rs"]),
    ("jsonwebtoken", &["access/token/"]),
    ("ureq", &["access/token/fetch.rs"]),
    ("tokio_rustls", &["transport/", "app/", "record/remote/connection.rs"]),
    (
        "serde",
        &[
            "protocol/",
            "audit/",
            "access/",
            "faults/",
            "feed/",
            "history/",
            "record/",
            "hub/",
            "session/",
            "transport/",
            "app/",
            "bench/",
            "tape/",
        ],
    ),
    // The client of a recorder; the server has WebSockets of its own.
    ("tokio_tungstenite", &["record/remote/", "bench/"]),
    ("csv_core", &["tape/csv/records.rs"]),
    ("env_logger", &["main.rs"]),
    ("env_filter", &["app/log_filter.rs"]),
];

type Tree = BTreeMap<String, String>;

/// Returns one line per broken rule and file. Paths are relative to the repository.
fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree {
        if !text.starts_with("//!") {
            found.push(format!("{path}: does not begin with //!"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{path}: {lines} lines, more than {LINES_MAX}"));
        }
        let Some(source) = in_crate(path) else { continue };
        let source = source.as_str();
        for (number, line) in text.lines().enumerate() {
            if let Some(comment) = line.trim_start().strip_prefix("//") {
                found.extend(
                    without_noun(comment).map(|word| format!("{path}:{}: '{word}': name the thing", number + 1)),
                );
                continue;
            }
            let complain = |what: String| format!("{path}:{}: {what}", number + 1);
            found.extend(later(source, line).into_iter().map(complain));
            found.extend(reserved(source, line).into_iter().map(complain));
        }
    }
    found
}

/// Returns the pronoun with which a line of a documentation comment begins ("What follows a head"), unless the line is a question.
fn without_noun(comment: &str) -> Option<&str> {
    let text = comment.strip_prefix(['/', '!'])?.trim();
    let word = text.split(' ').next()?;
    (["What", "Who", "Whoever", "Whatever"].contains(&word) && !text.ends_with('?')).then_some(word)
}

/// Returns the path of a file in its crate; `None` if it belongs to no crate.
fn in_crate(path: &str) -> Option<String> {
    CRATES.iter().find_map(|(folder, name)| Some(format!("{name}{}", path.strip_prefix(folder)?)))
}

/// Returns the floors after `crate::` (or `tickcast::`) that are later in the list than the file's own.
fn later(source: &str, line: &str) -> Vec<String> {
    let (floors, source) = source.strip_prefix("tape/").map_or((&FLOORS[..], source), |source| (&TAPE[..], source));
    let own = source.split(['/', '.']).next().unwrap();
    let Some(level) = floors.iter().position(|floor| *floor == own) else { return Vec::new() };
    if line.contains("crate::{") {
        return vec!["name floors one by one, not in crate::{…}".into()];
    }
    let named = line.split("crate::").skip(1).map(|rest| rest.split(|c: char| !is_word(c)).next().unwrap());
    let later = named.filter(|named| floors.iter().position(|floor| floor == named).is_some_and(|at| at > level));
    later.map(|named| format!("{own} names {named}, a later floor")).collect()
}

/// Returns the reserved crates that the line names although its file may not.
fn reserved(source: &str, line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(|c: char| !is_word(c)).collect();
    let refused = |(word, places): &&(&str, &[&str])| {
        let names = words.iter().any(|found| {
            found == word
                || (*word == "serde" && found.starts_with("serde_"))
                || (*word == "actix" && *found == "actix_rt")
        });
        names && !places.iter().any(|place| source.starts_with(place))
    };
    RESERVED.iter().filter(refused).map(|(word, _)| format!("{word} does not belong here")).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn read(root: &Path, folder: &str, tree: &mut Tree) {
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
    for entry in entries {
        let name = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if root.join(&name).is_dir() {
            read(root, &name, tree);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            tree.insert(name.clone(), std::fs::read_to_string(root.join(&name)).unwrap());
        }
    }
}

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = Tree::new();
    for folder in ["src", "crates", "tests", "benches", "examples"] {
        read(root, folder, &mut tree);
    }
    assert!(tree.len() > 40, "the files were found");
    let found = complaints(&tree);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_crates_list_every_floor_in_the_direction_of_the_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = ["crates/core/src/lib.rs", "src/lib.rs"].map(|path| std::fs::read_to_string(root.join(path)).unwrap());
    let lines = text.iter().flat_map(|text| text.lines());
    let listed: Vec<_> = lines.filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, FLOORS);
    let text = std::fs::read_to_string(root.join("crates/tape/src/lib.rs")).unwrap();
    let listed: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(listed, TAPE);
}

/// Returns the cells of a close reason in the table of `docs/PROTOCOL.md`: code, reason, delay, cursor.
fn row(reason: CloseReason) -> [String; 4] {
    let code = if reason == CloseReason::ClientClosed { "the client's".into() } else { reason.code().to_string() };
    let (delay, cursor) = match reason.reconnect() {
        Reconnect::Never => ("never".into(), ""),
        Reconnect::Resume { delay_ms } => (format!("{} s", f64::from(u32::try_from(delay_ms).unwrap()) / 1e3), "keep"),
        Reconnect::Restart => ("`retry_after_ms` of `goodbye`".into(), "drop"),
    };
    [code, format!("`{}`", reason.name()), delay, cursor.into()]
}

fn protocol_document() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md")).unwrap()
}

/// Returns these cells of each row of the table whose header begins so.
fn table<const COUNT: usize>(text: &str, header: &str, cells: [usize; COUNT]) -> Vec<[String; COUNT]> {
    let rows = text.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let row = |line: &str| {
        let all: Vec<_> = line.split('|').map(str::trim).collect();
        cells.map(|cell| all[cell].to_owned())
    };
    rows.take_while(|line| line.starts_with('|')).map(row).collect()
}

#[test]
fn the_close_reasons_in_the_protocol_document_are_those_of_the_code() {
    assert_eq!(table(&protocol_document(), "| code | reason |", [1, 2, 4, 5]), CloseReason::ALL.map(row));
}

#[test]
fn the_error_codes_in_the_protocol_document_are_those_of_the_code() {
    let text = protocol_document();
    let quoted = |name: &str| format!("`{name}`");
    assert_eq!(table(&text, "| code | mistake |", [1]), ErrorCode::ALL.map(|code| [quoted(code.name())]));
    let (_, rest) = text.split_once("with a `code` from the table above, or ").unwrap();
    let (listed, _) = rest.split_once('.').unwrap();
    let listed: Vec<_> = listed.split(',').map(str::trim).collect();
    assert_eq!(listed, HTTP_ERRORS.map(quoted));
}

#[test]
fn the_tests_in_the_lists_of_attacks_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/ATTACKS.md")).unwrap();
    let rows = [table(&text, "| attack | tests |", [2]), table(&text, "| defence | test |", [2])].concat();
    let names: Vec<_> = rows.iter().flat_map(|[tests]| tests.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 100, "{names:?}");
    let mut tree = Tree::new();
    for folder in ["src", "tests"] {
        read(root, folder, &mut tree);
    }
    let exists = |name: &str| tree.values().any(|text| text.contains(&format!("fn {name}(")));
    let lacking: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(lacking.is_empty(), "docs/ATTACKS.md names tests that do not exist: {lacking:?}");
}

#[test]
fn the_server_depends_on_no_crate_that_only_the_tools_need() {
    let arguments = ["tree", "-p", "tickcast", "-e", "normal", "--prefix", "none", "--locked", "--offline"];
    let output = std::process::Command::new(env!("CARGO")).args(arguments).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let named: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(named.contains(&"tickcast-core"), "{tree}");
    for tool in
        ["hdrhistogram", "hyper", "indicatif", "minijinja", "plotters", "procfs", "sse-stream", "tickcast-bench"]
    {
        assert!(!named.contains(&tool), "{tool} is a dependency of the server");
    }
}

/// Returns the complaints about a tree with only this file.
fn about(path: &str, text: &str) -> Vec<String> {
    complaints(&Tree::from([(path.into(), format!("//! Doc.\n{text}"))]))
}

#[test]
fn a_floor_that_names_a_later_one_is_found() {
    assert_eq!(
        about("src/hub/x.rs", "use crate::session::Session;"),
        ["src/hub/x.rs:2: hub names session, a later floor"]
    );
    assert_eq!(about("crates/core/src/domain/x.rs", "fn f(x: crate::protocol::Y) {}").len(), 1);
    assert_eq!(about("src/metrics.rs", "use crate::feed::Feed;").len(), 1);
    assert_eq!(about("src/session/mod.rs", "use crate::{hub, app};").len(), 1);
    assert!(about("src/session/mod.rs", "use crate::hub::Hub;\n// crate::app").is_empty());
    assert_eq!(about("crates/tape/src/csv/x.rs", "use crate::merge::Merge;").len(), 1);
    assert!(about("crates/tape/src/merge.rs", "use crate::csv::CsvReader;").is_empty());
}

#[test]
fn a_crate_in_the_wrong_place_is_found() {
    for (path, line) in [
        ("src/transport/sse.rs", "use actix_web_actors::ws;"),
        ("crates/core/src/domain/price.rs", "#[derive(serde::Serialize)]"),
        ("crates/core/src/domain/price.rs", "use serde_json::json;"),
        ("crates/core/src/domain/price.rs", "use actix::Actor;"),
        ("crates/core/src/protocol/mod.rs", "use actix_rt::spawn;"),
        ("src/session/mod.rs", "use actix::prelude::*;"),
        ("src/feed/simulated.rs", "impl actix::Actor for Simulator {}"),
        ("src/hub/router.rs", "use actix_web::HttpResponse;"),
        ("src/app/mod.rs", "env_logger::init();"),
        ("crates/bench/src/client.rs", "use actix::Actor;"),
    ] {
        assert_eq!(about(path, line).len(), 1, "{path}: {line}");
    }
    assert!(about("src/transport/websocket/mod.rs", "use actix_web_actors::ws;").is_empty());
}

#[test]
fn a_documentation_comment_without_a_noun_is_found() {
    assert_eq!(about("src/hub/x.rs", "/// What follows.").len(), 1);
    assert_eq!(about("src/hub/x.rs", "    //! Who asks").len(), 1);
    assert!(about("src/hub/x.rs", "/// What follows?\n// What now\n/// Whatsoever\nlet what = \"What\";").is_empty());
}

#[test]
fn a_file_without_a_header_or_with_too_many_lines_is_found() {
    let long = "\n".repeat(LINES_MAX);
    assert_eq!(complaints(&Tree::from([("tests/it/x.rs".into(), "use x;".into())])).len(), 1);
    assert_eq!(about("src/feed/x.rs", &long).len(), 1);
    assert!(about("src/feed/x.rs", &long[1..]).is_empty());
}
