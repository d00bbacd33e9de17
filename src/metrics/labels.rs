//! The values of labels that are not those of an enum of the protocol.

/// Codes of errors over HTTP, beside those of [`ErrorCode`](crate::protocol::ErrorCode).
pub const HTTP_ERRORS: [&str; 16] = [
    "not_found",
    "method_not_allowed",
    "upgrade_required",
    "forbidden_origin",
    "unavailable",
    "request_timeout",
    "head_too_long",
    "tls_required",
    "token_expired",
    "token_invalid",
    "forbidden",
    "connection_limit",
    "unknown_host",
    "conflict",
    "too_large",
    "other_request",
];

/// Results of the check of a client's credentials.
pub const AUTH_RESULTS: [&str; 10] = [
    "accepted",
    "rate_limited",
    "missing",
    "unknown",
    "expired",
    "forbidden",
    "invalid",
    "revoked",
    "unavailable",
    "unknown_kid",
];

/// The ways by which clients say who they are: a key, a token (JWT), a ticket, or none.
pub const AUTH_WAYS: [&str; 4] = ["key", "token", "ticket", "none"];

/// The limits whose refusals are counted.
pub const LIMITS: [&str; 7] = [
    "pending",
    "address_connections",
    "address_sockets",
    "address_handshakes",
    "address_work",
    "key_work",
    "addresses",
];

/// Results of requests `auth`, by which a client says who it is or renews that.
pub const RENEWAL_RESULTS: [&str; 4] = ["accepted", "refused", "other_name", "too_soon"];

/// The fates of tickets.
pub const TICKET_RESULTS: [&str; 6] = ["issued", "accepted", "unknown", "spent", "ended", "full"];

/// Reasons why events of a publisher are refused.
pub const PUBLISH_REFUSALS: [&str; 5] = ["bad_event", "too_large", "busy", "other_request", "other_source"];

/// Reasons why records of the files of a replay became no event. `cut` counts files that end within a record, `lost` the events that a
/// recording says were lost before they were recorded.
pub const REPLAY_SKIPS: [&str; 8] =
    ["bad", "one_sided", "correction", "no_volume", "other", "not_asked", "cut", "lost"];

/// The kinds of faults on request.
pub const FAULT_KINDS: [&str; 17] = [
    "mute",
    "stall",
    "drop",
    "close",
    "half_open",
    "refuse",
    "auth_error",
    "slow",
    "delay",
    "jitter",
    "gap",
    "duplicate",
    "reorder",
    "garbage",
    "bad_price",
    "time_skew",
    "burst",
];
