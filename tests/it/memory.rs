//! What one client can make the server keep in memory, whatever it sends and however little it reads: measured on a process
//! of its own.

use std::time::Duration;

use serde_json::json;

use crate::client::{ALL_CHANNELS, Client};
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{PING, PONG, RawClient, TEXT, frame};

const MIB: u64 = 1 << 20;
/// What one client may cost beyond an idle session.
const CLIENT_BYTES_MAX: u64 = 2 * MIB;
/// How many clients there are that all do their worst, and what they may cost together.
const CLIENTS: usize = 100;
const CLIENTS_BYTES_MAX: u64 = 64 * MIB;
/// What may be kept of that when they are gone, also after several such crowds: what lies between blocks in use.
const REST_BYTES_MAX: u64 = 8 * MIB;
/// A server that reads at all has read so much long before.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);
/// Requests are not to be refused for coming too fast.
const EAGER: [(&str, &str); 1] = [("TICKCAST__SESSION__REQUESTS_PER_SECOND_MAX", "1000000")];

/// Nor to be slowed for what they cost.
const EAGER_WORK: [(&str, &str); 2] =
    [("TICKCAST__SESSION__WORK_PER_SECOND_MAX", "100000000"), ("TICKCAST__PUSH__TURN_WORK_MAX", "1000000")];

/// Starts a server on which little happens, so that its own memory stays as it is.
async fn spawn_quiet(variables: &[(&str, &str)]) -> Process {
    let quiet = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "1"),
        ("TICKCAST__HISTORY__BARS_MAX", "10"),
        ("TICKCAST__SERVER__WORKERS", "1"),
        // However slow this test is: who does not read is to stay.
        ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "120000"),
    ];
    spawn_binary(&[], &[&quiet, variables].concat()).await
}

/// Returns a value of `/metrics` that has no labels.
async fn counter(server: &Process, name: &str) -> u64 {
    let metrics = get(server.address, "/metrics").await;
    let name = format!("tickcast_{name} ");
    metrics.text().lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

/// Waits until the process has given back what it took beyond `before`.
async fn gives_back(server: &Process, before: u64) {
    let more = || server.resident_bytes().saturating_sub(before) / MIB;
    wait_until("memory is given back", true, || more() < REST_BYTES_MAX / MIB).await;
}

/// Returns a text message of the given length: a request that is answered with an error or a pong.
fn padded_ping(bytes: usize) -> Vec<u8> {
    let ping = json!({"action": "ping"}).to_string();
    frame(TEXT, format!("{ping}{}", " ".repeat(bytes - ping.len())).as_bytes())
}

#[actix_web::test]
async fn a_ping_that_waits_for_its_pong_keeps_nothing_but_its_payload() {
    // So little waits in the connection that pongs soon wait in the session.
    let jammed = [
        ("TICKCAST__SESSION__CONTROL_FRAMES_PER_SECOND_MAX", "1000000"),
        ("TICKCAST__SERVER__WRITE_BUFFER_BYTES", "1024"),
        ("TICKCAST__SERVER__UNSENT_BYTES_MAX", "1024"),
    ];
    let server = spawn_quiet(&jammed).await;
    let mut client = RawClient::open_narrow(server.address).await;
    let before = server.resident_bytes();
    // Among so many other frames that each ping comes in a read of its own, more or less.
    let frames = [frame(PONG, b"unasked").repeat(249), frame(PING, b"?")].concat().repeat(100);
    for _ in 0..100 {
        let sent = tokio::time::timeout(TAKEN_WITHIN, client.send(&frames)).await;
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < CLIENT_BYTES_MAX, "{more} bytes");
        if sent.is_err() {
            // A server that reads no more of a client that reads nothing keeps nothing more of it.
            return;
        }
    }
    // Of all these pings the last is answered, once the few are read that were under way when the socket jammed.
    client.send(&frame(PING, b"last")).await;
    let mut pongs = 0;
    while client.next_of(PONG).await != b"last" {
        pongs += 1;
    }
    assert!(pongs < 5_000, "{pongs} pongs");
}

#[actix_web::test]
async fn a_frame_that_has_begun_keeps_the_bytes_that_have_come_and_no_more() {
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
    // What was freed goes back after a while.
    let each = || server.resident_bytes().saturating_sub(idle) / CLIENTS as u64;
    wait_until("32 KiB at most for each begun frame", true, || each() < 32_768).await;
}

/// Asks for what is answered at length, and reads nothing, until it is closed or has asked so often. Returns whether the server
/// has taken that: of a session that it has closed it reads no more, and its socket is reset when the close timeout is over.
async fn ask_unread(client: &mut RawClient, times: usize) -> bool {
    let channels = r#"["trades","quotes","bars.1s","bars.1m","bars.5m","bars.15m","bars.1h","bars.1d"]"#;
    let subscribe = format!(r#"{{"action":"subscribe","symbols":["*","AAPL","MSFT","NVDA"],"channels":{channels}}}"#);
    let list = frame(TEXT, br#"{"action":"list"}"#).repeat(100 * times);
    let requests = [frame(TEXT, subscribe.as_bytes()), list].concat();
    tokio::time::timeout(TAKEN_WITHIN, client.send(&requests)).await.is_ok()
}

#[actix_web::test]
async fn a_client_that_asks_and_does_not_read_takes_little() {
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
async fn a_hundred_clients_that_ask_and_do_not_read_take_little_and_it_is_given_back() {
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
    patiently("those that hold most to be ended", crowded).await;
    drop((clients, closed));
    gives_back(&server, before).await;
    assert_eq!(counter(&server, "waiting_bytes").await, 0);
}

#[actix_web::test]
async fn long_answers_that_are_not_read_take_little_and_are_given_back() {
    let server = spawn_quiet(&[("TICKCAST__HISTORY__BARS_MAX", "10000")]).await;
    // The past that has been read once is kept for the next reader.
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
async fn a_client_that_subscribes_to_ten_thousand_symbols_and_does_not_read_takes_little() {
    let server = spawn_quiet(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "10000")]).await;
    let mut client = RawClient::open_narrow(server.address).await;
    let before = server.resident_bytes();
    let subscribe = frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#);
    for _ in 0..100 {
        client.send(&subscribe).await;
        // One answer of the same worker for each of them: it is no faster than the server.
        counter(&server, "waiting_bytes").await;
        let more = server.resident_bytes().saturating_sub(before);
        assert!(more < CLIENT_BYTES_MAX, "{more} bytes");
    }
}

#[actix_web::test]
async fn polls_of_ten_thousand_symbols_that_are_not_read_take_little() {
    const POLLS: u64 = 8;
    let server = spawn_quiet(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "10000")]).await;
    let before = server.resident_bytes();
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
async fn lists_of_ten_thousand_symbols_that_are_not_read_take_little_and_are_refused_when_too_much_waits() {
    const WAITING_BYTES_MAX: u64 = 16 * MIB;
    let waiting_bytes_max = WAITING_BYTES_MAX.to_string();
    let variables =
        [("TICKCAST__FEED__EXTRA_SYMBOLS", "10000"), ("TICKCAST__PUSH__WAITING_BYTES_MAX", &waiting_bytes_max)];
    let server = spawn_quiet(&variables).await;
    let before = server.resident_bytes();
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
async fn a_session_with_many_subscriptions_takes_little() {
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
