//! The network by which the requests of an address are counted.

use std::net::{IpAddr, Ipv6Addr};

/// The rest of an address of IPv6 behind its first 64 bits, of which one customer of a provider has at least all.
const REST_BITS: u32 = 64;

/// Returns an address of IPv4, or the first 64 bits of one of IPv6; an IPv4 address within IPv6 (`::ffff:…`) counts as IPv4.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> REST_BITS << REST_BITS).into(),
        address @ IpAddr::V4(_) => address,
    }
}
