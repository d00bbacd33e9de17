//! Finnhub: quotes, candles and symbols over HTTP.

pub(in crate::transport) mod rest;
