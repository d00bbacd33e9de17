//! Massive (formerly Polygon): market data of stocks over HTTP.

mod aggregates;
mod last;
pub(in crate::transport) mod rest;
mod snapshot;
mod ticks;
mod tickers;
