//! tickcast-core: the values of a market and their form on the wire, for a server, a publisher, a recorder or a client.
//!
//! The first two floors of tickcast (see `docs/ARCHITECTURE.md`). Nothing here opens a socket or needs a runtime.

pub mod domain;
pub mod protocol;
