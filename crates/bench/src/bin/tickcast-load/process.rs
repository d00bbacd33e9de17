//! What a process costs, from `/proc`: its CPU time and memory, and the memory of all TCP sockets of the machine.

use std::fs;
use std::io;
use std::time::Duration;

/// The unit of `utime` and `stime`: Linux shows every program 100 ticks a second, whatever the kernel counts in.
const TICK: Duration = Duration::from_millis(10);
/// The unit of TCP memory. Every machine this runs on has pages of 4 KiB.
const PAGE_BYTES: u64 = 4_096;

/// A process that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    folder: String,
}

/// CPU time since a process began, or of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// The part in its own code, to 10 ms.
    pub(crate) user: Duration,
    /// The part in the kernel, to 10 ms.
    pub(crate) system: Duration,
    /// What the scheduler has counted for the threads that there are, to the nanosecond.
    scheduled: Option<Duration>,
    /// For how long threads were ready to run and others had the CPU, summed over the threads that there are.
    waited: Option<Duration>,
}

impl CpuTime {
    /// Returns the time since an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let difference = |(now, then): (Duration, Duration)| now.saturating_sub(then);
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            scheduled: self.scheduled.zip(earlier.scheduled).map(difference),
            waited: self.waited.zip(earlier.waited).map(difference),
        }
    }

    /// Returns for how long its threads waited for the CPU; `None` where the system does not tell.
    pub(crate) fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// Returns all of it: to the nanosecond, unless a thread has ended and taken its count along.
    pub(crate) fn total(&self) -> Duration {
        let coarse = self.user + self.system;
        self.scheduled.filter(|fine| fine.abs_diff(coarse) <= TICK * 4).unwrap_or(coarse)
    }
}

impl Process {
    /// Returns the process with this number.
    pub(crate) fn new(pid: u32) -> Self {
        Self { folder: format!("/proc/{pid}") }
    }

    /// Returns this process.
    pub(crate) fn own() -> Self {
        Self { folder: "/proc/self".into() }
    }

    /// Returns the CPU time of all its threads.
    ///
    /// # Errors
    ///
    /// Returns what keeps it from being known: most often the process is gone.
    pub(crate) fn cpu_time(&self) -> io::Result<CpuTime> {
        let stat = fs::read_to_string(format!("{}/stat", self.folder))?;
        let (user, system) = parse_stat(&stat).ok_or_else(unreadable)?;
        let (scheduled, waited) = self.scheduled().unzip();
        Ok(CpuTime { user, system, scheduled, waited })
    }

    /// Returns for how long its threads ran, and for how long they waited to.
    fn scheduled(&self) -> Option<(Duration, Duration)> {
        let threads = fs::read_dir(format!("{}/task", self.folder)).ok()?;
        let (mut ran, mut waited) = (0_u64, 0_u64);
        for thread in threads {
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            let mut nanos = text.split(' ').map(str::parse::<u64>);
            ran += nanos.next()?.ok()?;
            waited += nanos.next()?.ok()?;
        }
        Some((Duration::from_nanos(ran), Duration::from_nanos(waited)))
    }

    /// Returns how many bytes of memory are resident now.
    ///
    /// # Errors
    ///
    /// Returns what keeps it from being known: most often the process is gone.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// Returns the most that was resident since the process began.
    ///
    /// # Errors
    ///
    /// Returns what keeps it from being known: most often the process is gone.
    pub(crate) fn resident_bytes_peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("{}/status", self.folder))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(unreadable)?;
        let kib = line.trim().strip_suffix(" kB").and_then(|text| text.parse::<u64>().ok());
        kib.map(|kib| kib * 1_024).ok_or_else(unreadable)
    }
}

/// Returns the memory that all TCP sockets of this machine hold in the kernel, in bytes.
pub(crate) fn tcp_bytes() -> Option<u64> {
    parse_sockstat(&fs::read_to_string("/proc/net/sockstat").ok()?)
}

fn parse_sockstat(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let pages = line.split(' ').skip_while(|word| *word != "mem").nth(1)?;
    Some(pages.parse::<u64>().ok()? * PAGE_BYTES)
}

/// Returns the user and the system time. The name of the process, in parentheses, can hold anything.
fn parse_stat(text: &str) -> Option<(Duration, Duration)> {
    let (_, rest) = text.rsplit_once(") ")?;
    let mut ticks = rest.split(' ').skip(11).map(|word| word.parse::<u32>().ok());
    Some((TICK * ticks.next()??, TICK * ticks.next()??))
}

fn unreadable() -> io::Error {
    io::Error::other("the process shows nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let own = Process::own();
        let resident = own.resident_bytes().unwrap();
        assert!(resident > 1 << 20 && own.resident_bytes_peak().unwrap() >= resident - (1 << 20));
        let before = own.cpu_time().unwrap();
        let mut sum = 0_u64;
        while own.cpu_time().unwrap().since(&before).total() < Duration::from_millis(20) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(Process::new(u32::MAX).cpu_time().is_err());
    }

    #[test]
    fn the_finer_count_is_taken_unless_a_thread_has_taken_it_along() {
        let [user, system] = [Duration::from_millis(30), Duration::from_millis(20)];
        let fine =
            |millis| CpuTime { user, system, scheduled: Some(Duration::from_millis(millis)), waited: None }.total();
        assert_eq!(fine(47), Duration::from_millis(47));
        assert_eq!(fine(5), Duration::from_millis(50));
    }

    #[test]
    fn the_numbers_of_proc_are_read() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 1 2 3 4 250 30 0 0 20 0 5 0 100";
        assert_eq!(parse_stat(stat), Some((Duration::from_millis(2_500), Duration::from_millis(300))));
        assert_eq!(parse_stat("nonsense"), None);
        let sockstat = "sockets: used 9\nTCP: inuse 4 orphan 0 tw 0 alloc 5 mem 3\nUDP: inuse 0 mem 1\n";
        assert_eq!(parse_sockstat(sockstat), Some(3 * PAGE_BYTES));
    }
}
