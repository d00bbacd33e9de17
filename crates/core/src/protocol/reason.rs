//! Two tables. Error codes: a client's request is refused and its session goes on. Close reasons: the session ends with a
//! close code (RFC 6455 section 7.4), and the client learns from the code whether and how to reconnect.
//!
//! To add a close reason:
//!
//! 1. Add the variant, its place in [`CloseReason::ALL`] and an arm to each `match` here. The code is one of 4000 to 4499 if the
//!    client may reconnect, else one of 4500 to 4999; 4403 is the exception.
//! 2. Add the row to the table in docs/PROTOCOL.md, "The end of a session" (`tests/tidy.rs` compares it with this file), and the
//!    code with its advice to `static/js/reconnect.js` (`static/test/reconnect.test.js` compares it with the table), its phrase to
//!    `static/js/korean/`; the same to `clients/js/closing.js` and `clients/python/tickcast/_closing.py`. If server-sent events can
//!    end for the reason, add it to the list in "Server-sent events".
//! 3. Return the reason as the error of a handler or of `Liveness::check`; a hub calls `Router::end`.
//! 4. Decide the special cases. `Liveness::reset_if_jammed` resets a socket that does not take the close frame, unless the reason
//!    is in its list, which docs/PROTOCOL.md repeats. `WebSocketSession::begin_close` drops queued controls before the close frame
//!    of `UnreadReplies`. `WebSocketSession::check` sends no close frame for `Stalled`, `WebSocketSession::close` none for
//!    `AuthFailed`. `FrameReader` reads no further frames after `FrameFlood`.
//!
//! To add an error code: the variant, [`ErrorCode::ALL`], [`ErrorCode::name`], and the row in docs/PROTOCOL.md, "Messages". A code
//! of HTTP alone: `HTTP_ERRORS` of the metrics (`labels.rs`), a constructor of `Problem`, and the list in docs/PROTOCOL.md, "REST".

use std::fmt;

/// A client's mistake. The server answers with an `error` message (a problem document over HTTP) and keeps the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The text is not JSON.
    BadJson,
    /// JSON of the wrong shape: a missing, unknown or ill-typed key.
    BadRequest,
    /// An `action` that does not exist.
    UnknownAction,
    /// A symbol that does not exist.
    UnknownSymbol,
    /// A channel that does not exist.
    UnknownChannel,
    /// An unsubscribe from a symbol or channel that is not subscribed.
    NotSubscribed,
    /// More than a limit of the session allows; the `message` names the limit.
    LimitExceeded,
    /// The client's requests have cost too much; it may ask again later.
    RateLimited,
    /// A channel that the client's key does not include.
    ForbiddenChannel,
    /// Mode `all`, for a client whose key has a highest rate.
    ForbiddenMode,
    /// A token that is not accepted, or a request before the first one that is.
    Unauthorized,
}

impl ErrorCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::BadJson,
        Self::BadRequest,
        Self::UnknownAction,
        Self::UnknownSymbol,
        Self::UnknownChannel,
        Self::NotSubscribed,
        Self::LimitExceeded,
        Self::RateLimited,
        Self::ForbiddenChannel,
        Self::ForbiddenMode,
        Self::Unauthorized,
    ];

    /// Returns the value of `code` in the message, which is also the label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownAction => "unknown_action",
            Self::UnknownSymbol => "unknown_symbol",
            Self::UnknownChannel => "unknown_channel",
            Self::NotSubscribed => "not_subscribed",
            Self::LimitExceeded => "limit_exceeded",
            Self::RateLimited => "rate_limited",
            Self::ForbiddenChannel => "forbidden_channel",
            Self::ForbiddenMode => "forbidden_mode",
            Self::Unauthorized => "unauthorized",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client sent a close frame. The server echoes the client's code instead of [`CloseReason::code`].
    ClientClosed,
    /// The server is shutting down.
    Shutdown,
    /// A frame that breaks RFC 6455.
    ProtocolViolation,
    /// A binary message, although the dialect has only text.
    UnsupportedData,
    /// A text message that is not UTF-8.
    InvalidText,
    /// A message over `session.message_bytes_max`.
    MessageTooBig,
    /// The hub missed events that the history no longer has, so that its sessions have a hole.
    HubOverrun,
    /// Requests over `session.requests_per_second_max`, averaged over five seconds.
    Flood,
    /// Control frames and tiny fragments over `session.control_frames_per_second_max`, averaged over five seconds.
    FrameFlood,
    /// Unread answers over `push.outbox_reply_bytes_max`: the client sends requests but does not read the answers. Or unread data
    /// of all clients over `push.waiting_bytes_max`, and this session had the most.
    UnreadReplies,
    /// No frame from the client for `session.idle_timeout_ms`, or a message that was not complete in that time.
    Idle,
    /// A slow client: the outbox was full and the client had asked for `"on_lag":"close"`; or the topics of a lag exceeded
    /// `push.outbox_reply_bytes_max`; or the ring evicted events of a recovery before the client had read them.
    Lagging,
    /// The operator has changed what the client's key permits; a new connection has the new rights.
    KeyChanged,
    /// An operator has ended the session (`/admin`). The client may come back.
    EndedByOperator,
    /// The market goes on from another time: a replay was sought.
    MarketMoved,
    /// A replay for one client has reached its end, and the client has been sent all of it.
    ReplayEnded,
    /// The client's key has expired.
    TokenExpired,
    /// The operator has removed the client's key or its secret.
    KeyRevoked,
    /// The client did not say in time who it is (`auth.first_message_ms`; in the dialects of vendors `session.auth_timeout_ms`).
    AuthTimeout,
    /// A newer connection of the same key took the place of this one.
    Replaced,
    /// The key has as many connections as it may have, and the newest gives way.
    ConnectionLimit,
    /// The file of a replay for one client cannot be read on.
    ReplayFailed,
    /// A vendor's server hangs up after wrong credentials, without a close frame.
    AuthFailed,
    /// The client's socket accepted fewer than `session.stall_bytes_min` bytes in `session.stall_timeout_ms`. No close frame is
    /// sent, because none would arrive.
    Stalled,
    /// The connection ended without a closing handshake.
    Disconnected,
}

/// The reaction to the end of a session that the server asks of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Do not reconnect: the same client would be closed again, or would take the place of the connection that replaced it.
    Never,
    /// Reconnect with the cursor, which still points into this run of the server, after `delay_ms` or more.
    Resume {
        /// The least delay before the first attempt, in milliseconds.
        delay_ms: u64,
    },
    /// Reconnect without the cursor, after the `retry_after_ms` of the `goodbye`: the next run of the server has another epoch.
    Restart,
}

impl CloseReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 25] = [
        Self::ClientClosed,
        Self::ReplayEnded,
        Self::Shutdown,
        Self::ProtocolViolation,
        Self::UnsupportedData,
        Self::InvalidText,
        Self::MessageTooBig,
        Self::HubOverrun,
        Self::Flood,
        Self::FrameFlood,
        Self::UnreadReplies,
        Self::Idle,
        Self::Lagging,
        Self::KeyChanged,
        Self::EndedByOperator,
        Self::MarketMoved,
        Self::TokenExpired,
        Self::KeyRevoked,
        Self::AuthTimeout,
        Self::Replaced,
        Self::ConnectionLimit,
        Self::ReplayFailed,
        Self::AuthFailed,
        Self::Stalled,
        Self::Disconnected,
    ];

    /// Returns the close code: a registered one where its meaning is exactly the reason, else one of 4000 to 4999, the range
    /// for private use (RFC 6455 section 7.4.2). 1006 is never sent; client libraries report it when no close frame came.
    pub const fn code(self) -> u16 {
        match self {
            Self::ClientClosed | Self::ReplayEnded => 1000,
            Self::Shutdown => 1001,
            Self::ProtocolViolation => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidText => 1007,
            Self::MessageTooBig => 1009,
            Self::HubOverrun => 1013,
            Self::Flood => 4000,
            Self::FrameFlood => 4001,
            Self::UnreadReplies => 4002,
            Self::Idle => 4003,
            Self::Lagging => 4004,
            Self::KeyChanged => 4005,
            Self::EndedByOperator => 4006,
            Self::MarketMoved => 4007,
            Self::TokenExpired => 4401,
            Self::KeyRevoked => 4403,
            Self::AuthTimeout => 4408,
            Self::Replaced => 4501,
            Self::ConnectionLimit => 4502,
            Self::ReplayFailed => 4503,
            Self::AuthFailed | Self::Stalled | Self::Disconnected => 1006,
        }
    }

    /// Returns what the client should do next.
    pub const fn reconnect(self) -> Reconnect {
        match self {
            // A client that comes back after the end of a replay begins another one.
            Self::ClientClosed | Self::ReplayEnded => Reconnect::Resume { delay_ms: 0 },
            Self::Shutdown => Reconnect::Restart,
            Self::ProtocolViolation
            | Self::UnsupportedData
            | Self::InvalidText
            | Self::MessageTooBig
            | Self::KeyRevoked
            | Self::Replaced
            | Self::ConnectionLimit
            | Self::ReplayFailed => Reconnect::Never,
            // The budgets of requests and frames are averaged over five seconds. An operator has ended a session for a reason.
            Self::Flood | Self::FrameFlood | Self::EndedByOperator => Reconnect::Resume { delay_ms: 5_000 },
            Self::HubOverrun
            | Self::UnreadReplies
            | Self::Idle
            | Self::Lagging
            | Self::KeyChanged
            | Self::MarketMoved
            | Self::TokenExpired
            | Self::AuthTimeout
            | Self::AuthFailed
            | Self::Stalled
            | Self::Disconnected => Reconnect::Resume { delay_ms: 500 },
        }
    }

    /// Returns the reason in the close frame: at most 123 bytes (RFC 6455 section 5.5).
    pub const fn text(self) -> &'static str {
        match self {
            Self::ClientClosed => "",
            Self::Shutdown => "server shutting down",
            Self::ProtocolViolation => "broken WebSocket frame",
            Self::UnsupportedData => "binary messages are not part of this protocol",
            Self::InvalidText => "text is not UTF-8",
            Self::MessageTooBig => "message too big",
            Self::HubOverrun => "server overloaded, try again later",
            Self::Flood => "too many requests a second",
            Self::FrameFlood => "too many control frames a second",
            Self::UnreadReplies => "too many unread answers",
            Self::Idle => "no sign of life",
            Self::Lagging => "too slow to read the stream",
            Self::KeyChanged => "the rights of the key have changed",
            Self::EndedByOperator => "ended by an operator",
            Self::ReplayEnded => "the replay has ended",
            Self::MarketMoved => "the market goes on from another time",
            Self::TokenExpired => "the key has expired",
            Self::KeyRevoked => "the key is no longer valid",
            Self::AuthTimeout => "not authenticated in time",
            Self::Replaced => "replaced by a newer connection of the same key",
            Self::ConnectionLimit => "the key has too many connections",
            Self::ReplayFailed => "the file of the replay cannot be read on",
            Self::AuthFailed => "wrong credentials",
            Self::Stalled => "stalled",
            Self::Disconnected => "disconnected",
        }
    }

    /// Returns the name: the metric label, and the `reason` of a `goodbye`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::Shutdown => "shutdown",
            Self::ProtocolViolation => "protocol_violation",
            Self::UnsupportedData => "unsupported_data",
            Self::InvalidText => "invalid_text",
            Self::MessageTooBig => "message_too_big",
            Self::HubOverrun => "hub_overrun",
            Self::Flood => "flood",
            Self::FrameFlood => "frame_flood",
            Self::UnreadReplies => "unread_replies",
            Self::Idle => "idle",
            Self::Lagging => "lagging",
            Self::KeyChanged => "key_changed",
            Self::EndedByOperator => "ended_by_operator",
            Self::ReplayEnded => "replay_ended",
            Self::MarketMoved => "market_moved",
            Self::TokenExpired => "token_expired",
            Self::KeyRevoked => "key_revoked",
            Self::AuthTimeout => "auth_timeout",
            Self::Replaced => "replaced",
            Self::ConnectionLimit => "connection_limit",
            Self::ReplayFailed => "replay_failed",
            Self::AuthFailed => "auth_failed",
            Self::Stalled => "stalled",
            Self::Disconnected => "disconnected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_reason_fits_into_a_close_frame() {
        for reason in CloseReason::ALL {
            assert!(reason.text().len() <= 123, "{reason:?}: RFC 6455 section 5.5");
        }
    }

    #[test]
    fn every_code_that_is_sent_stands_for_one_reason() {
        // The close of a client is answered with its own code.
        let sent = CloseReason::ALL.iter().filter(|reason| **reason != CloseReason::ClientClosed);
        let mut codes: Vec<_> = sent.map(|reason| reason.code()).filter(|code| *code != 1006).collect();
        codes.sort_unstable();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }

    #[test]
    fn a_client_may_reconnect_after_every_private_code_below_4500_but_that_of_a_removed_key() {
        for reason in CloseReason::ALL.iter().filter(|reason| reason.code() >= 4000) {
            // 4403 is what others send for it. A client that does not know the code tries again, and is refused with 401.
            let is_final = reason.code() >= 4500 || *reason == CloseReason::KeyRevoked;
            assert_eq!(is_final, reason.reconnect() == Reconnect::Never, "{reason:?}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = CloseReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), CloseReason::ALL.len());
        let names: std::collections::HashSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
