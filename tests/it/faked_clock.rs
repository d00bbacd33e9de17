//! The real binary with a wall clock set by the test, through Debian's `faketime`; its monotonic clock is the
//! machine's.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tickcast::domain::{Clock, SystemClock};

use crate::command::{Process, spawn_binary};

/// The wall clock of one process. Its file is removed when dropped.
pub(crate) struct FakedClock(PathBuf);

impl FakedClock {
    /// Returns a clock that is this many seconds ahead of the machine's, or behind if negative.
    pub(crate) fn ahead(seconds: i64) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let clock = Self(std::env::temp_dir().join(format!("tickcast-clock-{}-{number}", std::process::id())));
        clock.set_ahead(seconds);
        clock
    }

    /// Sets the clock.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        // Atomically, because the process may read the file at any time.
        let written = self.0.with_extension("new");
        std::fs::write(&written, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(written, &self.0).unwrap();
    }

    /// Starts the server under this clock.
    pub(crate) async fn spawn(&self, variables: &[(&str, &str)]) -> Process {
        let library = library();
        let faked = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        spawn_binary(&[], &[&faked, variables].concat()).await
    }
}

impl Drop for FakedClock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the seconds of the machine's clock since 1970.
pub(crate) fn machine_seconds() -> i64 {
    SystemClock.now().micros() / 1_000_000
}

fn library() -> PathBuf {
    let directories = std::fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let mut libraries = directories.map(|directory| directory.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|path| path.exists()).expect("libfaketimeMT.so.1 is there after `make clock-deps`")
}
