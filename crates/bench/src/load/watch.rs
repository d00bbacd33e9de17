//! Measures the server's process during a run: CPU time of the window, memory once a second.

use std::time::{Duration, Instant};

use procfs::ProcResult;

use crate::process::{CpuTime, Process, tcp_bytes};

/// The time between two samples of the memory.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// The most samples: the longest run has as many seconds.
const SAMPLES_MAX: usize = 86_400;

/// CPU time and memory of the server. Memory is in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time during the window.
    pub(crate) cpu: CpuTime,
    /// Resident memory before the first connection.
    pub(crate) resident_before: u64,
    /// Resident memory at the start of the window and every second until its end, with the time since its start.
    pub(crate) samples: Vec<(Duration, u64)>,
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
    window: Option<(Instant, CpuTime)>,
    next: Instant,
}

impl Watch {
    /// Begins before the first connection. Fails if there is no such process.
    pub(crate) fn begin(process: Process) -> ProcResult<Self> {
        process.cpu_time()?;
        let resident_before = process.resident_bytes()?;
        let tcp_bytes = tcp_bytes().map(|bytes| (bytes, bytes));
        let usage = Usage { resident_before, tcp_bytes, ..Usage::default() };
        Ok(Self { process, usage, window: None, next: Instant::now() })
    }

    /// Begins the window. Fails if the process has ended.
    pub(crate) fn begin_window(&mut self, now: Instant) -> ProcResult<()> {
        self.window = Some((now, self.process.cpu_time()?));
        self.look(now)
    }

    /// Takes a sample if one is due. Fails if the process has ended.
    pub(crate) fn tick(&mut self, now: Instant) -> ProcResult<()> {
        if self.window.is_some() && now >= self.next { self.look(now) } else { Ok(()) }
    }

    fn look(&mut self, now: Instant) -> ProcResult<()> {
        let Some((began, _)) = self.window else { return Ok(()) };
        self.next = now + SAMPLE_INTERVAL;
        if self.usage.samples.len() < SAMPLES_MAX {
            self.usage.samples.push((now - began, self.process.resident_bytes()?));
        }
        if let Some((most, now)) = self.usage.tcp_bytes.as_mut().map(|(_, most)| most).zip(tcp_bytes()) {
            *most = now.max(*most);
        }
        Ok(())
    }

    /// Ends the window. Fails if the process has ended.
    pub(crate) fn end_window(&mut self, now: Instant) -> ProcResult<()> {
        let cpu = self.process.cpu_time()?;
        self.look(now)?;
        if let Some((_, earlier)) = self.window.take() {
            self.usage.cpu = cpu.since(&earlier);
        }
        self.usage.resident_peak = self.process.resident_bytes_peak()?;
        Ok(())
    }

    /// Returns the measured usage.
    pub(crate) fn finish(self) -> Usage {
        self.usage
    }
}

impl Usage {
    /// Returns the growth of resident memory during the window in bytes per minute, by linear regression; `None` for fewer than
    /// two samples.
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^53")]
    pub(crate) fn resident_growth_per_minute(&self) -> Option<f64> {
        let points = || self.samples.iter().map(|(at, bytes)| (at.as_secs_f64() / 60.0, *bytes as f64));
        let count = self.samples.len() as f64;
        let (x_mean, y_mean) =
            points().fold((0.0, 0.0), |(x_sum, y_sum), (x, y)| (x_sum + x / count, y_sum + y / count));
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (x, y) in points() {
            covariance += (x - x_mean) * (y - y_mean);
            variance += (x - x_mean) * (x - x_mean);
        }
        (variance > 0.0).then(|| covariance / variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_the_samples() {
        let sample = |second: u64, bytes| (Duration::from_secs(second), bytes);
        let growth = |samples: Vec<_>| Usage { samples, ..Usage::default() }.resident_growth_per_minute();
        assert_eq!(growth(vec![]), None);
        assert_eq!(growth(vec![sample(0, 5)]), None);
        let flat = growth((0..300).map(|second| sample(second, 1 << 20)).collect()).unwrap();
        assert!(flat.abs() < 1e-6);
        let rising = growth((0..300).map(|second| sample(second, 1_000 + second * 10)).collect()).unwrap();
        assert!((rising - 600.0).abs() < 1e-6);
    }

    #[test]
    fn memory_is_sampled_every_second_of_an_existing_process() {
        assert!(Process::new(u32::MAX).and_then(Watch::begin).is_err());
        let mut watch = Watch::begin(Process::own().unwrap()).unwrap();
        let now = Instant::now();
        watch.begin_window(now).unwrap();
        watch.tick(now + SAMPLE_INTERVAL).unwrap();
        watch.end_window(now + SAMPLE_INTERVAL * 2).unwrap();
        assert_eq!(watch.finish().samples.len(), 3);
    }
}
