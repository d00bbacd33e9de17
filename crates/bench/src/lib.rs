//! The measuring tools: `tickcast-load` puts load on one server, `tickcast-compare` compares transports. They share the client with
//! the transports WebSocket, server-sent events and poll (`connection`), the scanner of messages (`scan`), the check of `seq` (`sequence`), the measurement of a
//! process (`process`), and command line and runtime (`command`).

mod command;
mod latency;
mod process;
mod scan;
mod sequence;
mod target;
mod connection;
pub mod load;
pub mod compare;
