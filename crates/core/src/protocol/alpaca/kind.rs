//! The kinds of messages of a server, the values of `T`: the encoder writes them, and the side of a client knows a message by them.

pub(super) const TRADE: &str = "t";
pub(super) const QUOTE: &str = "q";
pub(super) const MINUTE_BAR: &str = "b";
pub(super) const UPDATED_BAR: &str = "u";
pub(super) const DAILY_BAR: &str = "d";
pub(super) const CORRECTION: &str = "c";
pub(super) const CANCEL: &str = "x";
pub(super) const SUCCESS: &str = "success";
pub(super) const ERROR: &str = "error";
pub(super) const SUBSCRIPTION: &str = "subscription";

/// The texts `msg` of [`SUCCESS`].
pub(super) const CONNECTED: &str = "connected";
pub(super) const AUTHENTICATED: &str = "authenticated";
/// The values `a` of [`CANCEL`]: taken back, or published by mistake.
pub(super) const TAKEN_BACK: &str = "C";
pub(super) const BY_MISTAKE: &str = "E";
