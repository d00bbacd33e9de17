//! The section `[auth]` of the configuration: who may use the server.

use serde::Deserialize;

use crate::access::{Delays, JwtConfig};

/// The section `[auth]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether every request for data needs a key.
    pub required: bool,
    /// Whether a server without `required` may listen beyond loopback.
    pub open: bool,
    /// The key file; empty for none.
    pub keys_file: String,
    /// Most sessions whose clients have not shown a key, in the dialects of vendors. 1 to 1,000,000.
    pub pending_max: usize,
    /// How long before its end a session is told that its key expires. Milliseconds, at most 3,600,000.
    pub expiry_notice_ms: u64,
    /// How long after the end of its key a session that can renew it goes on. Milliseconds, at most 3,600,000.
    pub expiry_grace_ms: u64,
    /// Shortest time between two renewals of a session. Milliseconds, at most 3,600,000.
    pub renewal_ms: u64,
    /// How long a WebSocket without a key may take to say who its client is; 0: it needs a key with its request. Milliseconds, at most
    /// 600,000.
    pub first_message_ms: u64,
    /// How long a ticket is good. Milliseconds, 1,000 to 600,000.
    pub ticket_ms: u64,
    /// The file with the secret of tickets, shared by the servers that are to accept them; empty for a random one.
    pub ticket_secret_file: String,
    /// Most used tickets that are remembered until they expire, and most unused ones of clients with tokens. 1 to 10,000,000.
    pub tickets_max: usize,
    /// Id of the key of the visitors of the server's own pages; empty for none.
    pub page_key: String,
    /// How long a ticket of `page_key` is good. Milliseconds, 1,000 to 86,400,000.
    pub page_ticket_ms: u64,
    /// The delays that keys and tokens may have.
    pub delays_ms: Delays,
    /// The file of revoked tokens; empty for none.
    pub revoked_file: String,
    /// Most verified tokens that are remembered; 0 for none. At most 10,000,000.
    pub cache_max: usize,
    /// Tokens (JWT).
    pub jwt: JwtConfig,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            required: false,
            open: false,
            keys_file: String::new(),
            pending_max: 256,
            expiry_notice_ms: 30_000,
            expiry_grace_ms: 25_000,
            renewal_ms: 10_000,
            first_message_ms: 0,
            ticket_ms: 30_000,
            ticket_secret_file: String::new(),
            tickets_max: 100_000,
            page_key: String::new(),
            page_ticket_ms: 600_000,
            delays_ms: Delays::default(),
            revoked_file: String::new(),
            cache_max: 10_000,
            jwt: JwtConfig::default(),
        }
    }
}

impl AuthConfig {
    /// Returns whether credentials are checked at all.
    pub fn is_on(&self) -> bool {
        self.required || !self.keys_file.is_empty() || self.jwt.is_on()
    }

    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// Returns the key that is not, and the rule that it breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { required: true, keys_file, jwt, .. } if keys_file.is_empty() && !jwt.is_on() => Err((
                "auth.keys_file",
                "must be set when auth.required is, or tokens be accepted (auth.jwt): nobody could get in",
            )),
            Self { revoked_file, jwt, .. } if !revoked_file.is_empty() && !jwt.is_on() => {
                Err(("auth.revoked_file", "must not be set without auth.jwt: it revokes tokens"))
            }
            Self { cache_max: 10_000_001.., .. } => Err(("auth.cache_max", "must be at most 10000000")),
            Self { required: true, open: true, .. } => Err(("auth.open", "must be false when auth.required is true")),
            Self { pending_max: 0 | 1_000_001.., .. } => Err(("auth.pending_max", "must be 1 to 1000000")),
            Self { expiry_notice_ms: 3_600_001.., .. } => Err(("auth.expiry_notice_ms", "must be at most 3600000")),
            Self { expiry_grace_ms: 3_600_001.., .. } => Err(("auth.expiry_grace_ms", "must be at most 3600000")),
            Self { renewal_ms: 3_600_001.., .. } => Err(("auth.renewal_ms", "must be at most 3600000")),
            Self { ticket_ms: ..1_000 | 600_001.., .. } => Err(("auth.ticket_ms", "must be 1000 to 600000")),
            Self { tickets_max: 0 | 10_000_001.., .. } => Err(("auth.tickets_max", "must be 1 to 10000000")),
            Self { page_ticket_ms: ..1_000 | 86_400_001.., .. } => {
                Err(("auth.page_ticket_ms", "must be 1000 to 86400000"))
            }
            Self { page_key, keys_file, required, .. }
                if !page_key.is_empty() && (keys_file.is_empty() || !required) =>
            {
                Err(("auth.page_key", "must not be set without auth.required and auth.keys_file, which has the key"))
            }
            Self { first_message_ms: 600_001.., .. } => Err(("auth.first_message_ms", "must be at most 600000")),
            Self { delays_ms, jwt, .. } if !delays_ms.permit(jwt.default.delay_ms) => {
                Err(("auth.jwt.default.delay_ms", "must be 0 or one of auth.delays_ms"))
            }
            _ => self.jwt.validate(),
        }
    }
}

/// The server listens beyond loopback, and everybody could use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "server.host is beyond loopback and everybody could read the market: set auth.required = true with auth.keys_file, or auth.open = true if that is meant"
)]
pub struct OpenToEverybody;
