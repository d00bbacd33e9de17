//! Entrances of the fuzz targets `key_set` and `revoked_file`.

use crate::access::JwtConfig;
use crate::access::token::jwks;
use crate::access::token::key::Demands;
use crate::access::token::revoked::Revoked;

/// Reads a set of public keys (JWKS). Returns how many of them can verify a token of the default settings.
///
/// # Errors
///
/// Returns the first mistake in it.
pub fn key_set(text: &[u8]) -> Result<usize, String> {
    jwks::parse(text, &Demands::new(&JwtConfig::default())).map(|keys| keys.len())
}

/// Reads the text of a file of revoked tokens. Returns the number of its revocations.
///
/// # Errors
///
/// Returns the first mistake in it.
pub fn revocations(text: &str) -> Result<usize, String> {
    Revoked::parse(text).map(|revoked| revoked.len())
}
