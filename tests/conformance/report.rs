//! `docs/CONFORMANCE.md`: the results of two runs of the Autobahn cases as a page that does not change from run to run.

use std::fmt::Write;

use crate::suite::{Behavior, Group, Run, Verdict};

/// The lock file, for the versions of the crates below.
const LOCK: &str = include_str!("../../Cargo.lock");
/// The crates that read and write frames and open the connection.
const CRATES: [&str; 3] = ["actix-http", "actix-web", "actix-web-actors"];

const HEAD: &str = "\
# Conformance with RFC 6455

Results of the Autobahn TestSuite for the WebSockets of tickcast. `make test` runs all cases and fails if a case fails, or if this
page differs from the results; `make conformance` writes the page.
";

const ECHO: &str = "
## With an echo

The session actor of the service (`src/transport/websocket/mod.rs`) with an echoing message handler, which nearly all cases need. The
handler is part of the tests, not of the service; the longest message is set to 16 MiB.
";

const SERVICE: &str = "
## `/ws` itself

The `tickcast` binary with its default settings, on the cases that expect no message in return. The first message (`welcome`),
which no case expects, is ignored.
";

const NON_STRICT: &str = "
## Non-strict

The behaviour is permitted, but the case expected another one.
";

const UTF8: &str = "
6.4.1 to 6.4.4 send text with an invalid byte in the middle and expect the connection to fail at that byte. In 6.4.1 and 6.4.2
the byte ends a fragment; in 6.4.3 and 6.4.4 it is within an incomplete frame, which a codec of whole frames does not return yet.
So the service checks text as it arrives, before the codec has the frame (`src/transport/websocket/utf8.rs`).
";

const INFORMATIONAL: &str = "
## Informational

RFC 6455 does not specify the behaviour, so every result passes.
";

const NOT_RUN: &str = "
## Not run

Groups 12 and 13 are about compression (RFC 7692), which the service does not offer. The suite has no other groups.
";

/// Returns the page.
pub(crate) fn page(echo: &Run, service: &Run) -> String {
    let mut page = String::from(HEAD);
    push_versions(&mut page, echo);
    page.push_str(ECHO);
    push_table(&mut page, echo, false);
    page.push_str(SERVICE);
    push_table(&mut page, service, true);
    page.push_str(NON_STRICT);
    push_cases(&mut page, echo, service, Behavior::NonStrict);
    page.push_str(UTF8);
    page.push_str(INFORMATIONAL);
    push_cases(&mut page, echo, service, Behavior::Informational);
    page.push_str(NOT_RUN);
    page
}

fn push_versions(page: &mut String, run: &Run) {
    push_line(page, format_args!("\n| part | version |\n|---|---|"));
    push_line(page, format_args!("| tickcast | {} |", env!("CARGO_PKG_VERSION")));
    push_line(page, format_args!("| Autobahn TestSuite, its case files | {} |", run.cases));
    push_line(page, format_args!("| kosoku, which runs them | {} |", run.suite));
    for name in CRATES {
        push_line(page, format_args!("| {name} | {} |", locked_version(name)));
    }
}

/// Returns the version of a crate in the lock file.
fn locked_version(name: &str) -> &'static str {
    let (_, entry) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("the crate is in Cargo.lock");
    entry.split_once('"').expect("a version is quoted").0
}

fn push_line(page: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(page, "{line}").expect("a string takes everything");
}

fn push_table(page: &mut String, run: &Run, with_left_out: bool) {
    let left_out_column = if with_left_out { " need an echo |" } else { "" };
    let line = if with_left_out { "---|" } else { "" };
    let columns = "| group | run | passed strictly | non-strict | informational | failed |";
    push_line(page, format_args!("\n{columns}{left_out_column}\n|---|---|---|---|---|---|{line}"));
    let mut sum = Counts::default();
    for group in &run.groups {
        let counts = Counts::of(run, group);
        sum = sum.plus(counts);
        let Group { number, name, .. } = group;
        push_line(page, format_args!("| {number} {name} | {}", counts.cells(with_left_out)));
    }
    push_line(page, format_args!("| all | {}", sum.cells(with_left_out)));
}

/// Numbers of cases by result.
#[derive(Clone, Copy, Default)]
struct Counts {
    run: usize,
    strict: usize,
    non_strict: usize,
    informational: usize,
    failed: usize,
    left_out: usize,
}

impl Counts {
    fn of(run: &Run, group: &Group) -> Self {
        let verdicts: Vec<&Verdict> = run.verdicts(group).collect();
        let count = |behavior| verdicts.iter().filter(|verdict| verdict.passed && verdict.behavior == behavior).count();
        Self {
            run: verdicts.len(),
            strict: count(Behavior::Ok),
            non_strict: count(Behavior::NonStrict),
            informational: count(Behavior::Informational),
            failed: verdicts.iter().filter(|verdict| !verdict.passed).count(),
            left_out: group.known - verdicts.len(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            run: self.run + other.run,
            strict: self.strict + other.strict,
            non_strict: self.non_strict + other.non_strict,
            informational: self.informational + other.informational,
            failed: self.failed + other.failed,
            left_out: self.left_out + other.left_out,
        }
    }

    fn cells(self, with_left_out: bool) -> String {
        let Self { run, strict, non_strict, informational, failed, left_out } = self;
        let cells = format!("{run} | {strict} | {non_strict} | {informational} | {failed} |");
        if with_left_out { format!("{cells} {left_out} |") } else { cells }
    }
}

/// Lists the cases with this result.
fn push_cases(page: &mut String, echo: &Run, service: &Run, behavior: Behavior) {
    page.push('\n');
    let mut any = false;
    for (run, place) in [(echo, "with an echo"), (service, "`/ws`")] {
        for verdict in run.verdicts.iter().filter(|verdict| verdict.behavior == behavior) {
            push_line(page, format_args!("- {}, {place}: {}.", verdict.id, verdict.description.trim_end_matches('.')));
            any = true;
        }
    }
    if !any {
        page.push_str("None.\n");
    }
}
