//! What connections use the network for. Who counts it is `connection`.

/// What connections have used the network for. Bytes are those of the TCP streams, headers and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// TCP connections.
    pub connections: u64,
    /// HTTP requests, those that open a WebSocket among them.
    pub requests: u64,
    /// `read` calls that brought something.
    pub reads: u64,
    /// WebSocket frames to the clients.
    pub frames: u64,
    /// Bytes from the clients.
    pub bytes_up: u64,
    /// Bytes to the clients.
    pub bytes_down: u64,
}

impl Traffic {
    /// Returns what was added since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            connections: self.connections - earlier.connections,
            requests: self.requests - earlier.requests,
            reads: self.reads - earlier.reads,
            frames: self.frames - earlier.frames,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
        }
    }
}
