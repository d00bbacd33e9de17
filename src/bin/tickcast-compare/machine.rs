//! What the comparison is made on: machine and commit.

use std::fs;
use std::process::Command;

use tickcast::app::SystemClock;
use tickcast::domain::Clock;

use crate::result::Machine;

/// Looks at this machine and the working tree; what cannot be known is `unknown`.
pub(crate) fn look() -> Machine {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    let changed = said("git", &["status", "--porcelain", "--", "src", "Cargo.toml", "Cargo.lock"]);
    let changed = if changed.is_empty() { "" } else { " with uncommitted changes" };
    Machine {
        cpu: cpu.map_or("unknown", |(_, name)| name.trim()).into(),
        cores: cpu_info.lines().filter(|line| line.starts_with("processor")).count(),
        memory_gib: (memory_kib + (1 << 19)) >> 20,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").map_or("unknown".into(), |text| text.trim().into()),
        commit: said("git", &["rev-parse", "--short=12", "HEAD"]) + changed,
        date: chrono::DateTime::from_timestamp_micros(SystemClock.now().micros())
            .map_or("unknown".into(), |date| date.format("%Y-%m-%d").to_string()),
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}
