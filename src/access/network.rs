//! `Network`: the addresses from which a key may be used, as an address with a prefix length; and the number by which addresses
//! of strangers are counted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::rate::network_of;

/// A range of addresses, `192.0.2.0/24`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    prefix: u8,
    is_v6: bool,
}

impl Network {
    /// Returns whether the address is in the range. An IPv4 address within IPv6 (`::ffff:…`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, len, is_v6) = parts(address);
        is_v6 == self.is_v6 && masked(bits, self.prefix, len) == self.bits
    }
}

impl FromStr for Network {
    type Err = ();

    /// Reads an address, or an address and a prefix length behind a slash.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(drop)?)),
            None => (text, None),
        };
        let (bits, len, is_v6) = parts(address.parse().map_err(drop)?);
        let prefix = prefix.unwrap_or(len);
        // An address with bits beyond the prefix is a mistake rather than a range.
        let is_good = prefix <= len && masked(bits, prefix, len) == bits;
        is_good.then_some(Self { bits, prefix, is_v6 }).ok_or(())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{}", self.bits, self.prefix)
    }
}

/// Returns the number by which requests of this address are counted: that of its network.
pub(super) fn counted(address: IpAddr) -> u128 {
    parts(network_of(address)).0
}

/// Returns the bits of an address, their number, and whether it is one of IPv6.
fn parts(address: IpAddr) -> (u128, u8, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u32::from(address).into(), 32, false),
        IpAddr::V6(address) => (address.into(), 128, true),
    }
}

fn masked(bits: u128, prefix: u8, len: u8) -> u128 {
    let shift = u32::from(len - prefix);
    bits.checked_shr(shift).and_then(|bits| bits.checked_shl(shift)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_the_addresses_with_its_prefix() {
        for (range, address, is_in) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::/0", "::1", true),
            ("::/0", "127.0.0.1", false),
        ] {
            assert_eq!(
                range.parse::<Network>().unwrap().contains(address.parse().unwrap()),
                is_in,
                "{range} {address}"
            );
        }
        for text in ["", "example.com", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/-1", "fe80::1%eth0"] {
            assert_eq!(text.parse::<Network>(), Err(()), "{text}");
        }
    }

    #[test]
    fn addresses_of_ipv6_are_counted_by_their_first_half() {
        let number = |text: &str| counted(text.parse().unwrap());
        assert_eq!(number("2001:db8::1"), number("2001:db8::ffff:1"));
        assert_ne!(number("2001:db8::1"), number("2001:db8:0:1::1"));
        assert_eq!(number("::ffff:192.0.2.1"), number("192.0.2.1"));
        assert_ne!(number("192.0.2.1"), number("192.0.2.2"));
    }
}
