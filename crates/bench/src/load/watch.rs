//! Measures the server's process during a run: CPU time of the window, memory before, at both ends, and at most.

use std::time::{Duration, Instant};

use procfs::ProcResult;

use crate::process::{CpuTime, Process, tcp_bytes};

/// The time between two samples of the memory of the sockets.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// CPU time and memory of the server. Memory is in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time during the window.
    pub(crate) cpu: CpuTime,
    /// Resident memory before the first connection, at the start of the window, and at its end.
    pub(crate) resident: [u64; 3],
    /// Peak resident memory.
    pub(crate) resident_peak: u64,
    /// Memory of all TCP sockets of the machine: before the first connection, and the most of any sample.
    pub(crate) tcp_bytes: Option<(u64, u64)>,
}

/// Watches one process.
#[derive(Debug)]
pub(crate) struct Watch {
    process: Process,
    usage: Usage,
    window: Option<CpuTime>,
    next: Instant,
}

impl Watch {
    /// Begins before the first connection. Fails if there is no such process.
    pub(crate) fn begin(process: Process) -> ProcResult<Self> {
        process.cpu_time()?;
        let resident = [process.resident_bytes()?; 3];
        let tcp_bytes = tcp_bytes().map(|bytes| (bytes, bytes));
        let usage = Usage { resident, tcp_bytes, ..Usage::default() };
        Ok(Self { process, usage, window: None, next: Instant::now() })
    }

    /// Begins the window. Fails if the process has ended.
    pub(crate) fn begin_window(&mut self, now: Instant) -> ProcResult<()> {
        self.window = Some(self.process.cpu_time()?);
        self.usage.resident[1] = self.process.resident_bytes()?;
        self.look(now);
        Ok(())
    }

    /// Takes a sample if one is due. Fails if the process has ended.
    pub(crate) fn tick(&mut self, now: Instant) -> ProcResult<()> {
        if self.window.is_some() && now >= self.next {
            self.process.cpu_time()?;
            self.look(now);
        }
        Ok(())
    }

    fn look(&mut self, now: Instant) {
        self.next = now + SAMPLE_INTERVAL;
        if let Some((most, now)) = self.usage.tcp_bytes.as_mut().map(|(_, most)| most).zip(tcp_bytes()) {
            *most = now.max(*most);
        }
    }

    /// Ends the window. Fails if the process has ended.
    pub(crate) fn end_window(&mut self, now: Instant) -> ProcResult<()> {
        let cpu = self.process.cpu_time()?;
        self.look(now);
        if let Some(earlier) = self.window.take() {
            self.usage.cpu = cpu.since(&earlier);
        }
        self.usage.resident[2] = self.process.resident_bytes()?;
        self.usage.resident_peak = self.process.resident_bytes_peak()?;
        Ok(())
    }

    /// Returns the measured usage.
    pub(crate) fn finish(self) -> Usage {
        self.usage
    }
}
