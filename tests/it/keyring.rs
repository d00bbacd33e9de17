//! A key file of a test, and the ways to send its keys.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use awc::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tickcast::access::Digest;
use tickcast::app::Settings;

use crate::http::{Answer, request};
use crate::raw::{self, RawClient};

/// A key with everything.
pub(crate) const WIDE: &str = "wide";
/// A key with two symbols.
pub(crate) const NARROW: &str = "narrow";

/// A key file, removed when dropped.
pub(crate) struct KeyRing {
    pub(crate) path: PathBuf,
}

/// Returns the secret of the key with this id.
pub(crate) fn secret(id: &str) -> String {
    format!("the secret of {id}")
}

/// Returns the entry of a key with these further lines.
pub(crate) fn entry(id: &str, more: &str) -> String {
    format!("[[keys]]\nid = \"{id}\"\nsecret_sha256 = \"{:x}\"\n{more}\n", Digest::of(&secret(id)))
}

/// Returns the entries of [`WIDE`] and [`NARROW`].
pub(crate) fn two_keys() -> [String; 2] {
    [entry(WIDE, "symbols = [\"*\"]\nadmin = true"), entry(NARROW, "symbols = [\"AAPL\", \"MS?T\"]")]
}

impl KeyRing {
    /// Writes a file with these entries.
    pub(crate) fn new(entries: &[String]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tickcast-keys-{}-{number}.toml", std::process::id());
        let ring = Self { path: std::env::temp_dir().join(name) };
        ring.write(entries);
        ring
    }

    /// Replaces the entries.
    pub(crate) fn write(&self, entries: &[String]) {
        std::fs::write(&self.path, entries.concat()).unwrap();
    }

    /// Makes every client of a server need a key of the file.
    pub(crate) fn require(&self, settings: &mut Settings) {
        settings.auth.required = true;
        settings.auth.keys_file = self.path.to_str().unwrap().into();
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Returns the value of `Authorization` for a key.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Returns the value of `Authorization` for the key with this id.
pub(crate) fn header_of(id: &str) -> String {
    basic(id, &secret(id))
}

/// Returns the subprotocol for a key.
pub(crate) fn offer(id: &str, secret: &str) -> String {
    format!("tickcast.basic.{}", URL_SAFE_NO_PAD.encode(format!("{id}:{secret}")))
}

/// Sends `GET` with the key with this id.
pub(crate) async fn get_as(server: SocketAddr, id: &str, path: &str) -> Answer {
    request(server, Method::GET, path, &[("Authorization", &header_of(id))]).await
}

/// Sends a request with these lines of headers, exactly this path, and if `opens` the headers that open a WebSocket. Returns the
/// answer's head.
pub(crate) async fn raw_get(server: SocketAddr, path: &str, headers: &str, opens: bool) -> raw::Answer {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = if opens { upgrade } else { "" };
    let mut client = RawClient::connect(server).await;
    client.request(&format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n{upgrade}{headers}\r\n")).await
}
