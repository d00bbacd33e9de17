//! The fuzz targets: each is a function of bytes that panics when the code breaks a promise, see docs/FUZZING.md.
//!
//! `cargo fuzz` runs them for long (`bins/`), and the tests of the server shortly, on a stable toolchain (`short.rs`).

mod alpaca;
mod config;
mod credentials;
mod csv;
mod cursor;
mod dbn;
mod finnhub;
mod forwarded;
mod frames;
mod head;
mod key_file;
mod key_set;
mod keyring;
mod massive;
mod native;
mod parts;
mod proxy_header;
mod publish;
mod query;
mod recording;
mod revoked_file;
mod tape;
mod ticket;
mod token;
mod vendor_query;
mod vendor_stream;

/// A target.
pub struct Target {
    /// The name: of the binary, of the folder of its corpus, and of the file of its words.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// Every target.
        pub const ALL: &[Target] = &[$(Target { name: stringify!($name), run: $name::run }),*];
    };
}

targets! {
    alpaca,
    config,
    credentials,
    csv,
    cursor,
    dbn,
    finnhub,
    forwarded,
    frames,
    head,
    key_file,
    key_set,
    massive,
    native,
    proxy_header,
    publish,
    query,
    recording,
    revoked_file,
    ticket,
    token,
    vendor_query,
    vendor_stream,
}
