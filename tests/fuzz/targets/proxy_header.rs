//! Headers of the PROXY protocol: read like by a second reader, and not a byte more than the header is read.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tickcast::transport::fuzz::read_proxy_header;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header: 16 bytes and a rest.
const BYTES_MAX: usize = 16 + 2_048;

pub(super) fn run(data: &[u8]) {
    // Nearly no input begins with the signature by chance.
    let signed = [SIGNATURE, data].concat();
    for bytes in [data, &signed] {
        let (read, used) = read_proxy_header(bytes);
        assert!(used <= bytes.len().min(BYTES_MAX));
        match read {
            Ok(client) => {
                let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
                assert_eq!(used, 16 + length);
                assert_eq!((&bytes[..12], bytes[12] >> 4), (SIGNATURE, 2));
                assert_eq!(client, source(bytes));
            }
            Err(kind) => assert!(matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{kind}"),
        }
    }
}

/// Returns the source that a header names (section 2.2 of the specification).
fn source(bytes: &[u8]) -> Option<SocketAddr> {
    if bytes[12] & 0x0F != 1 {
        return None;
    }
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    match bytes[13] >> 4 {
        1 => {
            let address: [u8; 4] = bytes[16..20].try_into().expect("four bytes");
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), port(24)))
        }
        2 => {
            let address: [u8; 16] = bytes[16..32].try_into().expect("sixteen bytes");
            Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), port(48)))
        }
        _ => None,
    }
}
