//! The section `[limits]` of the configuration: how much one address may use the server.

use serde::Deserialize;

use crate::access::Networks;

/// The section `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Networks for which the other limits by address do not hold, but for that of wrong credentials.
    pub exempt: Networks,
    /// Sessions of each address at the same time; 0 means any number. At most 1,000,000.
    pub address_connections_max: usize,
    /// Connections of each address without a session, on each worker thread; 0 means any number. At most 1,000,000.
    pub address_sockets_max: usize,
    /// New sessions of each address per second, beyond the burst; 0 means any number. At most 1,000,000.
    pub address_handshakes_per_second: u32,
    /// New sessions of an address at once, after a quiet time. 1 to 1,000,000.
    pub address_burst: u32,
    /// Work per second for the requests of each address, on average over five seconds, in units of one event read; 0 means any amount. At
    /// most 1,000,000,000.
    pub address_work_per_second_max: u32,
    /// The same for each key without a `work_per_second_max` of its own.
    pub key_work_per_second_max: u32,
    /// Wrong credentials of each address per minute; 0 means any number. At most 1,000,000.
    pub address_failures_per_minute: u32,
    /// Most addresses that are counted; further ones are counted together. 1 to 10,000,000.
    pub addresses_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            exempt: Networks::loopback(),
            address_connections_max: 200,
            address_sockets_max: 128,
            address_handshakes_per_second: 20,
            address_burst: 40,
            address_work_per_second_max: 1_000_000,
            key_work_per_second_max: 1_000_000,
            address_failures_per_minute: 30,
            addresses_max: 100_000,
        }
    }
}

impl LimitsConfig {
    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// Returns the key that is not, and the rule that it breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { address_connections_max: 1_000_001.., .. } => {
                Err(("limits.address_connections_max", "must be at most 1000000"))
            }
            Self { address_sockets_max: 1_000_001.., .. } => {
                Err(("limits.address_sockets_max", "must be at most 1000000"))
            }
            Self { address_handshakes_per_second: 1_000_001.., .. } => {
                Err(("limits.address_handshakes_per_second", "must be at most 1000000"))
            }
            Self { address_burst: 0 | 1_000_001.., .. } => Err(("limits.address_burst", "must be 1 to 1000000")),
            Self { address_work_per_second_max: 1_000_000_001.., .. } => {
                Err(("limits.address_work_per_second_max", "must be at most 1000000000"))
            }
            Self { key_work_per_second_max: 1_000_000_001.., .. } => {
                Err(("limits.key_work_per_second_max", "must be at most 1000000000"))
            }
            Self { address_failures_per_minute: 1_000_001.., .. } => {
                Err(("limits.address_failures_per_minute", "must be at most 1000000"))
            }
            Self { addresses_max: 0 | 10_000_001.., .. } => Err(("limits.addresses_max", "must be 1 to 10000000")),
            _ => Ok(()),
        }
    }
}
