//! `Networks`: a list of networks in the settings.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

use crate::access::{Network, list};

/// Networks; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Parses the texts: each is an address, or a network such as `192.0.2.0/24`. Returns `None` if one is neither.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Option<Self> {
        texts.iter().map(|text| text.as_ref().parse().ok()).collect::<Option<_>>().map(Self)
    }

    /// Returns the addresses of this machine.
    ///
    /// # Panics
    ///
    /// Never: these are networks.
    pub fn loopback() -> Self {
        Self::parse(&["127.0.0.0/8", "::1"]).expect("these are networks")
    }

    /// Returns whether the address belongs to one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let complaint = || serde::de::Error::custom("must be IP addresses, or networks such as 192.0.2.0/24");
        Self::parse(&list::texts(deserializer)?).ok_or_else(complaint)
    }
}
