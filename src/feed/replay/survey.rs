//! `Survey`: the symbols and times of files, for which they are read once before they are played; and the surveys that are kept.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tickcast_tape::survey;

use crate::domain::{Instrument, Symbol, SymbolId, SymbolTable, Timestamp};
use crate::feed::replay::config::Parsed;
use crate::feed::replay::plan::ReplayError;

/// Most surveys that are kept; the one that was used longest ago gives way.
const SURVEYS_MAX: usize = 32;

/// The symbols and times of files.
pub(super) struct Survey {
    pub(super) table: Arc<SymbolTable>,
    pub(super) ids: Arc<HashMap<Symbol, SymbolId>>,
    /// Time of the first event.
    pub(super) first: Timestamp,
    /// Time of the last event.
    pub(super) last: Timestamp,
    /// The files that are sorted by symbol.
    pub(super) by_symbol: HashSet<PathBuf>,
}

impl Survey {
    /// Reads the files once: a mistake is found before anything is played.
    pub(super) fn read(parsed: &Parsed) -> Result<Self, ReplayError> {
        let contents = survey(&parsed.files, &parsed.options)?;
        for warning in &contents.warnings {
            log::warn!("{warning}");
        }
        let complaint = contents.complaint(&parsed.files);
        let (first, last) = contents.range.ok_or_else(|| complaint.map_or(ReplayError::Empty, ReplayError::Read))?;
        // The trades of a bar come during its interval.
        let last = last.plus_micros(contents.bar_spans.last().map_or(0, |span| span - 1));
        let mut symbols = contents.symbols;
        symbols.sort_unstable();
        let instrument =
            |symbol: &Symbol| Instrument { symbol: *symbol, name: symbol.to_string(), sector: String::new() };
        let table = SymbolTable::new(symbols.iter().map(instrument).collect());
        let ids = symbols.iter().filter_map(|symbol| Some((*symbol, table.id(*symbol)?))).collect();
        Ok(Self { table: Arc::new(table), ids: Arc::new(ids), first, last, by_symbol: contents.by_symbol })
    }
}

/// The surveys of files that were read with the same options, until the files change.
#[derive(Default)]
pub(super) struct Surveys(Mutex<VecDeque<Kept>>);

struct Kept {
    file: PathBuf,
    version: Version,
    survey: Arc<Survey>,
}

/// By these a changed file is known: its number, its length, and the time of its last change.
type Version = (u64, u64, Option<SystemTime>);

impl Surveys {
    /// Returns the survey of the one file of these settings: a kept one, or a new one.
    pub(super) fn of(&self, file: &Path, parsed: &Parsed) -> Result<Arc<Survey>, ReplayError> {
        let before = version(file);
        if let Some(survey) = before.and_then(|version| self.find(file, version)) {
            return Ok(survey);
        }
        let survey = Arc::new(Survey::read(parsed)?);
        if let Some(version) = before.filter(|before| version(file) == Some(*before)) {
            self.keep(Kept { file: file.into(), version, survey: survey.clone() });
        }
        Ok(survey)
    }

    fn find(&self, file: &Path, version: Version) -> Option<Arc<Survey>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = all.iter().position(|kept| kept.file == file && kept.version == version)?;
        let kept = all.remove(place)?;
        let survey = kept.survey.clone();
        all.push_back(kept);
        Some(survey)
    }

    fn keep(&self, kept: Kept) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|old| old.file != kept.file);
        if all.len() >= SURVEYS_MAX {
            all.pop_front();
        }
        all.push_back(kept);
    }
}

fn version(file: &Path) -> Option<Version> {
    let about = fs::metadata(file).ok()?;
    Some((about.ino(), about.len(), about.modified().ok()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::feed::replay::ReplayConfig;

    fn write(file: &Path, minutes: usize) {
        let row = |minute| format!("AA,2026-03-03T14:{minute:02}:00Z,10,11,9,10,400\n");
        let rows: String = (0..minutes).map(row).collect();
        fs::write(file, format!("symbol,timestamp,open,high,low,close,volume\n{rows}")).unwrap();
    }

    #[test]
    fn a_file_is_read_once_until_it_changes() {
        let folder = TempDir::new().unwrap();
        let surveys = Surveys::default();
        let survey = |file: &Path| {
            let files = vec![file.to_str().unwrap().to_owned()];
            let config = ReplayConfig { files, interval: "1m".into(), ..ReplayConfig::default() };
            surveys.of(file, &config.parsed(tickcast_tape::BadRecord::Stop).unwrap())
        };
        let file = folder.path().join("a.csv");
        write(&file, 2);
        let first = survey(&file).unwrap();
        assert!(Arc::ptr_eq(&first, &survey(&file).unwrap()));
        write(&file, 3);
        let second = survey(&file).unwrap();
        assert_eq!(second.last.micros() - first.last.micros(), 60_000_000, "the file has changed");
        fs::write(&file, "symbol,timestamp,open,high,low,close,volume\nAA,x,1,1,1,1,1\n").unwrap();
        assert!(survey(&file).is_err());
        write(&file, 3);
        let other = folder.path().join("b.csv");
        for _ in 0..SURVEYS_MAX * 2 {
            fs::rename(&file, &other).unwrap();
            survey(&other).unwrap();
            fs::rename(&other, &file).unwrap();
            survey(&file).unwrap();
        }
        for number in 0..SURVEYS_MAX {
            let file = folder.path().join(format!("{number}.csv"));
            write(&file, 2);
            survey(&file).unwrap();
        }
        assert_eq!(surveys.0.lock().unwrap().len(), SURVEYS_MAX);
    }
}
