//! The header of the PROXY protocol, version 2, with which a trusted proxy begins its connection: it names the client.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. The crate `ppp` parses it; this module reads exactly
//! its bytes, because TLS or HTTP follows.

use std::io;
use std::net::SocketAddr;

use ppp::v2::{Addresses, Command, Header};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Signature, version, command, family and length.
const FIXED_BYTES: usize = 16;
/// The longest rest of a header: the addresses, and fields that are ignored. Proxies send a few hundred bytes at most.
const REST_BYTES_MAX: usize = 2_048;

/// Reads a header. Returns the address of the client; `None` if the connection is one of the proxy itself (`LOCAL`), or the client has
/// no address of IP.
///
/// # Errors
///
/// Returns an error if the bytes are no header, if the header is too long, or if the connection ends.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut bytes = vec![0; FIXED_BYTES];
    stream.read_exact(&mut bytes).await?;
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    if !bytes.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        return Err(invalid("no header of the PROXY protocol".into()));
    }
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if rest > REST_BYTES_MAX {
        return Err(invalid(format!("a header with {rest} bytes")));
    }
    bytes.resize(FIXED_BYTES + rest, 0);
    stream.read_exact(&mut bytes[FIXED_BYTES..]).await?;
    let header = Header::try_from(bytes.as_slice()).map_err(|err| invalid(err.to_string()))?;
    Ok(match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(ip)) => Some((ip.source_address, ip.source_port).into()),
        (Command::Proxy, Addresses::IPv6(ip)) => Some((ip.source_address, ip.source_port).into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: [u8; 28] = *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\x01\x10\x92\0\x50";

    /// Reads a header, and returns the bytes behind it.
    fn read_from(bytes: &[u8]) -> (Result<Option<SocketAddr>, io::ErrorKind>, Vec<u8>) {
        let (mut rest, runtime) = (bytes, tokio::runtime::Builder::new_current_thread().build().unwrap());
        let read = runtime.block_on(read(&mut rest)).map_err(|err| err.kind());
        (read, rest.to_vec())
    }

    fn with(changes: &[(usize, u8)], more: &[u8]) -> Vec<u8> {
        let mut bytes = V4.to_vec();
        for (at, byte) in changes {
            bytes[*at] = *byte;
        }
        bytes.extend_from_slice(more);
        bytes
    }

    #[test]
    fn the_source_is_read_and_nothing_behind_the_header() {
        let client = "203.0.113.7:4242".parse().ok();
        assert_eq!(read_from(&with(&[], b"GET / HTTP/1.1")), (Ok(client), b"GET / HTTP/1.1".to_vec()));
        // With a field that is ignored, as load balancers add.
        assert_eq!(read_from(&with(&[(15, 16)], b"\x04\0\x01xGET")), (Ok(client), b"GET".to_vec()));
        let v6 =
            [&V4[..13], b"\x21\0\x24", &[0x20, 1, 0xd, 0xb8], &[0; 11], &[7], &[0; 16], b"\x10\x92\0\x50"].concat();
        assert_eq!(read_from(&v6), (Ok("[2001:db8::7]:4242".parse().ok()), vec![]));
        assert_eq!(read_from(&with(&[(12, 0x20)], b"x")), (Ok(None), b"x".to_vec()), "LOCAL");
        assert_eq!(read_from(&with(&[(13, 0)], b"x")), (Ok(None), b"x".to_vec()), "no address of IP");
    }

    #[test]
    fn bytes_that_are_no_header_are_refused() {
        let invalid = io::ErrorKind::InvalidData;
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 127.0.0.1 4242 80\r\n".to_vec(),
            with(&[(12, 0x11)], b""),
            with(&[(12, 0x22)], b""),
            with(&[(13, 0x41)], b""),
            with(&[(15, 11)], b""),
            with(&[(14, 0xff)], &vec![0; 70_000]),
        ] {
            assert_eq!(read_from(&bytes).0, Err(invalid), "{bytes:?}");
        }
        for length in 0..V4.len() {
            assert_eq!(read_from(&V4[..length]).0, Err(io::ErrorKind::UnexpectedEof), "{length}");
        }
    }

    proptest! {
        /// For any bytes of a proxy, the reader neither panics nor reads more than the longest header.
        #[test]
        fn no_bytes_break_the_reader(tail in prop::collection::vec(any::<u8>(), 0..4_000), keeps_signature in any::<bool>()) {
            let bytes = if keeps_signature { [&V4[..12], &tail].concat() } else { tail };
            let (_, rest) = read_from(&bytes);
            prop_assert!(bytes.len() - rest.len() <= FIXED_BYTES + REST_BYTES_MAX);
        }
    }
}
