//! The values of a market: symbols, prices, trades, quotes, bars, and the events that carry them.
//!
//! Pure values that depend on the standard library alone, the calendar of New York, the system clock, and a vector that can be read
//! while it grows. The floor `protocol`
//! formats them, the floor `feed` creates them.

mod bar;
mod channel;
pub mod decimal;
mod event;
mod market_clock;
mod minute;
mod new_york;
mod open_bars;
mod price;
mod size;
mod snapshot;
mod symbol;
mod symbol_table;
mod system_clock;
mod time;
mod topic;

pub use bar::{Bar, BarBuilder, Interval};
pub use channel::{Channel, ChannelSet};
pub use event::{Cancel, CancelKind, ClosedBar, Correction, Day, DayFigures, Event, EventBody, Gap, Quote, Trade};
pub use market_clock::MarketClock;
pub use new_york::{day_start, next_day_start};
pub use open_bars::OpenBars;
pub use price::{Price, PriceError};
pub use size::{Size, SizeError};
pub use snapshot::{BestQuote, DayPrices, Last, Snapshot};
pub use symbol::{Instrument, Symbol, SymbolError, SymbolId};
pub use symbol_table::{SymbolTable, TableFull};
pub use system_clock::SystemClock;
pub use time::{Clock, ManualClock, Reading, Timestamp};
pub use topic::Topic;
