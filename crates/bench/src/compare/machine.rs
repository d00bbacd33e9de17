//! The machine and the commit of a comparison.

use std::path::Path;
use std::process::Command;

use procfs::{CpuInfo, Current, Meminfo};
use tickcast_core::domain::{Clock, SystemClock};

use crate::compare::result::Machine;

/// The sources of server and generator, relative to the root of the repository.
const BUILT_FROM: [&str; 6] = [":/src", ":/crates", ":/static", ":/config", ":/Cargo.toml", ":/Cargo.lock"];

/// Describes this machine and the working tree; an unknown value is `unknown` or 0.
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

/// Refuses to replace a committed page by one that nobody else can make: of a server that is not that of a commit.
///
/// # Errors
/// One line that says what to do.
pub(crate) fn check(machine: &Machine, out: &Path) -> Result<(), String> {
    let page = out.join("COMPARISON.md");
    let is_committed = || said("git", &["ls-files", "--error-unmatch", "--", &page.to_string_lossy()]).is_some();
    if machine.changed == Some(false) || !is_committed() {
        return Ok(());
    }
    let sources = BUILT_FROM.map(|path| path.trim_start_matches(":/")).join(", ");
    Err(format!("{} is committed: commit the changes of {sources} first, or name a folder with --out", page.display()))
}

/// Returns the output of a program; `None` if it fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::comparison;

    #[test]
    fn a_committed_page_is_not_replaced_from_uncommitted_sources() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let mut machine = comparison(Vec::new(), Vec::new()).machine;
        for changed in [Some(true), None] {
            machine.changed = changed;
            let refusal = check(&machine, &docs).unwrap_err();
            assert!(refusal.contains("COMPARISON.md is committed") && !refusal.contains('\n'), "{refusal}");
            assert_eq!(check(&machine, Path::new("/tmp")), Ok(()), "the page itself says it");
        }
        machine.changed = Some(false);
        assert_eq!(check(&machine, &docs), Ok(()));
    }
}
