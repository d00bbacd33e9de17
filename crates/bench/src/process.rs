//! CPU time and memory of a process, and the memory of all TCP sockets of the machine, from `/proc`: at one moment, and over a window.

use std::time::{Duration, Instant};

use procfs::ProcResult;
use serde::Serialize;

/// The unit of `utime` and `stime`: Linux shows every program 100 ticks a second, whatever the kernel counts in.
const TICK: Duration = Duration::from_millis(10);

/// The time between two samples of the memory of the sockets.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// A process to measure.
#[derive(Debug)]
pub(crate) struct Process(procfs::process::Process);

/// CPU time of a process, since its start or between two measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// The part in its own code, to 10 ms.
    pub(crate) user: Duration,
    /// The part in the kernel, to 10 ms.
    pub(crate) system: Duration,
    /// The scheduler's own count for the threads that still exist, to the nanosecond.
    scheduled: Option<Duration>,
    /// Time for which threads were ready to run but had no CPU, summed over the threads that still exist; `None` if the kernel
    /// does not report it.
    pub(crate) waited: Option<Duration>,
}

impl CpuTime {
    /// Returns the time since an earlier measurement.
    #[must_use]
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let difference = |(now, then): (Duration, Duration)| now.saturating_sub(then);
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            scheduled: self.scheduled.zip(earlier.scheduled).map(difference),
            waited: self.waited.zip(earlier.waited).map(difference),
        }
    }

    /// Returns user and system time together: to the nanosecond, or to 10 ms if a thread has ended, because the scheduler's count
    /// of a thread is lost when it ends.
    pub(crate) fn total(&self) -> Duration {
        let coarse = self.user + self.system;
        self.scheduled.filter(|fine| fine.abs_diff(coarse) <= TICK * 4).unwrap_or(coarse)
    }
}

impl Process {
    /// Returns the process with this id.
    pub(crate) fn new(pid: u32) -> ProcResult<Self> {
        Ok(Self(procfs::process::Process::new(i32::try_from(pid).unwrap_or(i32::MAX))?))
    }

    /// Returns this process.
    pub(crate) fn own() -> ProcResult<Self> {
        procfs::process::Process::myself().map(Self)
    }

    /// Returns the CPU time of all its threads. Fails, like the methods below, if the process has ended.
    pub(crate) fn cpu_time(&self) -> ProcResult<CpuTime> {
        let stat = self.0.stat()?;
        let ticks = |count: u64| TICK * u32::try_from(count).unwrap_or(u32::MAX);
        let (scheduled, waited) = self.scheduled().ok().unzip();
        Ok(CpuTime { user: ticks(stat.utime), system: ticks(stat.stime), scheduled, waited })
    }

    /// Returns the time for which its threads ran, and the time for which they waited for a CPU.
    fn scheduled(&self) -> ProcResult<(Duration, Duration)> {
        let mut sums = (Duration::ZERO, Duration::ZERO);
        for thread in self.0.tasks()? {
            let stat = thread?.schedstat()?;
            sums.0 += Duration::from_nanos(stat.sum_exec_runtime);
            sums.1 += Duration::from_nanos(stat.run_delay);
        }
        Ok(sums)
    }

    /// Returns the resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> ProcResult<u64> {
        Ok(self.0.status()?.vmrss.unwrap_or_default() * 1_024)
    }

    /// Returns the most resident memory since the process started, in bytes.
    pub(crate) fn resident_bytes_peak(&self) -> ProcResult<u64> {
        Ok(self.0.status()?.vmhwm.unwrap_or_default() * 1_024)
    }
}

/// CPU time and memory of a process; see the keys of the report.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Usage {
    /// CPU time during the window.
    #[serde(skip)]
    pub(crate) cpu: CpuTime,
    /// Resident memory before the first connection.
    pub(crate) rss_before_bytes: u64,
    /// Resident memory at the start of the window.
    pub(crate) rss_start_bytes: u64,
    rss_end_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    tcp_before_bytes: Option<u64>,
    tcp_peak_bytes: Option<u64>,
}

/// Watches one process.
#[derive(Debug)]
pub(crate) struct Watch {
    process: Process,
    /// The measurements so far; `cpu` is that since the start of the process until the window ends.
    pub(crate) usage: Usage,
    /// When the next sample is due; `None` outside the window.
    next: Option<Instant>,
}

impl Watch {
    /// Begins before the first connection. Fails if there is no such process.
    pub(crate) fn begin(process: Process) -> ProcResult<Self> {
        let (cpu, resident, tcp_bytes) = (process.cpu_time()?, process.resident_bytes()?, tcp_bytes());
        let usage = Usage {
            cpu,
            rss_before_bytes: resident,
            rss_start_bytes: resident,
            rss_end_bytes: resident,
            tcp_before_bytes: tcp_bytes,
            tcp_peak_bytes: tcp_bytes,
            ..Usage::default()
        };
        Ok(Self { process, usage, next: None })
    }

    /// Begins the window. Fails if the process has ended.
    pub(crate) fn begin_window(&mut self) -> ProcResult<()> {
        self.usage.cpu = self.process.cpu_time()?;
        self.usage.rss_start_bytes = self.process.resident_bytes()?;
        self.next = Some(Instant::now());
        Ok(())
    }

    /// Takes a sample if one is due. Fails if the process has ended.
    pub(crate) fn tick(&mut self, now: Instant) -> ProcResult<()> {
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + SAMPLE_INTERVAL);
            self.process.cpu_time()?;
            self.sample();
        }
        Ok(())
    }

    fn sample(&mut self) {
        self.usage.tcp_peak_bytes = self.usage.tcp_peak_bytes.max(tcp_bytes());
    }

    /// Ends the window. Fails if the process has ended.
    pub(crate) fn end_window(&mut self) -> ProcResult<()> {
        self.usage.cpu = self.process.cpu_time()?.since(&self.usage.cpu);
        self.next = None;
        self.sample();
        self.usage.rss_end_bytes = self.process.resident_bytes()?;
        self.usage.rss_peak_bytes = self.process.resident_bytes_peak()?;
        Ok(())
    }
}

/// Returns the memory that all TCP sockets of this machine hold in the kernel, in bytes.
fn tcp_bytes() -> Option<u64> {
    tcp_pages(&std::fs::read_to_string("/proc/net/sockstat").ok()?).map(|pages| pages * procfs::page_size())
}

fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    line.split(' ').skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let own = Process::own().unwrap();
        let resident = own.resident_bytes().unwrap();
        assert!(resident > 1 << 20 && own.resident_bytes_peak().unwrap() >= resident - (1 << 20));
        let before = own.cpu_time().unwrap();
        let mut sum = 0_u64;
        while own.cpu_time().unwrap().since(&before).total() < Duration::from_millis(20) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(Process::new(u32::MAX).is_err());
    }

    #[test]
    fn the_finer_count_is_used_unless_an_ended_thread_is_missing_from_it() {
        let [user, system] = [Duration::from_millis(30), Duration::from_millis(20)];
        let fine =
            |millis| CpuTime { user, system, scheduled: Some(Duration::from_millis(millis)), waited: None }.total();
        assert_eq!(fine(47), Duration::from_millis(47));
        assert_eq!(fine(5), Duration::from_millis(50));
    }

    #[test]
    fn the_memory_of_sockets_is_parsed() {
        let sockstat = "sockets: used 9\nTCP: inuse 4 orphan 0 tw 0 alloc 5 mem 3\nUDP: inuse 0 mem 1\n";
        assert_eq!(tcp_pages(sockstat), Some(3));
    }
}
