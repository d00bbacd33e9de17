//! What the comparison is made on: machine and commit.

use std::fs;
use std::path::Path;
use std::process::Command;

use tickcast_core::domain::{Clock, SystemClock};

use crate::result::Machine;

/// What server and generator are built from, from the root of the repository, wherever in it this runs.
const BUILT_FROM: [&str; 5] = [":/src", ":/static", ":/config", ":/Cargo.toml", ":/Cargo.lock"];

/// Looks at this machine and the working tree; what cannot be known is `unknown`.
pub(crate) fn look() -> Machine {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    Machine {
        cpu: cpu.map_or("unknown", |(_, name)| name.trim()).into(),
        cores: cpu_info.lines().filter(|line| line.starts_with("processor")).count(),
        memory_gib: (memory_kib + (1 << 19)) >> 20,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").map_or("unknown".into(), |text| text.trim().into()),
        commit: said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into()),
        changed: said("git", &[&["status", "--porcelain", "--"][..], &BUILT_FROM].concat())
            .map(|text| !text.is_empty()),
        date: chrono::DateTime::from_timestamp_micros(SystemClock.now().micros())
            .map_or("unknown".into(), |date| date.format("%Y-%m-%d").to_string()),
    }
}

/// Refuses to write a page that is kept with the program, into `out`, when nobody could make it again: of a program that is
/// not the one of a commit. Elsewhere it may be written, and says so.
///
/// # Errors
///
/// Returns what to do, in one line.
pub(crate) fn check(machine: &Machine, out: &Path) -> Result<(), String> {
    check_if(machine, out, |page| {
        said("git", &["ls-files", "--error-unmatch", "--", &page.to_string_lossy()]).is_some()
    })
}

fn check_if(machine: &Machine, out: &Path, is_kept: impl FnOnce(&Path) -> bool) -> Result<(), String> {
    let page = out.join("COMPARISON.md");
    if machine.changed == Some(false) || !is_kept(&page) {
        return Ok(());
    }
    Err(format!(
        "{} is kept with the program, and must not tell of changes that are not: commit what is changed in {}, or name another \
         folder with --out",
        page.display(),
        BUILT_FROM.map(|path| path.trim_start_matches(":/")).join(", "),
    ))
}

/// Returns what a program says, `None` when it fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::comparison;

    #[test]
    fn a_page_that_is_kept_is_only_written_for_a_commit() {
        let mut machine = comparison(Vec::new(), Vec::new()).machine;
        let check = |machine: &Machine, is_kept| check_if(machine, Path::new("docs"), |_| is_kept);
        assert_eq!(check(&machine, true), Ok(()));
        for changed in [Some(true), None] {
            machine.changed = changed;
            let message = check(&machine, true).unwrap_err();
            assert!(
                message.starts_with("docs/COMPARISON.md is kept") && message.contains("in src, static,"),
                "{message}"
            );
            assert_eq!(message.lines().count(), 1);
            assert_eq!(check(&machine, false), Ok(()), "elsewhere it says so itself");
        }
    }
}
