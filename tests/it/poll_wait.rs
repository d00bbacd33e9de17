//! Long polls: woken by the first event, ended by timeout, forgotten with their client.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::patience::wait_until;
use crate::poll::{messages, poll};
use crate::raw::RawClient;
use crate::spawn::{TestServer, spawn_app_at_rest};
use crate::view::is_event;

/// Begins a poll that must wait.
fn begin(server: &TestServer, query: String) -> tokio::task::JoinHandle<Value> {
    let address = server.address;
    actix_web::rt::spawn(async move { get(address, &format!("/api/v1/poll?{query}")).await.json() })
}

async fn cursor(server: &TestServer) -> String {
    poll(server, "symbols=AAPL").await["cursor"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_poll_waits_and_is_answered_by_the_first_event_of_its_topics() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let after = cursor(&server).await;
    let waiting = begin(&server, format!("symbols=AAPL&channels=trades&wait_ms=60000&after={after}"));
    wait_until("polls waiting", 1, || server.metrics.polls_waiting.get()).await;
    assert_eq!(server.sessions(), 1);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    while !waiting.is_finished() {
        clock.advance_micros(1_000);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let answer = waiting.await.unwrap();
    assert_eq!(answer["recovered"], true);
    assert!(!messages(&answer).is_empty());
    assert!(messages(&answer).iter().all(|message| message["type"] == "trade" && message["symbol"] == "AAPL"));
    wait_until("polls waiting", 0, || server.metrics.polls_waiting.get()).await;
    wait_until("sessions", 1, || server.sessions()).await;
    let first = messages(&answer)[0]["offset"].clone();
    let seen = witness.until("the same event", |message| message["offset"] == first).await;
    let wanted = |event: &&Value| is_event(event) && event["type"] == "trade" && event["symbol"] == "AAPL";
    assert_eq!(seen.iter().filter(wanted).count(), 1, "it was the first one");
}

#[actix_web::test]
async fn a_poll_ends_empty_after_its_time_and_its_cursor_stays_valid() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let after = cursor(&server).await;
    let empty = poll(&server, &format!("symbols=AAPL&wait_ms=50&after={after}")).await;
    assert_eq!(
        empty,
        json!({"epoch": empty["epoch"], "offset": 0, "cursor": after, "recovered": true, "messages": []})
    );
    clock.advance_micros(3_000_000);
    let answer = poll(&server, &format!("symbols=AAPL&wait_ms=60000&after={after}")).await;
    assert_eq!(answer["recovered"], true);
    assert_eq!(messages(&answer)[0]["seq"], 1, "nothing was lost in between");
}

#[actix_web::test]
async fn a_client_that_disconnects_while_its_poll_waits_is_forgotten() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let after = cursor(&server).await;
    let request = format!("GET /api/v1/poll?symbols=*&wait_ms=60000&after={after} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = RawClient::connect(server.address).await;
        client.send(request.as_bytes()).await;
        clients.push(client);
    }
    wait_until("polls waiting", 10, || server.metrics.polls_waiting.get()).await;
    assert_eq!(server.sessions(), 10);
    for client in clients {
        client.hang_up().await;
    }
    wait_until("polls waiting", 0, || server.metrics.polls_waiting.get()).await;
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn events_of_other_topics_do_not_wake_a_poll() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 2.0);
    let after = cursor(&server).await;
    let waiting = begin(&server, format!("symbols=AAPL&channels=bars.1d&wait_ms=60000&after={after}"));
    wait_until("polls waiting", 1, || server.metrics.polls_waiting.get()).await;
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL"], &["trades", "quotes"]).await;
    clock.advance_micros(600_000_000);
    witness.events(20).await;
    assert!(!waiting.is_finished());
    assert_eq!(server.metrics.polls_waiting.get(), 1);
    // Midnight is nine hours away.
    clock.advance_micros(9 * 3_600 * 1_000_000);
    let answer = waiting.await.unwrap();
    assert_eq!(
        (messages(&answer)[0]["type"].as_str(), messages(&answer)[0]["interval"].as_str()),
        (Some("bar"), Some("1d"))
    );
}

#[actix_web::test]
async fn many_polls_wait_together_and_all_get_the_same_events() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let after = cursor(&server).await;
    let query = format!("symbols=AAPL,MSFT&channels=trades,quotes&wait_ms=60000&after={after}");
    let waiting: Vec<_> = (0..20).map(|_| begin(&server, query.clone())).collect();
    wait_until("polls waiting", 20, || server.metrics.polls_waiting.get()).await;
    clock.advance_micros(2_000_000);
    for poll in waiting {
        let answer = poll.await.unwrap();
        assert_eq!(messages(&answer)[0]["seq"], 1);
    }
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn polls_of_a_fast_stream_gather_the_events_of_a_window_and_the_first_one_does_not_wait() {
    // A window so long that several events fall into it on any machine.
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.push.coalesce_ms = 400;
        settings.feed.events_per_second = 2_000.0;
    });
    let mut client = RawClient::connect(server.address).await;
    let mut poll = async |after: &str| {
        let query = format!("symbols=*&channels=trades,quotes&wait_ms=60000{after}");
        client.send(format!("GET /api/v1/poll?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
        let mut text = String::new();
        while !(text.ends_with("\r\n0\r\n\r\n") || text.contains("content-length") && text.ends_with("]}")) {
            text.push_str(&String::from_utf8(client.next_bytes().await).unwrap());
        }
        let cursor = text.split(r#""cursor":""#).nth(1).unwrap().split('"').next().unwrap();
        (format!("&after={cursor}"), text.matches(r#""seq":"#).count())
    };
    let (mut after, _) = poll("").await;
    let waiting = server.metrics.clone();
    actix_web::rt::spawn(async move {
        wait_until("polls waiting", 1, || waiting.polls_waiting.get()).await;
        loop {
            clock.advance_micros(1_000);
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    let mut counts = Vec::new();
    for _ in 0..4 {
        let (next, count) = poll(&after).await;
        after = next;
        counts.push(count);
    }
    // 400 steps of a millisecond with 2 events each, fewer on a busy machine; a poll for each step would bring a few.
    assert!(counts[1..].iter().all(|count| *count > 40), "{counts:?}");
    assert!(counts[0] < counts[1], "the first one is answered at once: {counts:?}");
}
