//! Traffic accounts: the server's figures equal, to the byte, the bytes of the client's own sockets.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::get;
use crate::patience::{PATIENCE, patiently};
use crate::raw::{CLOSE, FRAGMENTS, PING, RawClient, TEXT, frame, handshake};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::is_event;

/// Bytes counted by the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) wire: u64,
    pub(crate) payload: u64,
    pub(crate) framing: u64,
    pub(crate) headers: u64,
    pub(crate) tls: u64,
}

impl Bytes {
    fn of(figures: &Value) -> Self {
        let part = |name: &str| figures[name].as_u64().unwrap();
        let bytes = Self {
            wire: part("wire"),
            payload: part("payload"),
            framing: part("framing"),
            headers: part("headers"),
            tls: part("tls"),
        };
        assert_eq!(bytes.wire, bytes.payload + bytes.framing + bytes.headers + bytes.tls, "{figures}");
        bytes
    }
}

/// Returns the account of this client.
pub(crate) async fn traffic(server: &TestServer, client: &str) -> Value {
    let answer = get(server.address, &format!("/api/v1/traffic?client={client}")).await.json();
    assert_eq!(answer["client"], client);
    answer["transports"].clone()
}

/// Waits until the server has counted these bytes for the client: it counts them after they were sent.
pub(crate) async fn settled(server: &TestServer, client: &str, transport: &str, up: Bytes, down: Bytes) -> Value {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let figures = traffic(server, client).await[transport].clone();
        let now = [&figures["bytes_up"], &figures["bytes_down"]].map(Bytes::of);
        if now == [up, down] {
            return figures;
        }
        assert!(std::time::Instant::now() < deadline, "expected {:?}, still {now:?}", [up, down]);
    }
}

/// Returns the numbers of messages and events in an array of JSON, and the bytes of the messages.
pub(crate) fn contents(array: &str) -> (u64, u64, u64) {
    let messages: Vec<&RawValue> = serde_json::from_str(array).unwrap();
    let events = messages.iter().filter(|message| is_event(&serde_json::from_str(message.get()).unwrap()));
    let bytes: usize = messages.iter().map(|message| message.get().len()).sum();
    (messages.len() as u64, events.count() as u64, bytes as u64)
}

/// Polls on this connection; adds to the client's counts, and returns the number of events and the cursor of the
/// answer.
pub(crate) async fn poll<S>(client: &mut RawClient<S>, query: &str, up: &mut Bytes, down: &mut Bytes) -> (u64, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let before = client.bytes_down;
    let request = format!("GET /api/v1/poll?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.request(&request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = &answer.body;
    let (_, events, payload) = contents(&body[body.find('[').unwrap()..body.len() - 1]);
    let wire = client.bytes_down - before;
    assert_eq!(wire, (answer.head.len() + body.len()) as u64);
    up.wire += request.len() as u64;
    up.headers += request.len() as u64;
    down.wire += wire;
    down.headers += answer.head.len() as u64;
    down.payload += payload;
    down.framing += body.len() as u64 - payload;
    (events, serde_json::from_str::<Value>(body).unwrap()["cursor"].as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn a_websocket_is_accounted_to_the_byte() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect(server.address).await;
    let request = handshake(&[]).replacen("/ws", "/ws?client=desk-1", 1);
    let head = client.request(&request).await.head;
    let (mut up, mut down) = (Bytes::default(), Bytes::default());
    (up.headers, down.headers) = (request.len() as u64, head.len() as u64);
    // One message whole, one in fragments; two frames that are not messages.
    let subscribe = br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#;
    let list = br#"{"action":"list"}"#;
    for (first_byte, payload, is_message) in [
        (TEXT, subscribe.as_slice(), true),
        (FRAGMENTS[0], &list[..5], true),
        (PING, b"hello", false),
        (FRAGMENTS[2], &list[5..], true),
    ] {
        let payload_bytes = if is_message { payload.len() } else { 0 };
        let frame = frame(first_byte, payload);
        client.send(&frame).await;
        up.payload += payload_bytes as u64;
        up.framing += (frame.len() - payload_bytes) as u64;
    }
    let (mut events, mut closing) = (0, false);
    while let Some(frame) = client.next_frame().await {
        // RFC 6455 section 5.2. Frames of more than 64 KiB occur on a busy machine.
        let header = match frame.payload.len() {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        let wire = header + frame.payload.len() as u64;
        if frame.first_byte == TEXT {
            let (_, these, payload) = contents(std::str::from_utf8(&frame.payload).unwrap());
            events += these;
            down.payload += payload;
            down.framing += wire - payload;
        } else {
            down.framing += wire;
        }
        if events > 500 && !closing {
            closing = true;
            let close = crate::raw::frame(CLOSE, &1000_u16.to_be_bytes());
            client.send(&close).await;
            up.framing += close.len() as u64;
        }
    }
    (up.wire, down.wire) = (client.bytes_up, client.bytes_down);
    let figures = settled(&server, "desk-1", "websocket", up, down).await;
    assert_eq!(figures["events"], events);
    assert_eq!((&figures["requests"], &figures["connections"]), (&json!(1), &json!(1)));
    assert!(figures["cpu_us"].as_u64().unwrap() > 0);
}

#[actix_web::test]
async fn an_open_websocket_is_accounted_while_it_runs() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = RawClient::connect(server.address).await;
    client.request(&handshake(&[]).replacen("/ws", "/ws?client=a", 1)).await;
    client.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"]}"#).await;
    for round in 1..=3 {
        clock.advance_micros(1_000_000);
        let wanted = round * 10;
        let deadline = std::time::Instant::now() + PATIENCE;
        while traffic(&server, "a").await["websocket"]["events"].as_u64().unwrap() < wanted {
            assert!(std::time::Instant::now() < deadline);
        }
    }
    let figures = traffic(&server, "a").await["websocket"].clone();
    assert_eq!(figures["bytes_up"]["payload"], 38);
    // Four bytes of mask, and two before them.
    assert_eq!(figures["bytes_up"]["framing"], 6);
}

#[actix_web::test]
async fn a_stream_of_events_is_accounted_to_the_byte() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.amendments_per_million_trades = 0);
    let mut client = RawClient::connect(server.address).await;
    let query = "symbols=*&channels=trades,quotes,bars.1s&client=desk-1";
    let request = format!("GET /api/v1/stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.request(&request).await.head;
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
    clock.advance_micros(3_000_000);
    let (mut up, mut down) = (Bytes::default(), Bytes::default());
    let (mut events, mut newest) = (0, None);
    while events < 1_000 || newest < Some(server.metrics.events_published.get()) {
        let text = String::from_utf8(client.next_chunk().await).unwrap();
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("events, not heartbeats");
        let (_, these, payload) = contents(data);
        events += these;
        down.payload += payload;
        let messages: Vec<Value> = serde_json::from_str(data).unwrap();
        newest = messages.last().unwrap()["offset"].as_u64();
    }
    (up.headers, up.wire) = (request.len() as u64, request.len() as u64);
    (down.headers, down.wire) = (head.len() as u64, client.bytes_down);
    down.framing = down.wire - down.headers - down.payload;
    let figures = settled(&server, "desk-1", "sse", up, down).await;
    assert_eq!(
        (&figures["requests"], &figures["connections"], &figures["events"]),
        (&json!(1), &json!(1), &json!(events))
    );
    assert!(events > 1_000);
}

#[actix_web::test]
async fn polls_on_one_connection_are_accounted_to_the_byte_among_requests_of_others() {
    let server = spawn_app(|_| {});
    let mut connection = RawClient::connect(server.address).await;
    let [mut short, mut long, mut other] = [(); 3].map(|()| (Bytes::default(), Bytes::default()));
    let (events, cursor) = poll(&mut connection, "symbols=*&wait_ms=0&client=a", &mut short.0, &mut short.1).await;
    assert_eq!(events, 0, "the first answer has snapshots");
    let (mut long_events, mut short_events, mut cursor) = (0, 0, cursor);
    for _ in 0..10 {
        // A request without a client's name.
        poll(&mut connection, "symbols=AAPL", &mut Bytes::default(), &mut Bytes::default()).await;
        assert_eq!(connection.request("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.status, 200);
        let query = format!("symbols=*&channels=trades,quotes&client=a&after={cursor}");
        let (events, next) = poll(&mut connection, &query, &mut long.0, &mut long.1).await;
        assert!(events > 0, "it has waited for something");
        long_events += events;
        let query = format!("symbols=*&channels=trades,quotes&client=a&wait_ms=0&after={next}");
        (short_events, cursor) = {
            let (events, next) = poll(&mut connection, &query, &mut short.0, &mut short.1).await;
            (short_events + events, next)
        };
        poll(&mut connection, "symbols=MSFT&client=b", &mut other.0, &mut other.1).await;
    }
    let long = settled(&server, "a", "long_poll", long.0, long.1).await;
    let short = settled(&server, "a", "short_poll", short.0, short.1).await;
    let other = settled(&server, "b", "long_poll", other.0, other.1).await;
    assert_eq!(
        (&long["events"], &long["requests"], &long["connections"]),
        (&json!(long_events), &json!(10), &json!(0))
    );
    assert_eq!((&short["events"], &short["requests"]), (&json!(short_events), &json!(11)));
    assert_eq!(short["connections"], 1, "the first request has opened it");
    assert_eq!((&other["requests"], &other["connections"]), (&json!(10), &json!(0)));
    for figures in [long, short, other] {
        assert!(figures["cpu_us"].as_u64().unwrap() > 0, "{figures}");
    }
}

#[actix_web::test]
async fn polls_on_separate_connections_are_accounted_to_the_byte() {
    let server = spawn_app(|_| {});
    let (mut up, mut down) = (Bytes::default(), Bytes::default());
    for _ in 0..10 {
        let mut connection = RawClient::connect(server.address).await;
        poll(&mut connection, "symbols=AAPL,MSFT&client=a", &mut up, &mut down).await;
        connection.hang_up().await;
    }
    let figures = settled(&server, "a", "long_poll", up, down).await;
    assert_eq!((&figures["requests"], &figures["connections"]), (&json!(10), &json!(10)));
    assert_eq!(traffic(&server, "a").await["short_poll"]["requests"], 0);
}

#[actix_web::test]
async fn the_cpu_time_of_an_account_is_at_most_that_of_the_process() {
    let process_us = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000).unwrap()
    };
    let before = process_us();
    let server = spawn_app(|_| {});
    let mut connection = RawClient::connect(server.address).await;
    let mut last = 0;
    for _ in 0..200 {
        poll(&mut connection, "symbols=*&client=a", &mut Bytes::default(), &mut Bytes::default()).await;
        let cpu_us = traffic(&server, "a").await["long_poll"]["cpu_us"].as_u64().unwrap();
        assert!(cpu_us >= last);
        last = cpu_us;
    }
    assert!(last > 200, "an answer with thirty snapshots takes more than a microsecond: {last}");
    assert!(last < process_us() - before);
}

/// An account that was used within this time is kept.
const KEPT_MICROS: i64 = 60_000_000;

#[actix_web::test]
async fn one_client_too_many_replaces_an_idle_account_or_is_served_without_one() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.server.traffic_clients_max = 2);
    let open = async |name: &str| {
        let mut client = RawClient::connect(server.address).await;
        let request = handshake(&[]).replacen("/ws", &format!("/ws?client={name}"), 1);
        let answer = client.request(&request).await;
        (client, answer)
    };
    let poll = async |name: &str| get(server.address, &format!("/api/v1/poll?symbols=AAPL&client={name}")).await;
    let known = async |name: &str| get(server.address, &format!("/api/v1/traffic?client={name}")).await.status;

    let (first, answer) = open("first").await;
    assert_eq!(answer.status, 101);
    assert_eq!(poll("idle").await.status, 200);
    clock.advance_micros(KEPT_MICROS - 1);
    assert_eq!((poll("third").await.status, known("third").await, known("idle").await), (200, 404, 200));
    // The read of the account was a use, too.
    clock.advance_micros(KEPT_MICROS - 1);
    assert_eq!((poll("third").await.status, known("third").await), (200, 404));
    clock.advance_micros(1);
    // The server may detect the end of the idle connection after its answer.
    let served = async {
        while known("third").await != 200 {
            assert_eq!(poll("third").await.status, 200);
        }
    };
    patiently("an account", served).await;
    assert_eq!((known("first").await, known("idle").await, known("third").await), (200, 404, 200));
    assert_eq!(server.metrics.traffic_clients_evicted.get(), 1);

    clock.advance_micros(KEPT_MICROS);
    let opened = async {
        loop {
            let (second, answer) = open("second").await;
            assert_eq!(answer.status, 101);
            if known("second").await == 200 {
                break second;
            }
        }
    };
    let second = patiently("an account", opened).await;
    clock.advance_micros(KEPT_MICROS);
    let refused = server.metrics.traffic_clients_refused.get();
    assert_eq!((poll("fourth").await.status, known("fourth").await), (200, 404));
    assert_eq!(server.metrics.traffic_clients_refused.get(), refused + 1);
    assert_eq!(poll("first").await.status, 200, "a known account is returned");
    drop((first, second));
}

#[actix_web::test]
async fn many_new_names_of_one_address_do_not_evict_accounts_that_were_just_used() {
    let server = spawn_app(|settings| settings.server.traffic_clients_max = 16);
    let poll = async |name: &str| get(server.address, &format!("/api/v1/poll?symbols=AAPL&client={name}")).await.status;
    assert_eq!((poll("once").await, poll("known").await, poll("known").await), (200, 200, 200));
    for number in 0..300 {
        assert_eq!(poll(&format!("x{number}")).await, 200);
    }
    assert_eq!(traffic(&server, "known").await["long_poll"]["requests"], 2);
    assert_eq!(traffic(&server, "once").await["long_poll"]["requests"], 1);
    assert_eq!(server.metrics.traffic_clients_evicted.get(), 0);
}

#[actix_web::test]
async fn an_invalid_name_is_refused_and_an_unknown_one_not_found() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let long = "x".repeat(65);
    for name in ["", "a%20b", "%C3%A9", "a.b", "a/b", &long, "a&client=b"] {
        for path in ["/api/v1/poll?symbols=AAPL&", "/api/v1/traffic?"] {
            let problem = get(server.address, &format!("{path}client={name}")).await;
            assert_eq!(problem.status, 400, "{path} {name}");
            assert!(problem.problem()["detail"].as_str().unwrap().contains("client"));
        }
        let mut client = RawClient::connect(server.address).await;
        let request = handshake(&[]).replacen("/ws", &format!("/ws?client={name}"), 1);
        assert_eq!(client.request(&request).await.status, 400, "{name}");
    }
    assert_eq!(get(server.address, "/api/v1/traffic").await.status, 400);
    assert_eq!(get(server.address, "/api/v1/traffic?client=a&x=1").await.status, 400);
    let strange = get(server.address, "/api/v1/traffic?client=nobody").await;
    assert_eq!((strange.status, &strange.problem()["code"]), (404, &json!("not_found")));
    let longest = "x".repeat(64);
    assert_eq!(get(server.address, &format!("/api/v1/poll?symbols=AAPL&client={longest}")).await.status, 200);
    assert_eq!(get(server.address, &format!("/api/v1/traffic?client={longest}")).await.status, 200);
}
