//! What the measuring tools have in common: one client with the transports WebSocket, server-sent events and poll, a scanner
//! of what it receives, a view of a process, and the frame of a program.
//!
//! Each file knows only those before it in this list. What is done with the messages is the tools' own business:
//! `tickcast-load` and `tickcast-compare` below `bin/`.

pub mod command;
pub mod process;
pub mod scan;
pub mod target;
pub mod frame;
pub mod http;
pub mod event_stream;
pub mod traffic;
pub mod connection;
