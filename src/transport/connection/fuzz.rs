//! Entrances of the fuzz targets `head` and `proxy_header`.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::transport::connection::{head, proxied};

/// The bytes of a connection after the check of its request heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The bytes that the parser of HTTP gets.
    pub passed: Vec<u8>,
    /// The bytes that wait for a WebSocket session, or for the rest of a head.
    pub held: Vec<u8>,
    /// The error that ends the connection.
    pub error: Option<&'static str>,
}

/// Passes the bytes of a connection that arrive in these pieces. A response to a request counts as in progress from then on.
pub fn pass_heads(pieces: &[&[u8]], bytes_max: usize) -> Heads {
    let mut gate = head::Heads::new(bytes_max);
    let mut passed = Vec::new();
    for piece in pieces {
        let (mut piece, is_responding) = (piece.to_vec(), !passed.is_empty());
        match gate.take(&mut piece, is_responding) {
            Ok(at_once) => passed.extend_from_slice(&piece[..at_once]),
            Err(error) => return Heads { passed, held: Vec::new(), error: Some(name(error)) },
        }
        let mut room = [0; 64];
        loop {
            let len = gate.give(&mut room);
            passed.extend_from_slice(&room[..len]);
            if len == 0 {
                break;
            }
        }
    }
    Heads { passed, held: gate.take_frames().to_vec(), error: None }
}

const fn name(error: head::HeadError) -> &'static str {
    match error {
        head::HeadError::TooLong => "too long",
        head::HeadError::TooManyHeaders => "too many headers",
        head::HeadError::Malformed => "malformed",
    }
}

/// Reads a header of the PROXY protocol. Returns the address in it, and the number of bytes that were read.
pub fn read_proxy_header(bytes: &[u8]) -> (Result<Option<SocketAddr>, io::ErrorKind>, usize) {
    let mut rest = bytes;
    let read = {
        let mut read = pin!(proxied::read(&mut rest));
        match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read.map_err(|err| err.kind()),
            // Bytes in memory are always ready.
            Poll::Pending => Err(io::ErrorKind::WouldBlock),
        }
    };
    (read, bytes.len() - rest.len())
}
