//! The costs of one client over one transport: requests, connections, events, bytes and the server's CPU time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::transport::traffic::cpu::ThreadTime;

/// The transports that are accounted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Transport {
    /// `/ws`.
    WebSocket,
    /// `/api/v1/stream`.
    Sse,
    /// `/api/v1/poll` that waits.
    LongPoll,
    /// `/api/v1/poll` with `wait_ms=0`.
    ShortPoll,
}

impl Transport {
    /// Every transport, in the order of its discriminants.
    pub(super) const ALL: [Self; 4] = [Self::WebSocket, Self::Sse, Self::LongPoll, Self::ShortPoll];
}

/// The costs of one client over one transport. Shared by the connections of all workers; all figures only grow.
#[derive(Debug, Default)]
pub(in crate::transport) struct Account {
    requests: AtomicU64,
    connections: AtomicU64,
    events: AtomicU64,
    up: Direction,
    down: Direction,
    cpu_ns: AtomicU64,
}

#[derive(Debug, Default)]
struct Direction {
    /// Bytes through the socket.
    wire: AtomicU64,
    /// Bytes of HTTP and WebSocket: all of them without TLS.
    plain: AtomicU64,
    payload: AtomicU64,
    framing: AtomicU64,
}

/// Bytes through one socket, and the CPU time for them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    pub(super) wire_up: u64,
    pub(super) wire_down: u64,
    pub(super) plain_up: u64,
    pub(super) plain_down: u64,
    pub(super) cpu_ns: u64,
}

impl Account {
    /// Counts a write that was encoded: its events, `payload` bytes of messages, and `framing` bytes around
    /// them.
    pub(in crate::transport) fn sent(&self, events: u64, payload: usize, framing: usize) {
        self.events.fetch_add(events, Relaxed);
        self.down.payload.fetch_add(payload as u64, Relaxed);
        self.down.framing.fetch_add(framing as u64, Relaxed);
    }

    /// Counts bytes that the client sent after the request: `payload` of messages, and `framing` around them.
    pub(in crate::transport) fn received(&self, payload: usize, framing: usize) {
        self.up.payload.fetch_add(payload as u64, Relaxed);
        self.up.framing.fetch_add(framing as u64, Relaxed);
    }

    /// Counts the CPU time of this thread until the result is dropped, for work outside the connection's own task.
    pub(in crate::transport) fn working(&self) -> Working<'_> {
        Working { account: self, since: ThreadTime::now() }
    }

    pub(super) fn begin_request(&self, opens_connection: bool) {
        self.requests.fetch_add(1, Relaxed);
        self.connections.fetch_add(u64::from(opens_connection), Relaxed);
    }

    pub(super) fn carry(&self, carried: Carried) {
        self.read(carried.wire_up, carried.plain_up);
        self.write(carried.wire_down, carried.plain_down);
        self.work(carried.cpu_ns);
    }

    pub(super) fn read(&self, wire: u64, plain: u64) {
        self.up.wire.fetch_add(wire, Relaxed);
        self.up.plain.fetch_add(plain, Relaxed);
    }

    pub(super) fn write(&self, wire: u64, plain: u64) {
        self.down.wire.fetch_add(wire, Relaxed);
        self.down.plain.fetch_add(plain, Relaxed);
    }

    pub(super) fn work(&self, cpu_ns: u64) {
        self.cpu_ns.fetch_add(cpu_ns, Relaxed);
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            requests: self.requests.load(Relaxed),
            connections: self.connections.load(Relaxed),
            events: self.events.load(Relaxed),
            bytes_up: self.up.bytes(),
            bytes_down: self.down.bytes(),
            cpu_us: self.cpu_ns.load(Relaxed) / 1_000,
        }
    }
}

impl Direction {
    fn bytes(&self) -> Bytes {
        // Load the counters of produced bytes before those of written bytes, so that a concurrent write cannot make the parts
        // exceed the total.
        let [payload, framing] = [&self.payload, &self.framing].map(|bytes| bytes.load(Relaxed));
        let [plain, wire] = [&self.plain, &self.wire].map(|bytes| bytes.load(Relaxed));
        let headers = plain.saturating_sub(payload + framing);
        Bytes { wire, payload, framing, headers, tls: wire.saturating_sub(plain) }
    }
}

/// CPU time that is charged to an account when this is dropped.
#[must_use]
pub(in crate::transport) struct Working<'a> {
    account: &'a Account,
    since: ThreadTime,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.account.work(self.since.elapsed_ns());
    }
}

/// An account as `/api/v1/traffic` shows it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    requests: u64,
    connections: u64,
    events: u64,
    bytes_up: Bytes,
    bytes_down: Bytes,
    cpu_us: u64,
}

/// The parts add up to `wire`.
#[derive(Clone, Copy, Debug, Serialize)]
struct Bytes {
    wire: u64,
    payload: u64,
    framing: u64,
    headers: u64,
    tls: u64,
}
