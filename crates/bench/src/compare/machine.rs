//! The machine and the commit of a comparison.

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

/// Returns the output of a program; `None` if it fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}
