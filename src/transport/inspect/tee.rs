//! Copies the bytes of a session into its capture: those of the client when the session reads them, those of the server when
//! they are encoded.

use std::sync::Arc;

use crate::transport::websocket::Recorder;

use super::capture::{Capture, Sender};

/// The capture as seen by one session; it ends when this is dropped.
pub(super) struct Tap(pub(super) Arc<Capture>);

impl Recorder for Tap {
    fn client(&self, bytes: &[u8]) {
        self.0.bytes(Sender::Client, bytes);
    }

    fn server(&self, bytes: &[u8]) {
        self.0.bytes(Sender::Server, bytes);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.0.end();
    }
}
