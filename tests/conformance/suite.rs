//! The Autobahn cases, run by `cases.py` in the environment that `tests/conformance-deps.sh` installs.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// The output of one run of `cases.py`.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    /// Version of the program that runs the cases.
    pub(crate) suite: String,
    /// Version of the case files.
    pub(crate) cases: String,
    pub(crate) groups: Vec<Group>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// A group of cases.
#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) number: String,
    pub(crate) name: String,
    /// Number of cases of the suite in the group, run or not.
    pub(crate) known: usize,
}

/// The suite's result of one case.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) id: String,
    /// Description of the case.
    pub(crate) description: String,
    pub(crate) behavior: Behavior,
    /// Whether the messages and the closing handshake complied with RFC 6455.
    pub(crate) passed: bool,
    /// The suite's result of the closing handshake.
    pub(crate) close: String,
    /// The suite's explanation.
    pub(crate) detail: String,
    /// The data that the suite received.
    pub(crate) received: String,
}

/// The suite's verdict on the messages of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Behavior {
    #[serde(rename = "OK")]
    Ok,
    /// Permitted, but the suite expected better.
    #[serde(rename = "NON-STRICT")]
    NonStrict,
    /// RFC 6455 does not specify the behaviour.
    #[serde(rename = "INFORMATIONAL")]
    Informational,
    #[serde(rename = "UNIMPLEMENTED")]
    Unimplemented,
    #[serde(rename = "FAILED")]
    Failed,
    /// The case could not be run.
    #[serde(rename = "ERROR")]
    Error,
}

impl Run {
    /// Runs these groups of cases against a server; with `without_echo` only those that expect no message in return.
    pub(crate) fn of(url: &str, groups: &[&str], without_echo: bool) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/conformance/bin/python");
        assert!(python.exists(), "the Autobahn cases are not installed: run tests/conformance-deps.sh");
        let mut command = Command::new(python);
        command.arg(root.join("tests/conformance/cases.py")).stdin(Stdio::null()).stderr(Stdio::inherit());
        command.args(without_echo.then_some("--without-echo")).arg(url).args(groups);
        let output = command.output().expect("Python starts");
        assert!(output.status.success(), "cases.py ended with {}", output.status);
        serde_json::from_slice(&output.stdout).expect("cases.py prints JSON")
    }

    /// Returns the verdicts of a group.
    pub(crate) fn verdicts<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.id.split('.').next() == Some(&group.number))
    }

    /// Returns one line per case that did not pass.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.verdicts.iter().filter(|verdict| !verdict.passed);
        let line = |Verdict { id, behavior, close, detail, received, .. }: &Verdict| {
            format!("{id}: {behavior:?}, closing handshake {close}: {detail} Received: {received}")
        };
        failed.map(line).collect()
    }
}
