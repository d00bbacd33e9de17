//! The integration tests: one crate that starts the real server and talks to it over real sockets.
//!
//! `spawn` starts it inside the test, `command` starts the binary; `client`, `event_stream`, `faulty_client`, `raw` and `http` talk to
//! it, `secure` over TLS; `view` is the state of the market that a client derives from its messages. Every other module
//! tests one behaviour of the server. No test sleeps: a test waits for a condition, for at most [`patience::PATIENCE`].

#![allow(clippy::unwrap_used, reason = "this is all test code, and a test fails by panicking")]

mod alpaca_client;
mod client;
mod command;
mod event_stream;
mod faulty_client;
mod faked_clock;
mod http;
mod patience;
mod pause;
mod proxy;
mod raw;
mod secure;
mod spawn;
mod view;

mod alpaca_auth;
mod alpaca_bad_input;
mod alpaca_slow;
mod alpaca_stream;
mod attempt;
mod bad_frame;
mod bad_parameter;
mod bad_request;
mod bad_start;
mod bar_channel;
mod bars;
mod browser;
mod burst;
mod capture;
mod clients;
mod coalescing;
mod crowded;
mod cursor_client;
mod cursor_knowledge;
mod cursor_overlap;
mod cursor_requests;
mod cursor_schedule;
mod cursor_world;
mod descriptors;
mod determinism;
mod faults_connection;
mod faults_data;
mod faults_entrance;
mod faults_rest;
mod faults_stream;
mod faults_timing;
mod fragment;
mod half_closed;
mod handshake;
mod heartbeat;
mod hole;
mod lenient;
mod line_dialect;
mod limits;
mod midnight;
mod memory;
mod log;
mod metrics;
mod modes;
mod old_cursor;
mod origin;
mod page;
mod past;
mod poll;
mod poll_cursor;
mod poll_wait;
mod rest;
mod sdk_alpaca;
mod session_end;
mod shutdown;
mod slow_client;
mod speed;
mod sse;
mod start;
mod stalled_socket;
mod storm;
mod stream;
mod subscribe;
mod takeover;
mod tls;
mod tls_traffic;
mod traffic;
mod transports;
mod unfinished;
mod unsubscribe;
mod work;
mod wall_clock;
mod watchdog;
