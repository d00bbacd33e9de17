//! `Denied`: why a client is refused, and who it is if that is proved.

use crate::access::secret::is_mistyped;
use crate::access::{Credentials, Identity, TokenError};

/// A client that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub why: KeyError,
    /// The name of the key whose secret the client has shown, or of the subject whose token the issuer has signed; empty if nothing is
    /// proved. A name that a client has only claimed is never here.
    pub name: String,
}

impl Denied {
    /// Returns the refusal of a client that has proved who it is.
    pub(super) fn of(key: &Identity, why: KeyError) -> Self {
        Self { why, name: key.name().to_owned() }
    }
}

/// A client of whom nothing is proved.
impl From<KeyError> for Denied {
    fn from(why: KeyError) -> Self {
        Self { why, name: String::new() }
    }
}

impl From<TokenError> for Denied {
    fn from(err: TokenError) -> Self {
        KeyError::from(err).into()
    }
}

/// The reason why a client is refused. In the order in which it is looked for, but for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No such key, and too many wrong credentials came from the address before.
    #[error("too many wrong credentials came from this address")]
    RateLimited {
        /// Time after which the next wrong ones are answered as such, in milliseconds.
        wait_ms: u64,
    },
    /// The client sent none, and needs some.
    #[error("a key is needed")]
    Missing,
    /// The secret was cut or mistyped: its checksum is wrong.
    #[error("the secret was cut or mistyped: its checksum is wrong")]
    Mistyped,
    /// No such key, or a wrong secret.
    #[error("no such key")]
    Unknown,
    /// No ticket of this server, or one of a key or secret that has been removed.
    #[error("no ticket of this server, or its key is no longer valid")]
    Ticket,
    /// The ticket has been used, or has expired.
    #[error("the ticket has been used or has expired")]
    Spent,
    /// So many tickets have been used that no more can be.
    #[error("too many tickets have been used (auth.tickets_max)")]
    TooManyTickets,
    /// The token is none of the issuer's, or may not be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The key or the token has expired.
    #[error("the key or the token has expired")]
    Expired,
    /// The key may not be used from this address (`addresses` of the key).
    #[error("the key may not be used from this address")]
    Address,
    /// The key may not be used by pages of this origin (`origins` of the key).
    #[error("the key may not be used by this page")]
    Origin,
    /// The key may not speak this dialect: by its `dialects`, or because it has not every channel, a highest rate or a
    /// delay.
    #[error("the key may not use this dialect")]
    NotEntitled,
}

impl KeyError {
    /// Returns the value of the label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Missing => "missing",
            Self::Mistyped | Self::Unknown | Self::Ticket => "unknown",
            Self::TooManyTickets => "unavailable",
            Self::Expired | Self::Spent => "expired",
            Self::Token(err) => err.name(),
            Self::Address | Self::Origin | Self::NotEntitled => "forbidden",
        }
    }

    /// Returns whether the credentials are wrong ones, that count against their address. Nobody finds a ticket by trying, and those of a
    /// server that has been restarted are unknown to it.
    pub(super) const fn is_wrong(&self) -> bool {
        match self {
            Self::Unknown | Self::Mistyped => true,
            Self::Token(err) => err.is_forged(),
            _ => false,
        }
    }

    /// Returns whether the key is a right one, but may not be used so.
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::Address | Self::Origin | Self::NotEntitled)
    }
}

/// Returns the reason why credentials are refused that no key has.
pub(super) fn unknown(credentials: Credentials<'_>) -> KeyError {
    if is_mistyped(credentials.secret()) { KeyError::Mistyped } else { KeyError::Unknown }
}
