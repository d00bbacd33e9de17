//! The section `[admin]` of the configuration: the listener of the operators.

use std::time::Duration;

use serde::Deserialize;

use crate::transport::AllowedHosts;

/// The section `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// The address to listen on: a host name or an IP address.
    pub host: String,
    /// The TCP port; 0 switches the listener off.
    pub port: u16,
    /// Whether the listener speaks HTTPS, with the certificate of `server.tls`.
    pub tls: bool,
    /// Names under which the listener may be addressed, beside `localhost` and every IP address.
    pub hosts: AllowedHosts,
    /// Most sessions in one answer. 1 to 10,000.
    pub sessions_max: usize,
    /// Time between two points of the plots. Milliseconds, 10 to 60,000.
    pub point_ms: u64,
    /// Most points of the plots. 1 to 10,000.
    pub points_max: usize,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 0,
            tls: false,
            hosts: AllowedHosts::default(),
            sessions_max: 1_000,
            point_ms: 10_000,
            points_max: 360,
        }
    }
}

impl AdminConfig {
    /// Returns whether the listener is served.
    pub const fn is_on(&self) -> bool {
        self.port != 0
    }

    /// Returns the time between two points of the plots.
    pub const fn point(&self) -> Duration {
        Duration::from_millis(self.point_ms)
    }

    /// Checks the ranges. `has_certificate`: `server.tls.cert` is set.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self, has_certificate: bool) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { host, .. } if host.is_empty() => Err(("admin.host", "must not be empty")),
            Self { tls: true, .. } if !has_certificate => {
                Err(("admin.tls", "needs the certificate of server.tls.cert"))
            }
            Self { sessions_max: 0 | 10_001.., .. } => Err(("admin.sessions_max", "must be 1 to 10000")),
            Self { point_ms: ..10 | 60_001.., .. } => Err(("admin.point_ms", "must be 10 to 60000")),
            Self { points_max: 0 | 10_001.., .. } => Err(("admin.points_max", "must be 1 to 10000")),
            _ => Ok(()),
        }
    }
}

/// The listener of the operators is beyond loopback, and everybody could use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "admin.host is beyond loopback and nobody would need a key: set auth.keys_file to a file with a key that has admin = true"
)]
pub struct OperatorsUnknown;
