//! `newest_end`: where the newest recording of a directory ends.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

use tickcast_tape::{RecordingEnd, recording_end};

/// Returns where the newest recording of a directory ends that can be read. It is not complete if a newer one was cut off at once.
pub(super) fn newest_end(directory: &Path) -> Option<RecordingEnd> {
    let entries = read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_recording = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.ends_with(".jsonl.zst") || name.ends_with(".jsonl.zst.part")
        })
    };
    let mut paths: Vec<_> = entries.filter(is_recording).collect();
    paths.sort_unstable();
    let mut is_cut = false;
    for path in paths.iter().rev() {
        match recording_end(path) {
            Ok(Some(end)) => return Some(RecordingEnd { is_complete: end.is_complete && !is_cut, ..end }),
            Ok(None) | Err(_) => is_cut = true,
        }
    }
    None
}
