//! The one table of what can go wrong with a client: error codes, which are answered, and close reasons, which end the
//! session with a code of RFC 6455 section 7.4.1.

use std::fmt;

/// A client's mistake. It is answered with an `error` message (or a problem document over HTTP) and the session lives.
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
    /// An unsubscribe of what was never subscribed.
    NotSubscribed,
    /// More than a limit of the session allows; the `message` names the limit.
    LimitExceeded,
}

impl ErrorCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::BadJson,
        Self::BadRequest,
        Self::UnknownAction,
        Self::UnknownSymbol,
        Self::UnknownChannel,
        Self::NotSubscribed,
        Self::LimitExceeded,
    ];

    /// Returns the code as it stands on the wire and as a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownAction => "unknown_action",
            Self::UnknownSymbol => "unknown_symbol",
            Self::UnknownChannel => "unknown_channel",
            Self::NotSubscribed => "not_subscribed",
            Self::LimitExceeded => "limit_exceeded",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client said goodbye. Its own code is sent back, not this one's.
    ClientClosed,
    /// The server is shutting down.
    Shutdown,
    /// A frame that breaks RFC 6455.
    ProtocolViolation,
    /// A binary message where the dialect has none.
    UnsupportedData,
    /// Text that is not UTF-8.
    InvalidText,
    /// Requests faster than `session.requests_per_second_max` for too long.
    Flood,
    /// Control frames and tiny fragments faster than `session.control_frames_per_second_max` for too long.
    FrameFlood,
    /// Answers that wait take `push.outbox_reply_bytes_max`: the client asks and does not read.
    UnreadReplies,
    /// No sign of life for `session.idle_timeout_ms`, or a message not finished in that time.
    Idle,
    /// A message over `session.message_bytes_max`.
    MessageTooBig,
    /// The client's socket took nothing for `session.stall_timeout_ms`; it gets no close frame, as none would arrive.
    Stalled,
    /// The connection ended without a closing handshake.
    Disconnected,
    /// The outbox was full and the client had asked with `"on_lag":"close"` to be closed then.
    Lagging,
    /// The hub lost its place in the stream and could not recover it.
    HubOverrun,
}

impl CloseReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::ClientClosed,
        Self::Shutdown,
        Self::ProtocolViolation,
        Self::UnsupportedData,
        Self::InvalidText,
        Self::Flood,
        Self::FrameFlood,
        Self::UnreadReplies,
        Self::Idle,
        Self::MessageTooBig,
        Self::Stalled,
        Self::Disconnected,
        Self::Lagging,
        Self::HubOverrun,
    ];

    /// Returns the close code of RFC 6455 section 7.4.1. [`Self::Stalled`] and [`Self::Disconnected`] are never sent.
    pub const fn code(self) -> u16 {
        match self {
            Self::ClientClosed => 1000,
            Self::Shutdown => 1001,
            Self::ProtocolViolation => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidText => 1007,
            Self::Flood | Self::FrameFlood | Self::UnreadReplies | Self::Idle => 1008,
            Self::MessageTooBig => 1009,
            Self::Stalled | Self::Disconnected => 1006,
            Self::Lagging | Self::HubOverrun => 1013,
        }
    }

    /// Returns the text that goes with the code: at most 123 bytes.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ClientClosed => "",
            Self::Shutdown => "server shutting down",
            Self::ProtocolViolation => "broken WebSocket frame",
            Self::UnsupportedData => "binary messages are not part of this protocol",
            Self::InvalidText => "text is not UTF-8",
            Self::Flood => "too many requests a second",
            Self::FrameFlood => "too many control frames a second",
            Self::UnreadReplies => "too many unread answers",
            Self::Idle => "no sign of life",
            Self::MessageTooBig => "message too big",
            Self::Stalled => "stalled",
            Self::Disconnected => "disconnected",
            Self::Lagging => "too slow: the outbox is full",
            Self::HubOverrun => "server overloaded, try again later",
        }
    }

    /// Returns the metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::Shutdown => "shutdown",
            Self::ProtocolViolation => "protocol_violation",
            Self::UnsupportedData => "unsupported_data",
            Self::InvalidText => "invalid_text",
            Self::Flood => "flood",
            Self::FrameFlood => "frame_flood",
            Self::UnreadReplies => "unread_replies",
            Self::Idle => "idle",
            Self::MessageTooBig => "message_too_big",
            Self::Stalled => "stalled",
            Self::Disconnected => "disconnected",
            Self::Lagging => "lagging",
            Self::HubOverrun => "hub_overrun",
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
            assert!((1000..=1013).contains(&reason.code()));
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
