//! Decimal numbers, read exactly: those of the core, which the dialects of vendors read too.

pub(crate) use tickcast_core::domain::decimal::{Fixed, divided, parse};
