//! Tickets: what they open, how often and how long, what they are worth when their key has ended, and where they must not be seen.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use awc::http::Method;
use serde_json::json;

use crate::command::{run, spawn_binary};
use crate::event_stream::EventSource;
use crate::http::{Answer, get, request};
use crate::issuer::{RSA, Scratch, bearer, claims_at, require, set_of};
use crate::keyring::{KeyRing, NARROW, WIDE, entry, get_as, header_of, raw_get, two_keys};
use crate::patience::patiently;
use crate::spawn::{START, spawn_app, spawn_app_at_rest};

/// A file with a secret, removed when dropped.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(name: &str, secret: &[u8], mode: u32) -> Self {
        let path = std::env::temp_dir().join(format!("tickcast-ticket-{}-{name}", std::process::id()));
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().into()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks for a ticket with these headers.
pub(crate) async fn ask(server: SocketAddr, headers: &[(&str, &str)]) -> Answer {
    request(server, Method::POST, "/api/v1/ticket", headers).await
}

/// Returns a ticket of the key with this id.
async fn ticket_of(server: SocketAddr, id: &str) -> String {
    let answer = ask(server, &[("Authorization", &header_of(id))]).await;
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

fn stream_with(ticket: &str) -> String {
    format!("/api/v1/stream?symbols=AAPL&ticket={ticket}")
}

#[actix_web::test]
async fn a_stream_and_a_websocket_are_opened_with_a_ticket_and_have_the_rights_of_its_key() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let answer = ask(server.address, &[("Authorization", &header_of(NARROW))]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
    assert!(answer.json()["expires_at"].as_i64().unwrap() > 0);
    let mut stream = EventSource::open(server.address, &format!("symbols=*&ticket={ticket}")).await;
    let events = stream.events(100).await;
    assert!(events.iter().all(|event| event.get("symbol").is_none_or(|symbol| symbol == "AAPL" || symbol == "MSFT")));
    assert_eq!(events[0]["auth"]["name"], NARROW);
    let ticket = ticket_of(server.address, NARROW).await;
    assert_eq!(raw_get(server.address, &format!("/ws?ticket={ticket}"), "", true).await.status, 101);
    // The session ends with the key like any other.
    ring.write(&two_keys()[..1]);
    server.keys.reload();
    let mut last = Vec::new();
    while let Some(messages) = stream.next_messages().await {
        last = messages;
    }
    assert_eq!(last.last().unwrap()["reason"], "key_revoked");
}

#[actix_web::test]
async fn a_ticket_is_good_once_and_until_its_end_and_only_at_its_own_server() {
    let ring = KeyRing::new(&two_keys());
    let (server, clock) = spawn_app_at_rest(|settings| ring.require(settings));
    let other = spawn_app(|settings| ring.require(settings));
    let answer = ask(server.address, &[("Authorization", &header_of(WIDE))]).await.json();
    assert_eq!(answer["expires_at"], START.micros() + 30_000_000);
    let first = answer["ticket"].as_str().unwrap();
    let path = stream_with(first);
    assert_eq!(get(other.address, &path).await.status, 401, "of another server");
    drop(EventSource::open(server.address, path.split_once('?').unwrap().1).await);
    let again = get(server.address, &path).await;
    assert_eq!((again.status, again.header("www-authenticate")), (401, "Bearer error=\"invalid_token\""), "twice");
    let [late, timely] = [ticket_of(server.address, WIDE).await, ticket_of(server.address, WIDE).await];
    clock.advance_micros(30_000_000 - 1);
    drop(EventSource::open(server.address, &format!("symbols=AAPL&ticket={timely}")).await);
    clock.advance_micros(1);
    assert_eq!(get(server.address, &stream_with(&late)).await.status, 401, "after its time");
    let fresh = ticket_of(server.address, WIDE).await;
    let last = if fresh.ends_with('A') { "B" } else { "A" };
    for changed in [format!("{}{last}", &fresh[..fresh.len() - 1]), fresh.replacen("tct_", "tcx_", 1), String::new()] {
        assert_eq!(get(server.address, &stream_with(&changed)).await.status, 401, "changed");
    }
    let counted = ["accepted", "spent"].map(|result| server.metrics.tickets(result).get());
    assert_eq!(counted, [2, 2]);
}

#[actix_web::test]
async fn a_ticket_is_no_key() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| ring.require(settings));
    let ticket = ticket_of(server.address, WIDE).await;
    let bearer = format!("Bearer {ticket}");
    for path in ["/api/v1/symbols", "/api/v1/stream?symbols=AAPL"] {
        assert_eq!(
            request(server.address, Method::GET, path, &[("Authorization", &bearer)]).await.status,
            401,
            "{path}"
        );
    }
    for path in
        ["/api/v1/symbols", "/api/v1/poll?symbols=AAPL&wait_ms=0", "/metrics", "/v2/stocks/snapshots?symbols=AAPL"]
    {
        let joint = if path.contains('?') { '&' } else { '?' };
        let status = get(server.address, &format!("{path}{joint}ticket={ticket}")).await.status;
        assert!(matches!(status, 401 | 403 | 404), "{path}: {status}");
    }
    assert_eq!(ask(server.address, &[("Authorization", &bearer)]).await.status, 401, "no ticket for a ticket");
    let both =
        request(server.address, Method::GET, &stream_with(&ticket), &[("Authorization", &header_of(WIDE))]).await;
    assert_eq!(both.status, 401);
    assert_eq!(get(server.address, &format!("{}&ticket={ticket}", stream_with(&ticket))).await.status, 400);
    // And it is good still.
    drop(EventSource::open(server.address, &format!("symbols=AAPL&ticket={ticket}")).await);
}

#[actix_web::test]
async fn only_a_client_with_a_key_gets_a_ticket_and_only_by_post() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| ring.require(settings));
    assert_eq!(ask(server.address, &[]).await.status, 401);
    let own = format!("http://{}", server.address);
    assert_eq!(ask(server.address, &[("Origin", &own)]).await.status, 401, "there is no page key");
    let read = get_as(server.address, WIDE, "/api/v1/ticket").await;
    assert_eq!((read.status, read.header("allow")), (405, "POST"));
    let open = spawn_app(|_| {});
    assert_eq!(ask(open.address, &[]).await.status, 204, "none is needed");
    let optional = spawn_app(|settings| settings.auth.keys_file = ring.path.to_str().unwrap().into());
    assert_eq!(ask(optional.address, &[]).await.status, 204, "none is needed");
    let ticket = ticket_of(optional.address, NARROW).await;
    let mut stream = EventSource::open(optional.address, &format!("symbols=*&ticket={ticket}")).await;
    assert_eq!(stream.next_message().await.unwrap()["auth"]["name"], NARROW);
    assert_eq!(get(optional.address, &stream_with(&ticket)).await.status, 401, "a spent one is not nobody's");
}

#[actix_web::test]
async fn a_ticket_of_a_removed_secret_is_refused() {
    let ring = KeyRing::new(&[entry("a", "symbols = [\"*\"]"), entry("b", "symbols = [\"*\"]")]);
    let server = spawn_app(|settings| ring.require(settings));
    let [first, second] = [ticket_of(server.address, "a").await, ticket_of(server.address, "b").await];
    let digest = format!("{:x}", tickcast::access::Digest::of("another secret"));
    ring.write(&[format!("[[keys]]\nid = \"a\"\nsecret_sha256 = \"{digest}\"\nsymbols = [\"*\"]\n")]);
    server.keys.reload();
    for ticket in [first, second] {
        assert_eq!(get(server.address, &stream_with(&ticket)).await.status, 401);
    }
}

#[actix_web::test]
async fn a_ticket_has_the_rights_that_its_key_has_when_it_is_used() {
    let ring = KeyRing::new(&[entry("a", "symbols = [\"*\"]")]);
    let (server, clock) = spawn_app_at_rest(|settings| ring.require(settings));
    let [first, second, third] = [(); 3].map(|()| ticket_of(server.address, "a"));
    let (first, second, third) = (first.await, second.await, third.await);
    ring.write(&[entry("a", "symbols = [\"MSFT\"]\nconnections_max = 1")]);
    server.keys.reload();
    let open = async |ticket: &str| EventSource::open(server.address, &format!("symbols=*&ticket={ticket}")).await;
    let mut stream = open(&first).await;
    let first = stream.until("a snapshot", |message| message["type"] == "snapshot").await;
    assert_eq!(first.last().unwrap()["symbol"], "MSFT", "the only symbol of the key");
    let crowded = get(server.address, &format!("/api/v1/stream?symbols=MSFT&ticket={second}")).await;
    assert_eq!((crowded.status, &crowded.problem()["code"]), (429, &json!("connection_limit")), "the limits hold");
    drop(stream);
    ring.write(&[entry("a", "symbols = [\"*\"]\nexpires = \"2000-01-01T00:00:00Z\"")]);
    server.keys.reload();
    let ended = get(server.address, &stream_with(&third)).await;
    assert_eq!((ended.status, &ended.problem()["code"]), (401, &json!("token_expired")));
    drop(clock);
}

#[actix_web::test]
async fn a_browser_that_comes_back_with_its_cursor_needs_another_ticket() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| ring.require(settings));
    let [used, fresh] = [ticket_of(server.address, WIDE).await, ticket_of(server.address, WIDE).await];
    let mut stream = EventSource::open(server.address, &format!("symbols=AAPL&ticket={used}")).await;
    stream.events(5).await;
    let last_id = stream.last_id.clone().unwrap();
    drop(stream);
    let again = request(server.address, Method::GET, &stream_with(&used), &[("Last-Event-ID", last_id.as_str())]).await;
    assert_eq!(again.status, 401, "an EventSource gives up then, and its page opens another one");
    let mut stream = EventSource::reopen(server.address, &format!("symbols=AAPL&ticket={fresh}"), Some(&last_id)).await;
    let answer = stream.until("the answer", |message| message["type"] == "subscribed").await;
    assert_eq!(answer.last().unwrap()["recovered"], true);
}

#[actix_web::test]
async fn a_ticket_of_a_token_ends_with_the_token() {
    let (set, revoked) = (Scratch::new(set_of(&[&RSA])), Scratch::new("revoked = []"));
    let (server, clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.auth.revoked_file = revoked.path();
    });
    let token = RSA.token(&claims_at(START.micros() / 1_000_000));
    let next = async || {
        let answer = ask(server.address, &[("Authorization", &bearer(&token))]).await;
        answer.json()["ticket"].as_str().unwrap().to_owned()
    };
    let (first, second) = (next().await, next().await);
    let mut stream = EventSource::open(server.address, &format!("symbols=AAPL&ticket={first}")).await;
    assert_eq!(stream.next_message().await.unwrap()["auth"]["name"], "jwt:alice");
    assert_eq!(get(server.address, &stream_with(&first)).await.status, 401, "once");
    revoked.write("[[revoked]]\nsub = \"alice\"\nissued_before = \"2100-01-01T00:00:00Z\"\n");
    server.keys.reload();
    assert_eq!(get(server.address, &stream_with(&second)).await.status, 401, "revoked since");
    assert_eq!([server.metrics.tickets("ended").get(), server.metrics.tickets("accepted").get()], [1, 1]);
    drop(clock);
}

#[actix_web::test]
async fn the_store_of_used_tickets_is_bounded() {
    let ring = KeyRing::new(&two_keys());
    let (server, clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        settings.auth.tickets_max = 2;
    });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let ticket = ticket_of(server.address, WIDE).await;
        statuses.push(raw_get(server.address, &stream_with(&ticket), "", false).await.status);
    }
    assert_eq!((statuses.as_slice(), server.metrics.tickets("full").get()), (&[200, 200, 503][..], 1));
    clock.advance_micros(30_000_000);
    let ticket = ticket_of(server.address, WIDE).await;
    assert_eq!(
        raw_get(server.address, &stream_with(&ticket), "", false).await.status,
        200,
        "the used ones have expired"
    );
}

#[actix_web::test]
async fn servers_with_the_same_secret_accept_each_others_tickets() {
    let ring = KeyRing::new(&two_keys());
    let secret = SecretFile::new("shared", &[7; 32], 0o600);
    let spawn = || {
        spawn_app(|settings| {
            ring.require(settings);
            settings.auth.ticket_secret_file = secret.path();
        })
    };
    let (one, other) = (spawn(), spawn());
    let ticket = ticket_of(one.address, WIDE).await;
    drop(EventSource::open(other.address, &format!("symbols=AAPL&ticket={ticket}")).await);
    assert_eq!(get(other.address, &stream_with(&ticket)).await.status, 401);
}

#[actix_web::test]
async fn a_bad_secret_file_or_page_key_is_refused_in_one_line() {
    let [wide, narrow] = two_keys();
    let ring = KeyRing::new(&[wide, narrow, entry("publisher", "symbols = []\npublish = true")]);
    let keys = ("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap());
    let required = ("TICKCAST__AUTH__REQUIRED", "true");
    let (short, open) = (SecretFile::new("short", &[7; 31], 0o600), SecretFile::new("open", &[7; 32], 0o604));
    let missing = "/no/such/file".to_owned();
    for (name, value, part) in [
        ("TICKET_SECRET_FILE", short.path(), "fewer than 32 bytes"),
        ("TICKET_SECRET_FILE", open.path(), "everybody may read"),
        ("TICKET_SECRET_FILE", missing, "No such file"),
        ("PAGE_KEY", "nobody".into(), "no key nobody"),
        ("PAGE_KEY", WIDE.into(), "must not have admin"),
        ("PAGE_KEY", "publisher".into(), "must not have admin or publish"),
        ("TICKETS_MAX", "0".into(), "auth.tickets_max"),
        ("TICKET_MS", "999".into(), "auth.ticket_ms"),
    ] {
        let ended = run(&["--port", "0"], &[keys, required, (&format!("TICKCAST__AUTH__{name}"), &value)]).await;
        assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
    // Where clients need no key, the pages need none.
    let ended = run(&["--port", "0"], &[keys, ("TICKCAST__AUTH__PAGE_KEY", NARROW)]).await;
    assert!(ended.status.code() == Some(2) && ended.stderr.contains("auth.page_key"), "{ended:?}");
}

/// Returns every part of a ticket of this many characters, so that a shown part is found, too.
fn parts(ticket: &str) -> Vec<String> {
    const PART: usize = 24;
    ticket.as_bytes()[4..].chunks_exact(PART).map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
}

#[actix_web::test]
async fn a_ticket_is_in_no_log_no_capture_and_no_problem_document() {
    let ring = KeyRing::new(&two_keys());
    let variables = [
        ("RUST_LOG", "trace,mio=off,polling=off"),
        ("RUST_LOG_STYLE", "never"),
        ("TICKCAST__LOG__WAITING_BYTES_MAX", "67108864"),
        ("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()),
        ("TICKCAST__AUTH__REQUIRED", "true"),
    ];
    let process = spawn_binary(&[], &variables).await;
    let server = process.address;
    let tickets = [ticket_of(server, WIDE).await, ticket_of(server, WIDE).await, ticket_of(server, WIDE).await];
    let [ticket, for_socket, for_capture] = &tickets;
    let mut seen = String::new();
    drop(EventSource::open(server, &format!("symbols=AAPL&ticket={ticket}")).await);
    for path in [
        stream_with(ticket),
        format!("/api/v1/stream?symbols=AAPL&ticket={ticket}x"),
        format!("/api/v1/stream?ticket={ticket}&ticket={ticket}"),
        format!("/api/v1/poll?symbols=AAPL&ticket={ticket}"),
        format!("/ws?ticket={ticket}"),
        format!("/no/such/address?ticket={ticket}"),
        format!("/handshake/ws?capture=a&ticket={ticket}"),
        format!("/metrics?ticket={ticket}"),
    ] {
        seen.push_str(get(server, &path).await.text());
        seen.push_str(&raw_get(server, &path, "", true).await.body);
        seen.push_str(get_as(server, WIDE, &path).await.text());
    }
    assert_eq!(raw_get(server, &format!("/ws?ticket={for_socket}"), "", true).await.status, 101);
    let capture = raw_get(server, &format!("/handshake/capture?ticket={for_capture}"), "", false).await;
    assert_eq!(capture.status, 200);
    seen.push_str(get_as(server, WIDE, "/api/v1/traffic?client=a").await.text());
    process.signal("TERM").await;
    let ended = patiently("the end", process.ended()).await;
    seen.push_str(&ended.stderr);
    seen.push_str(&ended.stdout);
    assert!(ended.stderr.lines().count() > 50, "the log is chatty: {}", ended.stderr.lines().count());
    for part in tickets.iter().flat_map(|ticket| parts(ticket)) {
        let lines: Vec<_> = seen.lines().filter(|line| line.contains(&part)).collect();
        assert!(lines.is_empty(), "{part} is in {lines:?}");
    }
}
