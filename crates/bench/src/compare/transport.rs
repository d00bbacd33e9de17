//! The four transports: their names, paths and subscriptions.

use std::time::Duration;

/// How a client gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `/ws`.
    WebSocket,
    /// `/api/v1/stream`.
    EventStream,
    /// `/api/v1/poll`, requested again as soon as it is answered.
    LongPoll,
    /// `/api/v1/poll?wait_ms=0`, requested once per interval.
    ShortPoll(Duration),
}

impl Transport {
    /// Returns the name for tables and plots.
    pub(crate) fn label(self) -> String {
        match self {
            Self::WebSocket => "WebSocket".into(),
            Self::EventStream => "SSE".into(),
            Self::LongPoll => "long poll".into(),
            Self::ShortPoll(interval) => format!("short poll {} ms", interval.as_millis()),
        }
    }

    /// Returns whether it needs a request for each answer.
    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Self::LongPoll | Self::ShortPoll(_))
    }

    /// Returns the time between two requests of a short poll.
    pub(crate) fn interval(self) -> Duration {
        if let Self::ShortPoll(interval) = self { interval } else { Duration::ZERO }
    }

    /// Returns the path for the events of these symbols (separated by commas) after the cursor.
    pub(crate) fn path(self, symbols: &str, cursor: &str) -> String {
        let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
        match self {
            Self::WebSocket => "/ws".into(),
            Self::EventStream => format!("/api/v1/stream?symbols={symbols}&channels=trades"),
            Self::LongPoll => format!("/api/v1/poll?symbols={symbols}&channels=trades{after}"),
            Self::ShortPoll(_) => format!("/api/v1/poll?symbols={symbols}&channels=trades&wait_ms=0{after}"),
        }
    }
}

/// Returns the subscribe message of a WebSocket client for these symbols (separated by commas).
pub(crate) fn subscribe(symbols: &str) -> String {
    let names = symbols.replace(',', r#"",""#);
    format!(r#"{{"action":"subscribe","id":1,"symbols":["{names}"],"channels":["trades"]}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_continues_after_its_cursor() {
        assert_eq!(Transport::LongPoll.path("A,B", ""), "/api/v1/poll?symbols=A,B&channels=trades");
        let next = Transport::ShortPoll(Duration::from_secs(1)).path("A", "e:5");
        assert_eq!(next, "/api/v1/poll?symbols=A&channels=trades&wait_ms=0&after=e:5");
    }

    #[test]
    fn a_subscribe_message_is_json() {
        let value: serde_json::Value = serde_json::from_str(&subscribe("A,B")).unwrap();
        assert_eq!(value["symbols"], serde_json::json!(["A", "B"]));
    }
}
