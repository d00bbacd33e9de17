//! `LogFilter`: which records reach the log. Set at start from `RUST_LOG`, and later by an operator. The audit log is on, whatever the
//! level of the rest, unless the filter names it: `audit=off`.

use std::sync::{LazyLock, PoisonError, RwLock};

use env_filter::{Builder, Filter};
use log::{LevelFilter, Metadata, Record};

use crate::audit::TARGET;

/// The filter without `RUST_LOG`.
pub const DEFAULT_FILTER: &str = "info,actix_server=warn";

/// The filter of the records of the process.
#[derive(Debug)]
pub struct LogFilter(RwLock<(String, Filter)>);

impl LogFilter {
    /// Returns the filter of the process, for there is one log. At first it is [`DEFAULT_FILTER`].
    pub fn of_process() -> &'static Self {
        static FILTER: LazyLock<LogFilter> =
            LazyLock::new(|| LogFilter::parse(DEFAULT_FILTER).expect("the default is a filter"));
        &FILTER
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(RwLock::new((text.to_owned(), parse(text)?))))
    }

    /// Replaces the filter, for this and all other threads.
    ///
    /// # Errors
    ///
    /// Returns the mistake in the text, in one line.
    pub fn set(&self, text: &str) -> Result<(), String> {
        let filter = parse(text)?;
        let mut present = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The macros of `log` ask for this level first, which costs less than a lock. Under the lock, or two operators at once could leave the
        // level of one and the filter of the other.
        log::set_max_level(filter.filter());
        *present = (text.to_owned(), filter);
        Ok(())
    }

    /// Returns the text of the filter.
    pub fn text(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Returns whether the record is to be logged.
    pub(super) fn matches(&self, record: &Record<'_>) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.matches(record)
    }

    /// Returns whether such records are to be logged.
    pub(super) fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.enabled(metadata)
    }
}

fn parse(text: &str) -> Result<Filter, String> {
    let mut builder = Builder::new();
    builder.filter_module(TARGET, LevelFilter::Info);
    builder.try_parse(text).map_err(|err| err.to_string().replace('\n', " "))?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn a_filter_names_levels_of_modules_and_a_bad_one_changes_nothing() {
        let filter = LogFilter::parse("warn,tickcast::hub=debug").unwrap();
        let enabled = |target: &str, level| filter.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(enabled("tickcast::hub::router", Level::Debug) && !enabled("tickcast::app", Level::Info));
        assert!(enabled(TARGET, Level::Info), "it is not named");
        let silent = LogFilter::parse("info,audit=off").unwrap();
        assert!(!silent.enabled(&Metadata::builder().target(TARGET).level(Level::Info).build()));
        for bad in ["tickcast=loud", "a=b=c"] {
            let mistake = parse(bad).expect_err(bad);
            assert!(!mistake.is_empty() && !mistake.contains('\n'), "{mistake}");
        }
        assert_eq!(filter.text(), "warn,tickcast::hub=debug");
    }

    #[test]
    fn the_level_is_that_of_the_filter_at_every_time_so_that_two_operators_at_once_leave_those_of_one() {
        const ORDERS: usize = 300_000;
        let filter = LogFilter::parse(DEFAULT_FILTER).unwrap();
        filter.set("trace").unwrap();
        std::thread::scope(|scope| {
            let orders = scope.spawn(|| {
                for text in ["error,audit=off", "trace"].into_iter().cycle().take(ORDERS) {
                    filter.set(text).unwrap();
                }
            });
            while !orders.is_finished() {
                // No order is carried out meanwhile.
                let present = filter.0.read().unwrap();
                assert_eq!(log::max_level(), present.1.filter(), "{}", present.0);
            }
        });
    }
}
