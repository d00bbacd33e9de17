//! What the comparison is made on: machine and commit.

use std::path::Path;
use std::process::Command;

use procfs::{CpuInfo, Current, Meminfo};
use tickcast_core::domain::{Clock, SystemClock};

use crate::compare::result::Machine;

/// What server and generator are built from, from the root of the repository, wherever in it this runs.
const BUILT_FROM: [&str; 6] = [":/src", ":/crates", ":/static", ":/config", ":/Cargo.toml", ":/Cargo.lock"];

/// Looks at this machine and the working tree; what cannot be known is `unknown` or 0.
pub(crate) fn look() -> Machine {
    let unknown = || "unknown".to_owned();
    let cpu = CpuInfo::current().ok();
    let memory = Meminfo::current().map_or(0, |memory| memory.mem_total);
    let changed = said("git", &[&["status", "--porcelain", "--"][..], &BUILT_FROM].concat());
    let date = chrono::DateTime::from_timestamp_micros(SystemClock.now().micros());
    Machine {
        cpu: cpu.as_ref().and_then(|cpu| cpu.model_name(0)).map_or_else(unknown, Into::into),
        cores: cpu.map_or(0, |cpu| cpu.num_cores()),
        memory_gib: (memory + (1 << 29)) >> 30,
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |text| text.trim().into()),
        commit: said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(unknown),
        changed: changed.map(|text| !text.is_empty()),
        date: date.map_or_else(unknown, |date| date.format("%Y-%m-%d").to_string()),
    }
}

/// Refuses to write a page that is kept with the program, into `out`, when nobody could make it again: of a program that is
/// not the one of a commit. Elsewhere it may be written, and says so.
/// The error says what to do, in one line.
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
    use crate::compare::example::comparison;

    #[test]
    fn a_page_that_is_kept_is_only_written_for_a_commit() {
        let mut machine = comparison(Vec::new(), Vec::new()).machine;
        let check = |machine: &Machine, is_kept| check_if(machine, Path::new("docs"), |_| is_kept);
        assert_eq!(check(&machine, true), Ok(()));
        for changed in [Some(true), None] {
            machine.changed = changed;
            let message = check(&machine, true).unwrap_err();
            assert!(
                message.starts_with("docs/COMPARISON.md is kept") && message.contains("in src, crates, static,"),
                "{message}"
            );
            assert_eq!(message.lines().count(), 1);
            assert_eq!(check(&machine, false), Ok(()), "elsewhere it says so itself");
        }
    }
}
