//! The reasons why a token is refused.

/// Why a token is refused. The text is sent to the client: it names the check, and nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than any may be.
    #[error("the token has more than 8192 bytes")]
    TooLong,
    /// The token does not have three parts of base64url with JSON, or an algorithm that nobody knows.
    #[error("the token is malformed, or has an unknown algorithm")]
    Malformed,
    /// The algorithm is not in `auth.jwt.algorithms`.
    #[error("the algorithm of the token is not permitted")]
    Algorithm,
    /// The header has `crit`: an extension that must be understood (RFC 7515 section 4.1.11).
    #[error("the header of the token demands an extension (crit)")]
    Critical,
    /// The header says that this is another kind of token (RFC 8725 section 3.11).
    #[error("the token is of another type (typ)")]
    Type,
    /// No key of the set has the token's `kid`: it may be a new one of the issuer.
    #[error("no key of the issuer has the kid of the token")]
    UnknownKid,
    /// The key with the token's `kid` is for another algorithm, or no key fits the algorithm of a token without `kid`.
    #[error("no key of the issuer has the kid and the algorithm of the token")]
    UnknownKey,
    /// The signature was not made with the key.
    #[error("the signature of the token is wrong")]
    Signature,
    /// A claim is missing, or has a wrong form.
    #[error("the token lacks a valid claim {0}")]
    Claim(&'static str),
    /// The claims are not an object, or have a name twice, or `tickcast` has a member that is unknown or of a wrong type.
    #[error("the claims of the token are malformed")]
    Claims,
    /// The token is for somebody else.
    #[error("the token is for another audience (aud)")]
    Audience,
    /// The token is by somebody else.
    #[error("the token is of another issuer (iss)")]
    Issuer,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet (nbf, iat)")]
    NotYet,
    /// The token, or all older ones of its subject, were revoked (`auth.revoked_file`).
    #[error("the token was revoked")]
    Revoked,
    /// The keys of the issuer are not known yet, or are being read again for a key with the `kid` of the token.
    #[error("the keys of the issuer are not known yet, try again")]
    Unavailable,
}

impl TokenError {
    /// Returns the value of the label in metrics.
    pub(in crate::access) const fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Unavailable => "unavailable",
            Self::UnknownKid => "unknown_kid",
            _ => "invalid",
        }
    }

    /// Returns whether such tokens count as wrong credentials of their address, because the client may have made them up. Those with an
    /// unknown `kid` do not, although anybody can make them up: nothing is compared for them, so that nobody finds a key by trying, and
    /// honest clients have them while the issuer replaces its keys.
    pub(in crate::access) const fn is_forged(self) -> bool {
        !matches!(self, Self::Revoked | Self::Unavailable | Self::NotYet | Self::UnknownKid)
    }
}
