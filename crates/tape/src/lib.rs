//! tickcast-tape: files of market data. Readers of CSV, DBN and recordings; their merge in the order of time; bars as trades; writers.
//!
//! Depends on the domain and the protocol of `tickcast-core` only: no sockets, no clock, no thread. docs/TAPE.md describes the formats to
//! users. In the direction of the data: [`open`] finds the [`Reader`] of a file by its content, [`Merge`] joins files in the order of time,
//! [`BarsAsTrades`] makes trades from bars; [`convert`] writes them again.

mod row;
mod counts;
mod options;
mod error;
mod decimal;
mod limits;
mod times;
mod spans;
mod names;
mod input;
mod reader;
mod csv;
mod databento;
mod lines;
mod recorded;
mod open;
mod order;
mod merge;
mod bars;
pub mod write;
mod convert;

pub use bars::BarsAsTrades;
pub use convert::{ConvertError, Report, convert, survey};
pub use counts::{Counts, OpenGap, Skip};
pub use error::{Fault, Place, ReadError};
pub use input::Progress;
pub use merge::Merge;
pub use open::open;
pub use options::{BadRecord, Format, Order, ReadOptions};
pub use reader::{Reader, Recording};
pub use recorded::{RecordingEnd, recording_end};
pub use row::{Amended, Body, Cancel, Correction, InputBar, Row};
pub use spans::bar_micros;
