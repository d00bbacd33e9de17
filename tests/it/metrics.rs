//! `/metrics`: every value is right, on every transport, and every metric exists from the start.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{PING, PONG, RawClient, TEXT};
use crate::secure::Pair;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

/// Pace of pings of a client that reads nothing.
const PACE: Duration = Duration::from_millis(1);

/// Returns every sample: its name with its labels, and its value.
async fn samples(server: std::net::SocketAddr) -> BTreeMap<String, f64> {
    let text = get(server, "/metrics").await.text().to_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

#[actix_web::test]
async fn no_metric_appears_only_with_its_first_increment() {
    let server = spawn_app(|_| {});
    let before = samples(server.address).await;
    for name in
        ["errors_total{code=\"bad_json\"}", "closes_total{reason=\"flood\"}", "recoveries_total{recovered=\"true\"}"]
    {
        assert_eq!(before.get(&format!("tickcast_{name}")), Some(&0.0), "{name}");
    }
    let mut client = Client::connect(server.address).await;
    client.send_json(&json!({"action": "dance"})).await;
    client.until("the error", |message| message["type"] == "error").await;
    client.subscribe(&["*"], &["trades"]).await;
    client.events(10).await;
    for path in ["/nowhere", "/api/v1/poll", "/api/v1/stream?symbols=XYZ", "/ws", "/api/v1/poll?symbols=AAPL&after=a:1"]
    {
        get(server.address, path).await;
    }
    drop(client);
    wait_until("sessions", 0, || server.sessions()).await;
    let after = samples(server.address).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[actix_web::test]
async fn errors_are_counted_on_every_transport() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for (path, code) in [
        ("/api/v1/poll?symbols=XYZ", "unknown_symbol"),
        ("/api/v1/stream?symbols=XYZ", "unknown_symbol"),
        ("/api/v1/snapshot?symbols=XYZ", "unknown_symbol"),
        ("/api/v1/bars?symbol=XYZ", "unknown_symbol"),
        ("/api/v1/poll?symbols=AAPL&channels=news", "unknown_channel"),
        ("/api/v1/poll", "bad_request"),
        ("/nowhere", "not_found"),
        ("/ws", "upgrade_required"),
    ] {
        let name = format!("tickcast_errors_total{{code=\"{code}\"}}");
        let before = samples(server.address).await[&name];
        get(server.address, path).await;
        let after = samples(server.address).await[&name];
        assert!((after - before - 1.0).abs() < f64::EPSILON, "{path}: {before} to {after}");
    }
}

#[actix_web::test]
async fn refused_connections_and_incomplete_requests_are_counted_as_errors_too() {
    let pair = Pair::new("refusals");
    let server = spawn_app(|settings| {
        pair.configure(settings);
        settings.server.request_timeout_ms = 200;
    });
    let too_long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (address, request, status, code) in [
        (server.address, "GET / HTTP/1.1\r\n", "408", "request_timeout"),
        (server.address, too_long.as_str(), "431", "head_too_long"),
        (server.tls_address.unwrap(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400", "tls_required"),
    ] {
        let name = format!("tickcast_errors_total{{code=\"{code}\"}}");
        assert_eq!(samples(server.address).await.get(&name), Some(&0.0), "{code}");
        let mut client = RawClient::connect(address).await;
        client.send(request.as_bytes()).await;
        assert!(client.rest().await.starts_with(&format!("HTTP/1.1 {status} ")), "{code}");
        assert_eq!(samples(server.address).await.get(&name), Some(&1.0), "{code}");
    }
}

#[actix_web::test]
async fn writes_and_bytes_include_those_of_every_connection() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for path in ["/api/v1/snapshot", "/api/v1/poll?symbols=*&wait_ms=0", "/", "/api/v1/bars?symbol=AAPL"] {
        let (writes, bytes) = (server.metrics.writes.get(), server.metrics.bytes_written.get());
        let answer = get(server.address, path).await;
        // The test may read the answer before the server counts its write.
        let is_counted = || {
            let written = server.metrics.bytes_written.get() - bytes;
            server.metrics.writes.get() > writes && written > answer.body.len() as u64
        };
        wait_until(path, true, is_counted).await;
    }
}

#[actix_web::test]
async fn a_rest_snapshot_does_not_count_as_a_session() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let opened = || server.metrics.sessions_opened.get();
    for path in ["/api/v1/snapshot", "/api/v1/snapshot?symbols=AAPL", "/api/v1/symbols", "/api/v1/bars?symbol=AAPL"] {
        assert_eq!(get(server.address, path).await.status, 200, "{path}");
        assert_eq!(opened(), 0, "{path}: none has begun, not even for as long as it was answered");
    }
    let _session = Client::connect(server.address).await;
    assert_eq!(opened(), 1);
    get(server.address, "/api/v1/poll?symbols=AAPL").await;
    assert_eq!(opened(), 2);
}

#[actix_web::test]
async fn pings_without_a_pong_are_counted() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.control_frames_per_second_max = 1_000_000;
        settings.server.write_buffer_bytes = 1_024;
        settings.server.unsent_bytes_max = 1_024;
    });
    let mut client = RawClient::open_narrow(server.address).await;
    // The client reads nothing until its socket is jammed and pongs have been dropped.
    let mut sent = 0;
    let jamming = async {
        while server.metrics.pongs_skipped.get() == 0 {
            client.send_frame(PING, &[0; 125]).await;
            sent += 1;
            tokio::time::sleep(PACE).await;
        }
    };
    patiently("pongs to be skipped", jamming).await;
    client.send_frame(PING, b"last").await;
    sent += 1;
    let mut answered = 1;
    while client.next_of(PONG).await != b"last" {
        answered += 1;
    }
    assert_eq!(server.metrics.pongs_skipped.get() + answered, sent);
}

#[actix_web::test]
async fn skipped_events_are_counted_when_they_are_skipped() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.push.outbox_events_max = 100;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.feed.events_per_second = 5_000.0;
    });
    let mut jammed = RawClient::open_narrow(server.address).await;
    jammed.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#).await;
    wait_until("session", 1, || server.sessions()).await;
    // The client reads nothing at all, so it never gets the `lag`.
    let skipping = async {
        while server.metrics.events_skipped.get() == 0 {
            // A few events per step of the feed: more at once would be a burst, which is left in the ring.
            clock.advance_micros(1_000);
            let steps = server.metrics.feed_steps.get();
            wait_until("a step of the feed", true, || server.metrics.feed_steps.get() > steps + 1).await;
        }
    };
    patiently("events to be skipped", skipping).await;
    assert_eq!(server.metrics.lags.get(), 1);
    drop(jammed);
}

#[actix_web::test]
async fn offsets_of_the_hubs_and_the_feed_and_the_age_of_events_are_exported() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 2_000.0);
    let mut source = EventSource::open(server.address, "symbols=*&channels=trades,quotes").await;
    // The events received; each message of the stream is a write.
    let (mut events, mut writes) = (0_u32, 0_u32);
    let mut read = async |events: &mut u32, writes: &mut u32| {
        let messages = source.next_messages().await.expect("the stream goes on");
        let found = messages.iter().filter(|message| is_event(message)).count();
        *events += u32::try_from(found).unwrap();
        *writes += u32::from(found > 0);
    };
    while events < 2_000 {
        clock.advance_micros(10_000);
        read(&mut events, &mut writes).await;
        while u64::from(events) < server.metrics.events_delivered.get() {
            read(&mut events, &mut writes).await;
        }
    }
    // The market stands still, so the counts reach those of the client.
    let told = async {
        loop {
            let samples = samples(server.address).await;
            while u64::from(events) < server.metrics.events_delivered.get() {
                read(&mut events, &mut writes).await;
            }
            let told =
                ["events_delivered_total", "event_age_seconds_count", "hub_offset{hub=\"0\"}", "hub_offset{hub=\"1\"}"]
                    .map(|name| samples[&format!("tickcast_{name}")]);
            let head = samples["tickcast_feed_offset"];
            let got = [f64::from(events), f64::from(writes), head, head];
            let is_so = told.iter().zip(&got).all(|(told, got)| told.total_cmp(got).is_eq());
            if is_so && samples["tickcast_writes_total"] >= f64::from(writes) {
                return samples;
            }
        }
    };
    let samples = patiently("one age per write of events, and the hubs at the feed's offset", told).await;
    assert!(writes > 10 && samples["tickcast_feed_offset"] >= 2_000.0, "{writes}");
    assert!(samples["tickcast_feed_lag_seconds"] >= 0.0 && samples["tickcast_feed_steps_total"] > 0.0);
}

#[actix_web::test]
async fn one_write_in_sixteen_is_timed_until_the_kernel_has_it() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 2_000.0;
        settings.server.workers = 1;
    });
    let mut client = Client::connect(server.address).await;
    let timed = || server.metrics.kernel_write.buckets().into_iter().map(|(_, count)| count).sum::<u64>();
    wait_until("the first write", 1, timed).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    // Each write is a frame.
    for _ in 0..40 {
        client.next_frame().await;
    }
    assert!((3..=60).contains(&timed()), "{}", timed());
    assert!(server.metrics.writes.get() >= 40);
}
