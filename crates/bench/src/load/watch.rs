//! The watch over the server's process while a run goes on: CPU time of the measured window, memory once a second.

use std::time::{Duration, Instant};

use procfs::ProcResult;

use crate::process::{CpuTime, Process, tcp_bytes};

/// The time between two looks at the memory.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// The most looks that are kept: as many as the longest run has seconds.
const SAMPLES_MAX: usize = 86_400;

/// What the server has used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time of the window.
    pub(crate) cpu: CpuTime,
    /// Resident before the first connection.
    pub(crate) resident_before: u64,
    /// Resident at the beginning of the window and every second from then to its end, with the time since it began.
    pub(crate) samples: Vec<(Duration, u64)>,
    /// The most that was ever resident.
    pub(crate) resident_peak: u64,
    /// Memory of all TCP sockets of the machine before the first connection, and the most at any look in the window.
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
    /// Begins before the first connection.
    /// The error says why the process cannot be watched.
    pub(crate) fn begin(process: Process) -> ProcResult<Self> {
        process.cpu_time()?;
        let resident_before = process.resident_bytes()?;
        let tcp_bytes = tcp_bytes().map(|bytes| (bytes, bytes));
        let usage = Usage { resident_before, tcp_bytes, ..Usage::default() };
        Ok(Self { process, usage, window: None, next: Instant::now() })
    }

    /// Begins the window.
    /// Fails when the process is gone.
    pub(crate) fn begin_window(&mut self, now: Instant) -> ProcResult<()> {
        self.window = Some((now, self.process.cpu_time()?));
        self.look(now)
    }

    /// Looks at the memory when it is time to.
    /// Fails when the process is gone.
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

    /// Ends the window.
    /// Fails when the process is gone.
    pub(crate) fn end_window(&mut self, now: Instant) -> ProcResult<()> {
        let cpu = self.process.cpu_time()?;
        self.look(now)?;
        if let Some((_, earlier)) = self.window.take() {
            self.usage.cpu = cpu.since(&earlier);
        }
        self.usage.resident_peak = self.process.resident_bytes_peak()?;
        Ok(())
    }

    /// Returns what was seen.
    pub(crate) fn finish(self) -> Usage {
        self.usage
    }
}

impl Usage {
    /// Returns by how many bytes a minute resident memory has grown over the window: the slope of the straight line with
    /// the least squares. `None` when there is no line.
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
    fn a_process_that_is_not_there_cannot_be_watched() {
        assert!(Process::new(u32::MAX).and_then(Watch::begin).is_err());
        let mut watch = Watch::begin(Process::own().unwrap()).unwrap();
        let now = Instant::now();
        watch.begin_window(now).unwrap();
        watch.tick(now + SAMPLE_INTERVAL).unwrap();
        watch.end_window(now + SAMPLE_INTERVAL * 2).unwrap();
        assert_eq!(watch.finish().samples.len(), 3);
    }
}
