//! What the client libraries of vendors rely on, whatever the stream: over TLS as well, no compression although they offer it, pongs
//! under load, and many requests at once.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::raw::{BINARY, Frame, PING, PONG, RawClient, TEXT, frame, handshake};
use crate::secure::Pair;
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// As Python's `websockets` and Node's `ws` offer it.
const OFFER: &str = "permessage-deflate; client_max_window_bits";
const PINGS: u8 = 10;
/// Frames of data that may come before a pong. Clients wait for it for 5 s, and a frame follows 20 ms after the last one.
const FRAMES_MAX: usize = 250;

/// The stream of a vendor.
struct Stream {
    path: &'static str,
    content_type: Option<&'static str>,
    requests: &'static [&'static str],
    /// The first byte of its frames.
    kind: u8,
    /// Bytes that only trades have.
    trade: &'static [u8],
}

const AUTH: &str = r#"{"action":"auth","key":"tickcast","secret":"tickcast"}"#;
const SUBSCRIBE: &str = r#"{"action":"subscribe","trades":["*"],"quotes":["*"]}"#;

const STREAMS: [Stream; 4] = [
    Stream { path: "/v2/iex", content_type: None, requests: &[AUTH, SUBSCRIBE], kind: TEXT, trade: br#""T":"t""# },
    Stream {
        path: "/v2/sip",
        content_type: Some("application/msgpack"),
        requests: &[AUTH, SUBSCRIBE],
        kind: BINARY,
        trade: b"\xa1T\xa1t",
    },
    Stream {
        path: "/stocks",
        content_type: None,
        requests: &[r#"{"action":"auth","params":"tickcast"}"#, r#"{"action":"subscribe","params":"T.*,Q.*"}"#],
        kind: TEXT,
        trade: br#""ev":"T""#,
    },
    Stream {
        path: "/?token=tickcast",
        content_type: None,
        requests: &[r#"{"type":"subscribe","symbol":"AAPL"}"#, r#"{"type":"subscribe","symbol":"MSFT"}"#],
        kind: TEXT,
        trade: br#""type":"trade""#,
    },
];

impl Stream {
    /// Subscribes, reads a trade, and sends pings while more of them come.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&self, mut client: RawClient<S>) {
        self.subscribe(&mut client).await;
        while !self.is_trade(&client.next_frame().await.expect("the connection lives")) {}
        for number in 0..PINGS {
            client.send_frame(PING, &[number, 0xff]).await;
            let mut frames = 0;
            loop {
                let frame = client.next_frame().await.expect("the connection lives");
                if frame.first_byte == PONG {
                    assert_eq!(frame.payload, [number, 0xff], "{}", self.path);
                    break;
                }
                frames += usize::from(self.is_trade(&frame));
                assert!(frames < FRAMES_MAX, "{}: no pong", self.path);
            }
        }
        client.hang_up().await;
    }

    async fn subscribe<S: AsyncRead + AsyncWrite + Unpin>(&self, client: &mut RawClient<S>) {
        let headers = [("Sec-WebSocket-Extensions", Some(OFFER)), ("Content-Type", self.content_type)];
        let request = handshake(&headers).replacen("/ws ", &format!("{} ", self.path), 1);
        let answer = client.request(&request).await;
        assert_eq!(answer.status, 101, "{}: {answer:?}", self.path);
        assert!(!answer.head.contains("sec-websocket-extensions"), "{answer:?}");
        for request in self.requests {
            client.send_frame(TEXT, request.as_bytes()).await;
        }
    }

    /// Returns whether a frame has trades. A compressed one would have a reserved bit in its first byte.
    fn is_trade(&self, frame: &Frame) -> bool {
        assert!([self.kind, PING].contains(&frame.first_byte), "{}: {frame:?}", self.path);
        frame.payload.windows(self.trade.len()).any(|window| window == self.trade)
    }
}

#[actix_web::test]
async fn streams_of_vendors_answer_pings_under_load_and_compress_nothing_with_tls_and_without() {
    let pair = Pair::new("vendors");
    let server = spawn_app(|settings| {
        pair.configure(settings);
        settings.feed.events_per_second = 5_000.0;
    });
    for stream in &STREAMS {
        stream.converse(RawClient::connect(server.address).await).await;
        stream.converse(RawClient::connect_secure(server.tls_address.unwrap(), &pair).await).await;
    }
}

#[actix_web::test]
async fn a_client_that_sends_more_requests_at_once_than_permitted_lives() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.requests_per_second_max = 190);
    for stream in &STREAMS {
        let mut client = RawClient::connect(server.address).await;
        stream.subscribe(&mut client).await;
        let last = stream.requests[stream.requests.len() - 1];
        client.send(&frame(TEXT, last.as_bytes()).repeat(1_000)).await;
        client.send_frame(PING, b"last").await;
        assert_eq!(client.next_of(PONG).await, b"last", "{}: it lives", stream.path);
        client.hang_up().await;
    }
}
