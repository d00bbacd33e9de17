//! Delayed data: a key with `delay_ms` gets over every transport what a key without one got so long before, and nothing else.

use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::domain::ManualClock;

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::issuer::{START_S, Scratch, Signer, claims_at, offers};
use crate::json_client::JsonClient;
use crate::keyring::{KeyRing, entry, get_as, header_of, raw_get, secret};
use crate::patience::wait_until;
use crate::spawn::{TestServer, spawn_app_at_rest};
use crate::view::is_event;

/// The delay of the key `late`, in milliseconds.
const DELAY_MS: u64 = 5_000;
const DELAY_MICROS: i64 = 5_000_000;

/// Returns the entries of keys to everything: `now` without a delay, `late` with one.
fn entries() -> [String; 2] {
    [entry("now", "symbols = [\"*\"]"), entry("late", &format!("symbols = [\"*\"]\ndelay_ms = {DELAY_MS}"))]
}

/// Makes every client need a key, and serves the delay of `late`.
pub(crate) fn delaying(settings: &mut Settings, ring: &KeyRing, delays_ms: &[u64]) {
    ring.require(settings);
    settings.auth.delays_ms = tickcast::access::Delays::new(delays_ms.to_vec()).unwrap();
    // A test asks again and again until something is there.
    settings.session.requests_per_second_max = 1_000_000;
    settings.session.work_per_second_max = 1_000_000_000;
    settings.limits.key_work_per_second_max = 0;
    settings.push.coalesce_ms = 0;
}

/// Advances the clock, and waits until the feed has published everything that is due. Returns the offset of the newest event.
pub(crate) async fn advance(server: &TestServer, clock: &ManualClock, micros: i64) -> u64 {
    clock.advance_micros(micros);
    let steps = server.metrics.feed_steps.get();
    // A step may have read the clock before.
    wait_until("two steps of the feed", true, || server.metrics.feed_steps.get() >= steps + 2).await;
    server.metrics.feed_offset()
}

/// Pings until the session has got every event up to this offset, and no later one. Returns all messages but the answers.
pub(crate) async fn read_up_to(client: &mut Client, offset: u64) -> Vec<Value> {
    let mut read = Vec::new();
    loop {
        let mut messages = client.ask(json!({"action": "ping"})).await;
        let here = messages.pop().unwrap()["offset"].as_u64().unwrap();
        read.extend(messages);
        assert!(here <= offset, "{here} is later than {offset}");
        if here == offset {
            // A pong overtakes events that wait.
            read.extend(client.sync().await);
            return read.into_iter().filter(|message| message["type"] != "heartbeat").collect();
        }
        tokio::task::yield_now().await;
    }
}

/// Reads this address until the answer is of this offset, and no later one.
pub(crate) async fn get_at(server: &TestServer, id: &str, path: &str, offset: u64) -> Value {
    loop {
        let answer = get_as(server.address, id, path).await.json();
        let here = answer["offset"].as_u64().unwrap();
        assert!(here <= offset, "{path}: {here} is later than {offset}");
        if here == offset {
            return answer;
        }
    }
}

/// Waits until a delayed stream is served.
pub(crate) async fn opened(server: &TestServer, id: &str) {
    while get_as(server.address, id, "/api/v1/snapshot?symbols=AAPL").await.status == 503 {}
}

#[actix_web::test]
async fn a_delayed_stream_begins_when_the_start_of_the_server_is_due_and_then_repeats_the_present_one() {
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| delaying(settings, &ring, &[DELAY_MS]));
    let paths = ["/api/v1/snapshot", "/api/v1/bars?symbol=AAPL", "/api/v1/poll?symbols=*&wait_ms=0"];
    let first = get_as(server.address, "now", paths[0]).await.json();
    let bars = get_as(server.address, "now", paths[1]).await.json();
    let mut now = Client::connect_as(server.address, "now").await;
    assert_eq!(now.welcome["limits"].get("delay_ms"), None);
    now.subscribe(&["*"], &["trades", "quotes", "bars.1s"]).await;
    let head = advance(&server, &clock, DELAY_MICROS - 1).await;
    let events: Vec<_> = read_up_to(&mut now, head).await.into_iter().filter(is_event).collect();
    assert!(events.len() > 1_000, "{}", events.len());
    for path in paths {
        let answer = get_as(server.address, "late", path).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (503, &json!("unavailable")), "{path}");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=8).contains(&seconds), "{seconds}");
    }
    let authorization = format!("Authorization: {}\r\n", header_of("late"));
    assert_eq!(raw_get(server.address, "/ws", &authorization, true).await.status, 503);
    let mut refused = EventSource::open_as(server.address, "symbols=*", &header_of("late")).await;
    let goodbye = refused.next_messages().await.unwrap();
    assert_eq!((goodbye.len(), &goodbye[0]["type"]), (1, &json!("goodbye")));
    assert_eq!(get_as(server.address, "late", "/api/v1/symbols").await.status, 200);

    advance(&server, &clock, 1).await;
    opened(&server, "late").await;
    assert_eq!(get_as(server.address, "late", paths[0]).await.json(), first, "the values of the start");
    assert_eq!(get_as(server.address, "late", paths[1]).await.json(), bars);
    let mut late = Client::connect_as(server.address, "late").await;
    assert_eq!((&late.welcome["limits"]["delay_ms"], &late.welcome["offset"]), (&json!(DELAY_MS), &json!(0)));
    late.subscribe(&["*"], &["trades", "quotes", "bars.1s"]).await;
    assert_eq!(read_up_to(&mut late, 0).await.iter().filter(|message| is_event(message)).count(), 0);
    // The whole past arrives at once, because the clock has jumped over it.
    advance(&server, &clock, DELAY_MICROS - 1).await;
    let repeated: Vec<_> = read_up_to(&mut late, head).await.into_iter().filter(is_event).collect();
    assert_eq!(repeated, events);
}

#[actix_web::test]
async fn a_cursor_of_the_present_is_none_in_a_delayed_stream_and_one_of_the_past_is_good_in_both() {
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| delaying(settings, &ring, &[DELAY_MS]));
    let due = advance(&server, &clock, 1_000_000).await;
    let head = advance(&server, &clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    let poll = |offset: u64| format!("/api/v1/poll?symbols=AAPL&wait_ms=0&after={{epoch}}:{offset}");
    let snapshot = get_at(&server, "late", "/api/v1/snapshot?symbols=AAPL", due).await;
    let epoch = snapshot["epoch"].as_str().unwrap();
    for (id, offset, recovered) in [
        ("late", due, true),
        ("late", due + 1, false),
        ("late", head, false),
        ("late", head + 1, false),
        ("now", due, true),
        ("now", head, true),
        ("now", head + 1, false),
    ] {
        let path = poll(offset).replace("{epoch}", epoch);
        let answer = match id {
            "late" => get_at(&server, id, &path, due).await,
            _ => get_as(server.address, id, &path).await.json(),
        };
        assert_eq!(answer["recovered"], recovered, "{id} {offset}");
        if id == "late" {
            let snapshots = answer["messages"].as_array().unwrap().iter().filter(|each| each["type"] == "snapshot");
            assert!(snapshots.map(|each| &each["price"]).all(|price| *price == snapshot["snapshots"][0]["price"]));
        }
    }
}

#[actix_web::test]
async fn vendors_dialects_and_the_listener_of_operators_are_not_for_delayed_keys() {
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| delaying(settings, &ring, &[DELAY_MS]));
    advance(&server, &clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    let mut alpaca = JsonClient::open(server.address, "/v2/sip").await;
    alpaca.array().await;
    alpaca.send(&json!({"action": "auth", "key": "late", "secret": secret("late")})).await;
    assert_eq!(alpaca.array().await[0]["code"], 409, "not entitled");
    let mut massive = JsonClient::open(server.address, "/stocks").await;
    massive.array().await;
    assert_eq!(massive.ask("auth", &secret("late")).await[0]["status"], "auth_failed");
    let token = secret("late").replace(' ', "%20");
    let finnhub = JsonClient::try_open(server.address, &format!("/?token={token}")).await;
    assert_eq!(finnhub.err(), Some(403));
    for (path, refused) in [
        ("/v2/stocks/AAPL/trades/latest".to_owned(), 403),
        (format!("/v2/last/trade/AAPL?apiKey={token}"), 403),
        (format!("/finnhub/api/v1/quote?symbol=AAPL&token={token}"), 403),
    ] {
        let headers = [("APCA-API-KEY-ID", "late"), ("APCA-API-SECRET-KEY", &secret("late"))];
        let answer = crate::http::request(server.address, awc::http::Method::GET, &path, &headers).await;
        assert_eq!(answer.status, refused, "{path} {}", answer.text());
    }
}

#[actix_web::test]
async fn a_key_whose_delay_changes_ends_its_sessions_and_a_renewal_to_another_delay_too() {
    let issuer = Signer::hmac(&[7; 32]);
    let shared = Scratch::new([7; 32]);
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| {
        delaying(settings, &ring, &[DELAY_MS]);
        settings.auth.jwt.hmac_secret_file = shared.path();
        settings.auth.jwt.algorithms = vec!["HS256".into()];
    });
    let token = |delay_ms: u64, exp: i64| {
        let mut claims = claims_at(START_S);
        claims["exp"] = json!(START_S + exp);
        claims["tickcast"] = json!({"symbols": ["*"], "delay_ms": delay_ms});
        claims.as_object_mut().unwrap().retain(|name, _| name != "aud");
        issuer.token(&claims)
    };
    advance(&server, &clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    for (from, to) in [(DELAY_MS, 0), (0, DELAY_MS)] {
        let mut client = Client::connect_offering(server.address, Some(&offers(&token(from, 600)))).await;
        assert_eq!(client.welcome["limits"].get("delay_ms").is_some(), from > 0);
        client.send_json(&json!({"action": "auth", "token": token(to, 900)})).await;
        let (messages, end) = client.read_to_end().await;
        assert_eq!(end, Some((4005, "the rights of the key have changed".into())), "{from} {to} {messages:?}");
    }
    let mut late = Client::connect_as(server.address, "late").await;
    ring.write(&[entry("now", "symbols = [\"*\"]"), entry("late", "symbols = [\"*\"]")]);
    server.keys.reload();
    assert_eq!(late.read_to_end().await.1, Some((4005, "the rights of the key have changed".into())));
    assert_eq!(Client::connect_as(server.address, "late").await.welcome["limits"].get("delay_ms"), None);
}

#[actix_web::test]
async fn a_delayed_key_is_not_shown_by_the_first_message() {
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| {
        delaying(settings, &ring, &[DELAY_MS]);
        settings.auth.first_message_ms = 60_000;
    });
    advance(&server, &clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    let mut client = Client::connect_nameless(server.address).await;
    let answer = client.ask(json!({"action": "auth", "token": secret("late")})).await.pop().unwrap();
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unauthorized")));
    assert!(answer["message"].as_str().unwrap().contains("delay_ms"), "{answer}");
    let answer = client.ask(json!({"action": "subscribe", "symbols": ["AAPL"]})).await.pop().unwrap();
    assert_eq!(answer["code"], "unauthorized", "nothing is served");
    let answer = client.ask(json!({"action": "auth", "token": secret("now")})).await.pop().unwrap();
    assert_eq!(answer["type"], "auth", "another key may follow");
}

#[actix_web::test]
async fn a_stream_with_too_many_waiting_events_ends_its_sessions_and_goes_on_when_all_of_them_are_due() {
    let ring = KeyRing::new(&entries());
    let (server, clock) = spawn_app_at_rest(|settings| {
        delaying(settings, &ring, &[DELAY_MS]);
        settings.feed.delay_events_max = 4_000;
    });
    let due = advance(&server, &clock, 1_000_000).await;
    let middle = advance(&server, &clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    let mut late = Client::connect_as(server.address, "late").await;
    late.subscribe(&["*"], &["trades"]).await;
    read_up_to(&mut late, due).await;
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL&channels=trades", &header_of("late")).await;
    assert_eq!(server.metrics.delayed_streams_stopped.get(), 0);
    // A burst: the events of five more seconds come at once.
    let head = advance(&server, &clock, DELAY_MICROS).await;
    assert_eq!(server.metrics.delayed_streams_stopped.get(), 1);
    let (messages, end) = late.read_to_end().await;
    assert_eq!(end, Some((1013, "server overloaded, try again later".into())));
    let newest = messages.iter().filter_map(|message| message["offset"].as_u64()).max().unwrap_or(due);
    assert!(newest <= due.max(middle), "{newest} of {due}, {middle}, {head}: nothing early");
    while let Some(messages) = stream.next_messages().await {
        assert!(messages.iter().filter_map(|message| message["offset"].as_u64()).all(|offset| offset <= middle));
    }
    wait_until("all of them are passed on", 0, || server.metrics.delayed_events_waiting.get()).await;
    assert_eq!(get_as(server.address, "late", "/api/v1/snapshot").await.status, 503);
    assert_eq!(get_as(server.address, "late", "/api/v1/bars?symbol=AAPL").await.status, 503);
    let later = advance(&server, &clock, DELAY_MICROS - 1_000).await;
    assert_eq!(get_as(server.address, "late", "/api/v1/snapshot").await.status, 503);
    advance(&server, &clock, 1_000).await;
    opened(&server, "late").await;
    assert!(later > head);
    let snapshot = get_at(&server, "late", "/api/v1/snapshot", head).await;
    let cursor = format!("{}:{newest}", snapshot["epoch"].as_str().unwrap());
    let poll = format!("/api/v1/poll?symbols=AAPL&channels=trades&wait_ms=0&after={cursor}");
    let poll = get_as(server.address, "late", &poll).await.json();
    assert_eq!((&poll["recovered"], &poll["offset"]), (&json!(true), &json!(head)), "nothing is lost");
}

#[actix_web::test]
async fn the_wait_for_a_delayed_stream_is_the_same_however_the_wall_clock_is_set() {
    const SECOND: i64 = 1_000_000;
    const DELAY_S: u64 = 600;
    let ring = KeyRing::new(&[entry("late", "symbols = [\"*\"]\ndelay_ms = 600000")]);
    for hours in [-1, 1] {
        let (server, clock) = spawn_app_at_rest(|settings| {
            delaying(settings, &ring, &[1_000 * DELAY_S]);
            settings.feed.catch_up_max_ms = 10_000;
            settings.feed.events_per_second = 20.0;
        });
        let wait_s = async || {
            let answer = get_as(server.address, "late", "/api/v1/snapshot").await;
            assert_eq!(answer.status, 503, "{}", answer.text());
            answer.header("retry-after").parse::<u64>().unwrap()
        };
        for _ in 0..50 {
            advance(&server, &clock, 2 * SECOND).await;
        }
        assert!((500..=503).contains(&wait_s().await), "a hundred seconds have passed");
        clock.set_wall_micros(hours * 3_600 * SECOND);
        advance(&server, &clock, SECOND).await;
        let left = wait_s().await;
        assert!((498..=503).contains(&left), "{hours} h: {left} s");
        for _ in 0..200 {
            advance(&server, &clock, 2 * SECOND).await;
        }
        let left = wait_s().await;
        // A market that is ahead of the wall clock runs slower by a tenth, and is never early.
        assert!((98..=150).contains(&left), "{hours} h: {left} s");
        for _ in 0..i64::try_from(left).unwrap() {
            advance(&server, &clock, SECOND + SECOND / 8).await;
        }
        opened(&server, "late").await;
    }
}
