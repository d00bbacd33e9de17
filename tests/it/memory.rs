//! Memory that one client can make the server keep, whatever it sends and however little it reads: measured on a
//! process of its own.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{ALL_CHANNELS, Client};
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{PING, PONG, RawClient, TEXT, frame};

const MIB: u64 = 1 << 20;
/// Most memory of one client beyond that of an idle session.
const CLIENT_BYTES_MAX: u64 = 2 * MIB;
/// Number of clients that all do their worst. Their memory together is limited, too.
const CLIENTS: usize = 100;
const CLIENTS_BYTES_MAX: u64 = 64 * MIB;
/// Most memory that remains after they have gone, also after several such crowds: fragmentation.
const REST_BYTES_MAX: u64 = 8 * MIB;
/// A server that reads this socket at all has read this much long before.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);
/// Permits any rate of requests.
const EAGER: [(&str, &str); 1] = [("TICKCAST__SESSION__REQUESTS_PER_SECOND_MAX", "1000000")];

/// Permits any cost of requests.
const EAGER_WORK: [(&str, &str); 2] =
    [("TICKCAST__SESSION__WORK_PER_SECOND_MAX", "100000000"), ("TICKCAST__PUSH__TURN_WORK_MAX", "1000000")];

/// Starts a server with few events, so that its own memory is constant.
async fn spawn_quiet(variables: &[(&str, &str)]) -> Process {
    let quiet = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "1"),
        ("TICKCAST__HISTORY__BARS_MAX", "10"),
        ("TICKCAST__SERVER__WORKERS", "1"),
        // However slow this test is, a client that does not read must stay.
        ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "120000"),
    ];
    spawn_binary(&[], &[&quiet, variables].concat()).await
}

/// Returns the memory of a server that has started, when it has not changed for longer than the allocator keeps freed memory (half a
/// second). Before that, a hub reads the state of the market, and the past is computed: with 10,000 symbols that is 25 MiB more or less.
async fn settled(server: &Process) -> u64 {
    const ALIKE_BYTES: u64 = MIB / 4;
    let polled = get(server.address, "/api/v1/poll?symbols=AAPL&wait_ms=0").await;
    assert_eq!(polled.status, 200, "a hub that has the state of the market");
    let (mut last, mut since) = (server.resident_bytes(), Instant::now());
    wait_until("memory is constant", true, || {
        let now = server.resident_bytes();
        if now.abs_diff(last) > ALIKE_BYTES {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(1)
    })
    .await;
    last
}

/// Returns a value of `/metrics` that has no labels.
async fn counter(server: &Process, name: &str) -> u64 {
    let metrics = get(server.address, "/metrics").await;
    let name = format!("tickcast_{name} ");
    metrics.text().lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

/// Waits until the process has returned its memory beyond `before` to the system.
async fn gives_back(server: &Process, before: u64) {
    let more = || server.resident_bytes().saturating_sub(before) / MIB;
    wait_until("memory is returned", true, || more() < REST_BYTES_MAX / MIB).await;
}

/// Returns a text message of the given length: a request that is answered with an error or a pong.
fn padded_ping(bytes: usize) -> Vec<u8> {
    let ping = json!({"action": "ping"}).to_string();
    frame(TEXT, format!("{ping}{}", " ".repeat(bytes - ping.len())).as_bytes())
}

#[actix_web::test]
async fn a_ping_whose_pong_is_queued_keeps_only_its_payload() {
    // The connection's buffers are small, so that pongs are soon queued in the session.
    let jammed = [
        ("TICKCAST__SESSION__CONTROL_FRAMES_PER_SECOND_MAX", "1000000"),
        ("TICKCAST__SERVER__WRITE_BUFFER_BYTES", "1024"),
        ("TICKCAST__SERVER__UNSENT_BYTES_MAX", "1024"),
    ];
    let server = spawn_quiet(&jammed).await;
    let mut client = RawClient::open_narrow(server.address).await;
    let before = server.resident_bytes();
    // Between so many other frames, nearly every ping arrives in a read of its own.
    let frames = [frame(PONG, b"unasked").repeat(249), frame(PING, b"?")].concat().repeat(100);
    for _ in 0..100 {
        let sent = tokio::time::timeout(TAKEN_WITHIN, client.send(&frames)).await;
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < CLIENT_BYTES_MAX, "{more} bytes");
        if sent.is_err() {
            // The server no longer reads this client, so it keeps no more of it.
            return;
        }
    }
    // Of all these pings the last one is answered, after the few that were on their way when the socket jammed.
    client.send(&frame(PING, b"last")).await;
    let mut pongs = 0;
    while client.next_of(PONG).await != b"last" {
        pongs += 1;
    }
    assert!(pongs < 5_000, "{pongs} pongs");
}

#[actix_web::test]
async fn an_incomplete_frame_keeps_only_the_bytes_that_have_arrived() {
    let server = spawn_quiet(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(RawClient::open(server.address).await);
    }
    let idle = server.resident_bytes();
    for client in &mut clients {
        client.send(&[padded_ping(60_000), vec![TEXT]].concat()).await;
        while !client.next_of(TEXT).await.starts_with(br#"[{"type":"pong""#) {}
    }
    // Freed memory is returned to the system after a delay.
    let each = || server.resident_bytes().saturating_sub(idle) / CLIENTS as u64;
    wait_until("32 KiB at most for each begun frame", true, || each() < 32_768).await;
}

/// Sends requests with long answers, and reads nothing, until the session is closed or all requests are sent. Returns
/// whether the server has read them: it reads no more of a session that it has closed, and resets the socket after the
/// close timeout.
async fn ask_unread(client: &mut RawClient, times: usize) -> bool {
    let channels = r#"["trades","quotes","bars.1s","bars.1m","bars.5m","bars.15m","bars.1h","bars.1d"]"#;
    let subscribe = format!(r#"{{"action":"subscribe","symbols":["*","AAPL","MSFT","NVDA"],"channels":{channels}}}"#);
    let list = frame(TEXT, br#"{"action":"list"}"#).repeat(100 * times);
    let requests = [frame(TEXT, subscribe.as_bytes()), list].concat();
    tokio::time::timeout(TAKEN_WITHIN, client.send(&requests)).await.is_ok()
}

#[actix_web::test]
async fn a_client_that_sends_requests_and_does_not_read_uses_little_memory() {
    let server = spawn_quiet(&EAGER).await;
    let mut client = RawClient::open_narrow(server.address).await;
    let before = server.resident_bytes();
    let asked = async {
        for _ in 0..200 {
            let is_taken = ask_unread(&mut client, 1).await;
            let more = server.resident_bytes().saturating_sub(before);
            assert!(more < CLIENT_BYTES_MAX, "{more} bytes");
            if !is_taken {
                break;
            }
        }
    };
    patiently("the requests to be sent or refused", asked).await;
}

#[actix_web::test]
async fn a_hundred_clients_that_send_requests_and_do_not_read_use_little_memory_and_it_is_returned() {
    let server = spawn_quiet(&EAGER).await;
    let before = server.resident_bytes();
    let (mut clients, mut closed) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        clients.push(RawClient::open_narrow(server.address).await);
    }
    let crowded = async {
        while !clients.is_empty() && counter(&server, "sessions_crowded_out_total").await == 0 {
            for mut client in std::mem::take(&mut clients) {
                let is_taken = ask_unread(&mut client, 1).await;
                if is_taken { &mut clients } else { &mut closed }.push(client);
            }
            let more = server.resident_bytes().saturating_sub(before);
            assert!(more < CLIENTS_BYTES_MAX, "{more} bytes");
        }
    };
    patiently("sessions with most unread answers to be ended", crowded).await;
    drop((clients, closed));
    gives_back(&server, before).await;
    assert_eq!(counter(&server, "waiting_bytes").await, 0);
}

#[actix_web::test]
async fn unread_long_answers_use_little_memory_and_it_is_returned() {
    let server = spawn_quiet(&[("TICKCAST__HISTORY__BARS_MAX", "10000")]).await;
    // Bars of the past are cached once they have been read.
    assert_eq!(get(server.address, "/api/v1/bars?symbol=AAPL&limit=10000").await.status, 200);
    let before = server.resident_bytes();
    let request = "GET /api/v1/bars?symbol=AAPL&limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..3 * CLIENTS {
        let mut client = RawClient::connect_narrow(server.address).await;
        client.send(request.repeat(4).as_bytes()).await;
        clients.push(client);
    }
    for client in &mut clients {
        patiently("an answer, or that there is none", client.stream.readable()).await.unwrap();
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < CLIENTS_BYTES_MAX, "{more} bytes");
    }
    drop(clients);
    gives_back(&server, before).await;
}

#[actix_web::test]
async fn a_client_that_subscribes_to_ten_thousand_symbols_and_does_not_read_uses_little_memory() {
    const REQUESTS: usize = 100;
    let server = spawn_quiet(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "10000")]).await;
    let mut client = RawClient::open_narrow(server.address).await;
    // The requests that the loop below makes beside those of the client take up to a mebibyte of the server.
    for _ in 0..REQUESTS {
        counter(&server, "waiting_bytes").await;
    }
    let before = settled(&server).await;
    let subscribe = frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#);
    for _ in 0..REQUESTS {
        client.send(&subscribe).await;
        // One request to the same worker per client, so that the loop is no faster than the server.
        counter(&server, "waiting_bytes").await;
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < CLIENT_BYTES_MAX, "{more} bytes");
    }
}

#[actix_web::test]
async fn unread_polls_of_ten_thousand_symbols_use_little_memory() {
    // So many that what the server itself keeps after the first minute, 10,000 bars, does not count.
    const POLLS: u64 = 32;
    let server = spawn_quiet(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "10000")]).await;
    let before = settled(&server).await;
    let mut clients = Vec::new();
    for _ in 0..POLLS {
        let mut client = RawClient::connect_narrow(server.address).await;
        client.send(b"GET /api/v1/poll?symbols=*&wait_ms=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        patiently("the beginning of the answer", client.stream.readable()).await.unwrap();
        clients.push(client);
    }
    let each = || server.resident_bytes().saturating_sub(before) / POLLS;
    wait_until("little for each", true, || each() < CLIENT_BYTES_MAX).await;
    let answer = clients[0].next_bytes().await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[actix_web::test]
async fn unread_lists_of_ten_thousand_symbols_use_little_memory_and_are_refused_over_the_limit() {
    const WAITING_BYTES_MAX: u64 = 16 * MIB;
    let waiting_bytes_max = WAITING_BYTES_MAX.to_string();
    let variables =
        [("TICKCAST__FEED__EXTRA_SYMBOLS", "10000"), ("TICKCAST__PUSH__WAITING_BYTES_MAX", &waiting_bytes_max)];
    let server = spawn_quiet(&variables).await;
    let before = settled(&server).await;
    let (mut clients, mut statuses) = (Vec::new(), Vec::new());
    for _ in 0..3 * CLIENTS {
        let mut client = RawClient::connect_narrow(server.address).await;
        client.send(b"GET /api/v1/symbols HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let answer = client.next_bytes().await;
        statuses.push(String::from_utf8_lossy(&answer[9..12]).into_owned());
        clients.push(client);
    }
    let more = server.resident_bytes().saturating_sub(before);
    assert!(more < CLIENTS_BYTES_MAX, "{more} bytes");
    assert_eq!(statuses[0], "200");
    assert!(statuses.contains(&"503".to_owned()), "{statuses:?}");
    assert!(counter(&server, "waiting_bytes").await <= WAITING_BYTES_MAX + MIB);
    assert!(counter(&server, "answers_refused_total").await > 0);
    drop(clients);
    gives_back(&server, before).await;
    assert_eq!(counter(&server, "waiting_bytes").await, 0);
}

#[actix_web::test]
async fn a_session_with_many_subscriptions_uses_little_memory() {
    const SESSIONS: u64 = 50;
    let server = spawn_quiet(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "500"), EAGER_WORK[0], EAGER_WORK[1]]).await;
    let symbols: Vec<_> = (0..500).map(|number| format!("SYM{number:03}")).collect();
    let symbols: Vec<_> = symbols.iter().map(String::as_str).collect();
    let mut clients = vec![Client::connect(server.address).await];
    clients[0].subscribe(&symbols, &ALL_CHANNELS).await;
    clients[0].sync().await;
    let before = server.resident_bytes();
    for _ in 0..SESSIONS {
        let mut client = Client::connect(server.address).await;
        client.subscribe(&symbols, &ALL_CHANNELS).await;
        client.sync().await;
        clients.push(client);
    }
    let each = || server.resident_bytes().saturating_sub(before) / SESSIONS;
    wait_until("256 KiB at most for 4,000 subscriptions", true, || each() < 256 << 10).await;
}
