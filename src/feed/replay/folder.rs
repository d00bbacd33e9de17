//! `ReplayFolder`: the files of `feed.files_dir`, each of which a client may have played for itself, and the places of those replays.
//!
//! A client names a file of the folder, and no other: no path, no hidden file, no link out of it. Files are read on threads of their own,
//! which keep the place of their replay until they end, so that `feed.replays_max` bounds the threads as well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::domain::{Reading, SymbolTable, Timestamp};
use crate::feed::replay::config::{Parsed, ReplayConfig, ReplayTime};
use crate::feed::replay::plan::{Plan, PlanParts, ReplayError};
use crate::feed::replay::survey::Surveys;
use crate::feed::{FeedConfig, Opening, ReplaySource};
use crate::metrics::SharedMetrics;

/// Longest name of a file, in bytes: that of common file systems.
const NAME_BYTES_MAX: usize = 255;
/// Closed bars from before the start of a replay that are kept, of each symbol and interval: nobody can ask for them.
const BARS_MAX: usize = 1;
/// The niceness of the threads that read the files.
const NICENESS: i32 = 5;

/// The files that clients may have played.
pub struct ReplayFolder {
    /// The folder, without links; `None` if there is none.
    folder: Option<PathBuf>,
    config: FeedConfig,
    places: Arc<Semaphore>,
    surveys: Arc<Surveys>,
    metrics: SharedMetrics,
}

/// A replay that a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The name of the file.
    pub file: String,
    /// The time of the file at which it begins: microseconds since 1970, or a text as in `feed.replay.start`.
    pub from: Option<String>,
    /// The time of the file at which it ends.
    pub to: Option<String>,
    /// Seconds of the file per second; 0 for as fast as the client reads.
    pub speed: f64,
    /// The newest time of the file that the client may see; `None` for all.
    pub until: Option<Timestamp>,
}

/// A replay that can begin: paused, before its first event.
pub struct OpenedReplay {
    /// The events.
    pub source: ReplaySource,
    /// The symbols of the file.
    pub table: Arc<SymbolTable>,
    /// The state before the first event.
    pub opening: Opening,
}

/// Why a replay cannot begin. Displays as one line, without the path of the folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nobody may have files played.
    #[error("this server plays no files for clients (feed.files_dir)")]
    Off,
    /// The folder has no such file, or no client may name it.
    #[error("no such file")]
    Missing,
    /// All places are taken.
    #[error("as many files are being played as may be (feed.replays_max)")]
    Full,
    /// A time is none, or there is nothing between the two.
    #[error("{0}")]
    Time(&'static str),
    /// The file has a mistake.
    #[error("{0}")]
    Read(String),
    /// The operating system cannot start a thread, or it has panicked.
    #[error("the server cannot start a thread")]
    Thread,
}

/// The place of one replay among `feed.replays_max`, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: SharedMetrics,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.replays.dec();
    }
}

impl ReplayFolder {
    /// Returns the folder of a configuration.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if `feed.files_dir` is set, and no directory that can be read.
    pub fn new(config: &FeedConfig, metrics: SharedMetrics) -> io::Result<Self> {
        let folder = Some(&config.files_dir).filter(|name| !name.is_empty()).map(fs::canonicalize).transpose()?;
        if let Some(folder) = &folder {
            fs::read_dir(folder)?;
        }
        let (places, surveys) = (Arc::new(Semaphore::new(config.replays_max)), Arc::default());
        Ok(Self { folder, config: config.clone(), places, surveys, metrics })
    }

    /// Opens a file for one client, on a thread of its own, with the clocks at `reading`.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be played.
    pub async fn open(&self, wanted: Wanted, reading: Reading) -> Result<OpenedReplay, FolderError> {
        let folder = self.folder.clone().ok_or(FolderError::Off)?;
        if !is_plain(&wanted.file) {
            return Err(FolderError::Missing);
        }
        let place = self.take_place()?;
        let (config, surveys) = (self.config.clone(), self.surveys.clone());
        let (done, opened) = oneshot::channel();
        let work = move || {
            stand_back();
            // If the client has gone meanwhile, the replay is dropped here.
            let _ = done.send(open(&folder, &wanted, config, &surveys, place, reading));
        };
        std::thread::Builder::new().name("replay-open".into()).spawn(work).map_err(|_| FolderError::Thread)?;
        opened.await.map_err(|_| FolderError::Thread)?.inspect(|_| _ = self.metrics.replays_opened.inc())
    }

    fn take_place(&self) -> Result<Place, FolderError> {
        let permit = self.places.clone().try_acquire_owned().map_err(|_| {
            self.metrics.replays_refused.inc();
            FolderError::Full
        })?;
        self.metrics.replays.inc();
        Ok(Place { _permit: permit, metrics: self.metrics.clone() })
    }
}

/// Lets the other threads of the server go first: this one reads a file for one client.
pub(super) fn stand_back() {
    // Every thread may raise its niceness. If the system refuses, the file is read at normal priority.
    if let Err(err) = rustix::process::setpriority_process(None, NICENESS) {
        log::debug!("a thread that reads a file for a client keeps its normal priority: {err}");
    }
}

/// Returns whether a name can be that of a file of the folder that clients may name.
fn is_plain(name: &str) -> bool {
    let is_bad = |c: char| matches!(c, '/' | '\\') || c.is_control();
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && !name.contains(is_bad)
}

/// Returns the path of a file of the folder, which has no links itself.
fn find(folder: &Path, name: &str) -> Result<PathBuf, FolderError> {
    // A link may lead to another name in the folder, by which clients may name the file as well.
    let path = fs::canonicalize(folder.join(name)).map_err(|_| FolderError::Missing)?;
    let is_here = path.parent() == Some(folder);
    let is_named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_plain);
    // To open a pipe would wait for its writer.
    let is_file = fs::metadata(&path).is_ok_and(|about| about.is_file());
    if is_here && is_named && is_file { Ok(path) } else { Err(FolderError::Missing) }
}

fn open(
    folder: &Path,
    wanted: &Wanted,
    mut config: FeedConfig,
    surveys: &Surveys,
    place: Place,
    reading: Reading,
) -> Result<OpenedReplay, FolderError> {
    let path = find(folder, &wanted.file)?;
    // The memory for files that are sorted by symbol is shared by all replays.
    let events_max = (config.replay.events_max / config.replays_max.max(1)).max(1);
    let (start, end) = (String::new(), String::new());
    config.replay = ReplayConfig { start, end, paused: true, is_loop: false, events_max, ..config.replay };
    (config.speed, config.replay.time) = (wanted.speed, ReplayTime::Original);
    let parsed = config.replay.parsed(config.bad_record.into());
    let mut parsed = parsed.map_err(|(key, rule)| FolderError::Read(format!("{key} {rule}")))?;
    parsed.files = vec![path.clone()];
    (parsed.start, parsed.end) = times(wanted, &parsed)?;
    let survey = surveys.of(&path, &parsed).map_err(|err| refusal(&err))?;
    let place = Some(Arc::new(place));
    let parts = PlanParts { parsed, is_loop: false, time: ReplayTime::Original, bars_max: BARS_MAX, place };
    let opened = Plan::of(parts, &survey).and_then(|plan| ReplaySource::of(plan, &config, reading));
    let (source, table, opening) = opened.map_err(|err| refusal(&err))?;
    Ok(OpenedReplay { source, table, opening })
}

/// Returns the times between which the client wants the file, and may have it.
fn times(wanted: &Wanted, parsed: &Parsed) -> Result<(Option<Timestamp>, Option<Timestamp>), FolderError> {
    let rule = "'from' and 'to' must be times of the file: microseconds since 1970, or like 2020-12-15T14:30:00Z";
    let moment = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => parsed.time(text).map(Some).ok_or(FolderError::Time(rule)),
    };
    let (from, to) = (moment(&wanted.from)?, moment(&wanted.to)?);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        return Err(FolderError::Time("'to' must be after 'from'"));
    }
    Ok((from, to.into_iter().chain(wanted.until).min()))
}

fn refusal(err: &ReplayError) -> FolderError {
    match err {
        ReplayError::Empty => FolderError::Time("no event of the file lies between 'from' and 'to'"),
        ReplayError::Read(err) => FolderError::Read(super::tape::without_folder(err)),
        ReplayError::Settings(key, rule) => FolderError::Read(format!("{key} {rule}")),
        ReplayError::Thread(_) => FolderError::Thread,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    /// A folder with a file, beside one that nobody may read.
    fn folders() -> (TempDir, PathBuf) {
        let outer = TempDir::new().unwrap();
        let root = fs::canonicalize(outer.path()).unwrap();
        let folder = root.join("files");
        fs::create_dir_all(folder.join("inner")).unwrap();
        for name in ["secret.csv", "files/good.csv", "files/.hidden.csv", "files/inner/deep.csv"] {
            fs::write(root.join(name), "x").unwrap();
        }
        for (link, target) in [
            ("out.csv", "../secret.csv"),
            ("again.csv", "good.csv"),
            ("unhidden.csv", ".hidden.csv"),
            ("deeper.csv", "inner/deep.csv"),
            ("up", ".."),
            ("nowhere.csv", "missing.csv"),
            ("round.csv", "round.csv"),
        ] {
            std::os::unix::fs::symlink(target, folder.join(link)).unwrap();
        }
        (outer, folder)
    }

    fn found(folder: &Path, name: &str) -> Option<PathBuf> {
        if is_plain(name) { find(folder, name).ok() } else { None }
    }

    #[test]
    fn only_the_files_of_the_folder_can_be_named() {
        let (_outer, folder) = folders();
        for name in ["good.csv", "again.csv"] {
            assert_eq!(found(&folder, name), Some(folder.join("good.csv")), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "missing.csv",
            "../secret.csv",
            "../files/good.csv",
            "./good.csv",
            "/etc/passwd",
            "inner",
            "inner/deep.csv",
            "..\\secret.csv",
            ".hidden.csv",
            "good.csv\0",
            "good.csv\0.txt",
            "good.csv/",
            "good.csv\n",
            "%2e%2e%2fsecret.csv",
            "out.csv",
            "unhidden.csv",
            "deeper.csv",
            "up",
            "nowhere.csv",
            "round.csv",
            &long,
        ] {
            assert_eq!(found(&folder, name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_the_folder(parts in prop::collection::vec(
            prop::sample::select(vec![
                "..", ".", "/", "\\", "good.csv", "secret.csv", "files", "inner", "deep.csv", ".hidden.csv", "out.csv", "up", "\0", "//",
                "%2f", "~", "again.csv", " ",
            ]),
            0..6,
        )) {
            let (_outer, folder) = folders();
            let name = parts.concat();
            if let Some(path) = found(&folder, &name) {
                prop_assert_eq!(&path, &folder.join("good.csv"), "{:?}", name);
            }
        }
    }
}
