//! The four transports as a client sees them: what they are called, and what is asked.

use std::time::Duration;

/// How a client gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `/ws`.
    WebSocket,
    /// `/api/v1/stream`.
    EventStream,
    /// `/api/v1/poll`, asked again as soon as it is answered.
    LongPoll,
    /// `/api/v1/poll?wait_ms=0`, asked once in each interval.
    ShortPoll(Duration),
}

impl Transport {
    /// Returns the name for tables and pictures.
    pub(crate) fn label(self) -> String {
        match self {
            Self::WebSocket => "WebSocket".into(),
            Self::EventStream => "SSE".into(),
            Self::LongPoll => "long poll".into(),
            Self::ShortPoll(interval) => format!("short poll {} ms", interval.as_millis()),
        }
    }

    /// Returns whether each answer has to be asked for.
    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Self::LongPoll | Self::ShortPoll(_))
    }

    /// Returns the request for events of these symbols (with commas between) after the cursor; that of a WebSocket is its
    /// handshake, which knows no symbols.
    pub(crate) fn request(self, authority: &str, symbols: &str, cursor: &str) -> String {
        let (path, accept) = match self {
            Self::WebSocket => ("/ws".to_owned(), ""),
            Self::EventStream => (format!("/api/v1/stream?symbols={symbols}&channels=trades"), "text/event-stream"),
            Self::LongPoll | Self::ShortPoll(_) => {
                let wait = if self == Self::LongPoll { "" } else { "&wait_ms=0" };
                let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
                (format!("/api/v1/poll?symbols={symbols}&channels=trades{wait}{after}"), "application/json")
            }
        };
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: {accept}\r\n\r\n")
    }
}

/// Returns the names of the headers of a request.
pub(crate) fn header_names(request: &str) -> Vec<&str> {
    request.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect()
}

/// Returns what a WebSocket client says to subscribe to these symbols (with commas between).
pub(crate) fn subscribe(symbols: &str) -> String {
    let names = symbols.replace(',', r#"",""#);
    format!(r#"{{"action":"subscribe","id":1,"symbols":["{names}"],"channels":["trades"]}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_goes_on_after_its_cursor() {
        let first = Transport::LongPoll.request("h:1", "A,B", "");
        assert!(first.starts_with("GET /api/v1/poll?symbols=A,B&channels=trades HTTP/1.1\r\nHost: h:1\r\n"), "{first}");
        let next = Transport::ShortPoll(Duration::from_secs(1)).request("h:1", "A", "e:5");
        assert!(next.contains("&wait_ms=0&after=e:5 HTTP/1.1\r\n") && next.ends_with("\r\n\r\n"), "{next}");
    }

    #[test]
    fn the_headers_of_a_request_are_named() {
        assert_eq!(header_names(&Transport::LongPoll.request("h:1", "A", "e:5")), ["Host", "Accept"]);
        assert_eq!(header_names("GET /a:b HTTP/1.1\r\n\r\n").len(), 0);
    }

    #[test]
    fn a_subscription_is_json() {
        let value: serde_json::Value = serde_json::from_str(&subscribe("A,B")).unwrap();
        assert_eq!(value["symbols"], serde_json::json!(["A", "B"]));
    }
}
