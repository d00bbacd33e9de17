//! A seek in a replay for all: the epoch and the values of the new time come in their place of the stream, on every transport.

use serde_json::{Value, json};

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::get;
use crate::json_client::{Closed, JsonClient};
use crate::patience::{patiently, wait_until};
use crate::publish::settle;
use crate::replay::{BEGIN, File, order, replaying, status, until_state};
use crate::replay_private::{ticks, with_files};
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

/// Reads up to the next epoch and the snapshots of two symbols that follow it.
async fn until_epoch(client: &mut Client) -> (Value, [Value; 2]) {
    let epoch = client.until("the epoch", |message| message["type"] == "epoch").await.pop().unwrap();
    (epoch, [client.next_message().await, client.next_message().await])
}

#[actix_web::test]
async fn a_bar_that_is_open_at_a_seek_is_never_final() {
    let file = File::ticks("open-bar", 60_000, 1_000_000);
    let (server, clock) = spawn_app_at_rest(|settings| {
        replaying(settings, &[file.name()]);
        settings.feed.speed = 100.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "bars.1m"]).await;
    assert_eq!(order(&server, "resume").await.status, 200);
    // Two minutes and a half, and not to the end of the third.
    let mut seen = Vec::new();
    while !seen.iter().any(|message: &Value| message["ts"].as_i64().is_some_and(|ts| ts >= BEGIN + 150_000_000)) {
        clock.advance_micros(50_000);
        settle(&server).await;
        seen.extend(client.sync().await);
    }
    assert_eq!(order(&server, &format!("seek?ts={}", BEGIN + 59_000_000_000)).await.status, 200);
    // The file is read up there meanwhile.
    clock.advance_micros(3_000_000);
    seen.extend(client.until("the epoch", |message| message["type"] == "epoch").await);
    let bars = seen.iter().filter(|message| message["type"] == "bar");
    let bars: Vec<_> = bars.map(|bar| (bar["ts"].as_i64().unwrap() - BEGIN) / 60_000_000).collect();
    assert_eq!(bars, [0, 0, 1, 1], "of each symbol those of two whole minutes");
}

#[actix_web::test]
async fn two_clients_see_a_pause_a_step_and_a_seek_back_and_an_old_cursor_leads_to_snapshots() {
    let file = File::ticks("seek", 600, 1_000_000);
    let server = spawn_app(|settings| replaying(settings, &[file.name()]));
    let mut clients = [Client::connect(server.address).await, Client::connect(server.address).await];
    for client in &mut clients {
        client.subscribe(&["*"], &["trades", "quotes"]).await;
    }
    let paused = status(&server).await;
    assert_eq!(
        (&paused["state"], &paused["kind"], &paused["paused"]),
        (&json!("paused"), &json!("replay"), &json!(true))
    );
    assert_eq!(order(&server, "step?events=3").await.status, 200);
    let mut seen = Vec::new();
    for client in &mut clients {
        seen.push(client.events(3).await);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(status(&server).await["file_ts"], BEGIN + 2_000_000);
    let cursor = json!({"epoch": clients[0].welcome["epoch"], "offset": 3});

    assert_eq!(order(&server, "resume").await.status, 200);
    until_state(&server, "ended").await;
    assert_eq!(order(&server, "pause").await.status, 200);
    assert_eq!(order(&server, &format!("seek?ts={}", BEGIN + 60_000_000)).await.status, 200);
    let sought = until_state(&server, "paused").await;
    assert_eq!(sought["file_ts"], BEGIN + 60_000_000);
    let mut epochs = Vec::new();
    for client in &mut clients {
        let (epoch, snapshots) = until_epoch(client).await;
        assert_eq!(epoch["moved"], true);
        assert_ne!(epoch["epoch"], client.welcome["epoch"]);
        for snapshot in &snapshots {
            assert_eq!(snapshot["offset"], epoch["offset"]);
            assert!(snapshot["ts"].as_i64().unwrap() < BEGIN + 60_000_000, "{snapshot}");
        }
        epochs.push(epoch);
    }
    assert_eq!(epochs[0], epochs[1]);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        let request =
            json!({"action": "subscribe", "symbols": ["AA", "BB"], "channels": ["trades", "quotes"], "after": cursor});
        let answer = client.ask(request).await.pop().unwrap();
        assert_eq!(answer["recovered"], false);
        clients[seen.len()] = client;
        seen.push(());
    }
    let snapshots = get(server.address, "/api/v1/snapshot").await.json();
    let at = |symbol: usize| snapshots["snapshots"][symbol]["ts"].as_i64().unwrap();
    assert!(at(0) < BEGIN + 60_000_000 && at(1) < BEGIN + 60_000_000, "{snapshots}");
    let minutes = get(server.address, "/api/v1/bars?symbol=AA&interval=1m&limit=100").await.json();
    assert_eq!(minutes["bars"].as_array().unwrap().len(), 1, "one minute has passed: {minutes}");
    assert_eq!(minutes["offset"], snapshots["offset"], "bars and snapshots join at once");
    assert_eq!(order(&server, "step?events=2").await.status, 200);
    let mut seen = Vec::new();
    for client in &mut clients {
        seen.push(client.events(2).await);
    }
    assert_eq!(seen[0], seen[1]);
    let times: Vec<_> =
        seen[0].iter().filter(|message| is_event(message)).map(|event| event["ts"].as_i64().unwrap() - BEGIN).collect();
    assert_eq!(times, [60_000_000, 61_000_000], "the first event at the time of the seek follows");
}

#[actix_web::test]
async fn a_seek_is_in_the_ids_of_a_stream_and_in_the_cursor_of_a_poll() {
    let file = File::ticks("seek_ids", 600, 1_000_000);
    let server = spawn_app(|settings| replaying(settings, &[file.name()]));
    let query = "symbols=AA,BB&channels=trades,quotes";
    let mut stream = EventSource::open(server.address, query).await;
    assert_eq!(order(&server, "step?events=3").await.status, 200);
    let mut left = 3;
    stream
        .until("three events", |message| {
            left -= usize::from(is_event(message));
            left == 0
        })
        .await;
    let before = stream.last_id.clone().unwrap();
    let poll = async |after: &str, wait_ms: u32| {
        get(server.address, &format!("/api/v1/poll?{query}&after={after}&wait_ms={wait_ms}")).await.json()
    };
    // The poll waits while the replay is sought.
    let seek = async {
        wait_until("a poll waits", 1, || server.metrics.polls_waiting.get()).await;
        order(&server, &format!("seek?ts={}", BEGIN + 60_000_000)).await
    };
    let (mut polled, sought) = futures_util::join!(poll(&before, 25_000), seek);
    assert_eq!(sought.status, 200);
    let is_snapshot = |message: &Value| message["type"] == "snapshot";
    let of = |polled: &Value| polled["messages"].as_array().unwrap().clone();
    // That the replay is being sought is told first.
    while !of(&polled).iter().any(is_snapshot) {
        assert_eq!(polled["recovered"], true, "{polled}");
        polled = poll(polled["cursor"].as_str().unwrap(), 25_000).await;
    }
    let epoch = stream.until("the epoch", |message| message["type"] == "epoch").await.pop().unwrap();
    let messages = of(&polled);
    let first = messages.iter().position(is_snapshot).unwrap();
    assert_eq!(messages.iter().filter(|message| is_snapshot(message)).count(), 2, "{polled}");
    assert_eq!(polled["epoch"], epoch["epoch"]);
    if polled["recovered"] == true {
        assert_eq!(messages[first - 1], epoch, "{polled}");
    } else {
        assert_eq!(first, 0, "it came after the seek: {polled}");
    }
    for _ in 0..2 {
        stream.until("a snapshot", is_snapshot).await;
    }
    let after = stream.last_id.clone().unwrap();
    assert_eq!(after, format!("{}:{}", epoch["epoch"].as_str().unwrap(), epoch["offset"]));
    assert_eq!(polled["cursor"], json!(after));
    assert_eq!(order(&server, "step?events=2").await.status, 200);
    let recovered = async |after: &str| poll(after, 0).await["recovered"].clone();
    assert_eq!(recovered(&after).await, true);
    assert_eq!(recovered(&before).await, false, "of the time before");
    let (_, offset) = before.rsplit_once(':').unwrap();
    let renamed = format!("{}:{offset}", epoch["epoch"].as_str().unwrap());
    assert_eq!(recovered(&renamed).await, false, "of the time before, under the new name");
}

#[actix_web::test]
async fn a_replay_for_one_client_refuses_a_cursor_from_before_its_seek() {
    let folder = ticks(600);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv&paused=true").await;
    client.subscribe(&["AA"], &["trades"]).await;
    client.send_json(&json!({"action": "step", "events": 4})).await;
    let before = client.events(1).await.pop().unwrap()["offset"].clone();
    client.ask(json!({"action": "seek", "ts": BEGIN + 60_000_000})).await;
    let sought = client.until("the seek", |message| message["sought"] == true).await.pop().unwrap();
    let first = client.welcome["epoch"].clone();
    for (epoch, offset, recovered) in [
        (&first, &before, false),
        (&first, &sought["offset"], false),
        (&sought["epoch"], &before, false),
        (&sought["epoch"], &sought["offset"], true),
    ] {
        // Another session of this router there cannot be, but another symbol, whose old events are remembered.
        let after = json!({"epoch": epoch, "offset": offset});
        let request = json!({"action": "subscribe", "symbols": ["BB"], "channels": ["trades"], "after": after});
        assert_eq!(client.ask(request).await.pop().unwrap()["recovered"], recovered, "{epoch} {offset}");
        client.ask(json!({"action": "unsubscribe", "symbols": ["BB"]})).await;
    }
}

#[actix_web::test]
async fn a_client_of_a_vendor_is_closed_by_a_seek() {
    let file = File::ticks("seek_vendor", 600, 1_000_000);
    let server = spawn_app(|settings| replaying(settings, &[file.name()]));
    let mut client = JsonClient::open(server.address, "/?token=tickcast").await;
    client.send(&json!({"type": "subscribe", "symbol": "AA"})).await;
    client.send(&json!([])).await;
    assert_eq!(client.next().await, Ok(json!({"type": "error", "msg": "Invalid message"})), "it is subscribed");
    assert_eq!(order(&server, &format!("seek?ts={}", BEGIN + 60_000_000)).await.status, 200);
    let closed = patiently("the end of the session", async {
        loop {
            if let Err(closed) = client.next().await {
                break closed;
            }
        }
    });
    assert_eq!(closed.await, Closed(Some(4007)));
}
