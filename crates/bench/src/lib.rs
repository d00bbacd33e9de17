//! The measuring tools: `tickcast-load` makes load on one server, `tickcast-compare` compares transports. Both have one client of a
//! server, with the transports WebSocket, server-sent events and poll (`connection`), a scanner for its messages (`scan`), a view of a
//! process (`process`), and the frame of a program (`command`).

mod command;
mod process;
mod scan;
mod target;
mod connection;
pub mod load;
pub mod compare;
