//! `Refusal`: why a server that speaks the dialect of a vendor refuses a request. Each dialect has its own code and text for it.
//!
//! The native dialect has error codes instead (`reason.rs`).

/// The reason why a vendor's server refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The message cannot be parsed, or has the wrong shape.
    InvalidSyntax,
    /// The request needs an authenticated session.
    NotAuthenticated,
    /// The credentials are unknown.
    AuthFailed,
    /// The session is authenticated already.
    AlreadyAuthenticated,
    /// The client did not authenticate in time. The session ends.
    AuthTimeout,
    /// The session would have more symbols than its key permits. Nothing is changed.
    SymbolLimit,
    /// The key has as many connections as it may have.
    ConnectionLimit,
    /// The client is too slow. The session ends.
    SlowClient,
    /// The key does not permit this stream.
    NotEntitled,
    /// The stream has no such channel.
    UnsupportedChannel,
    /// There is no such symbol.
    UnknownSymbol,
    /// The server has failed.
    Internal,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::InvalidSyntax,
        Self::NotAuthenticated,
        Self::AuthFailed,
        Self::AlreadyAuthenticated,
        Self::AuthTimeout,
        Self::SymbolLimit,
        Self::ConnectionLimit,
        Self::SlowClient,
        Self::NotEntitled,
        Self::UnsupportedChannel,
        Self::UnknownSymbol,
        Self::Internal,
    ];

    /// Returns the label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidSyntax => "invalid_syntax",
            Self::NotAuthenticated => "not_authenticated",
            Self::AuthFailed => "auth_failed",
            Self::AlreadyAuthenticated => "already_authenticated",
            Self::AuthTimeout => "auth_timeout",
            Self::SymbolLimit => "symbol_limit",
            Self::ConnectionLimit => "connection_limit",
            Self::SlowClient => "slow_client",
            Self::NotEntitled => "not_entitled",
            Self::UnsupportedChannel => "unsupported_channel",
            Self::UnknownSymbol => "unknown_symbol",
            Self::Internal => "internal",
        }
    }
}
