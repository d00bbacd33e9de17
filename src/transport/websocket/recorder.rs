//! `Recorder`: receives a copy of the bytes of a session.

/// Receives a copy of the bytes of a session.
pub(in crate::transport) trait Recorder {
    /// Records bytes of the client.
    fn client(&self, bytes: &[u8]);
    /// Records bytes of the server.
    fn server(&self, bytes: &[u8]);
}
