//! Clients of market-data vendors: their own client libraries connect to this server, which answers as the vendor would.
//!
//! The dialects are in `protocol`, the keys in `access`. Here are the streams and the addresses of each vendor.

pub(super) mod alpaca;
mod credentials;
