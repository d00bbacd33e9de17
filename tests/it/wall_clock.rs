//! A changed wall clock, and a process that was stopped: the market goes on, and jumps are announced with `gap`.

use std::sync::Arc;

use serde_json::Value;
use tickcast::domain::{Clock, ManualClock, Timestamp};

use crate::client::{ALL_CHANNELS, Client};
use crate::faked_clock::{FakedClock, machine_seconds};
use crate::http::get;
use crate::patience::wait_until;
use crate::poll::{messages, poll};
use crate::spawn::{START, TestServer, spawn_app_at};
use crate::view::said;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
const SYMBOLS: usize = 30;
/// Further events that come with a gap: the bars that it closes, and a day.
const GAP_EVENTS: u64 = SYMBOLS as u64 * 8;

/// 2000-01-01, 00:00:10 UTC: a board without a battery, some seconds after it was switched on.
const YEAR_2000: Timestamp = Timestamp::from_micros(946_684_810_000_000);

/// Starts a server with the default bound for catching up, and a client subscribed to everything.
async fn begin(start: Timestamp) -> (TestServer, Arc<ManualClock>, Client) {
    let (server, clock) = spawn_app_at(start, |settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.catch_up_max_ms = 10_000;
        settings.feed.events_per_second = 200.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &ALL_CHANNELS).await;
    clock.advance_micros(SECOND);
    client.events(100).await;
    (server, clock, client)
}

/// Advances the clock by a second, in steps that are each published.
async fn pass_second(server: &TestServer, clock: &ManualClock) {
    for _ in 0..10 {
        let published = server.metrics.events_published.get();
        clock.advance_micros(SECOND / 10);
        wait_until("the step", true, || server.metrics.events_published.get() > published).await;
    }
}

/// Asserts that no trade or quote is older than an earlier one, or than `since`. Returns the newest time.
fn assert_onward(messages: &[Value], since: i64) -> i64 {
    let stamps = messages.iter().filter(|message| message["type"] == "trade" || message["type"] == "quote");
    stamps.map(|message| message["ts"].as_i64().unwrap()).fold(since, |last, ts| {
        assert!(ts >= last, "{ts} after {last}");
        ts
    })
}

/// Reads until every symbol's gap has arrived. Returns its begin and end.
async fn read_gap(client: &mut Client) -> (i64, i64) {
    let mut left = SYMBOLS;
    let told = client
        .until("a gap of every symbol", |message| {
            left -= usize::from(message["type"] == "gap");
            left == 0
        })
        .await;
    let last = told.last().unwrap();
    for gap in told.iter().filter(|message| message["type"] == "gap") {
        assert_eq!((&gap["since"], &gap["ts"]), (&last["since"], &last["ts"]));
    }
    (last["since"].as_i64().unwrap(), last["ts"].as_i64().unwrap())
}

/// Asserts that the client's state equals the server's, and that no event is missing.
async fn assert_complete(server: &TestServer, client: &mut Client) {
    let answer = get(server.address, "/api/v1/snapshot").await.json();
    while client.view.offset < answer["offset"].as_u64().unwrap() {
        client.next_message().await;
    }
    for snapshot in answer["snapshots"].as_array().unwrap() {
        assert_eq!(client.view.snapshot(snapshot["symbol"].as_str().unwrap()), said(snapshot));
    }
    assert_eq!((client.view.missing, client.view.skipped), (0, 0));
}

#[actix_web::test]
async fn a_wall_clock_that_is_set_back_stops_no_events_and_repeats_none() {
    let (server, clock, mut client) = begin(START).await;
    let mut newest = START.micros();
    for (back, ahead_ms) in [(5, 0..5_001), (120, 115_000..125_001), (8 * 3_600, 28_915_000..28_925_001)] {
        clock.set_wall_micros(-back * SECOND);
        let published = server.metrics.events_published.get();
        pass_second(&server, &clock).await;
        pass_second(&server, &clock).await;
        newest = assert_onward(&client.events(200).await, newest);
        let ahead = server.metrics.feed_ahead_ms.get();
        assert!(ahead_ms.contains(&ahead), "{ahead} after {back} s");
        let published = server.metrics.events_published.get() - published;
        assert!((200..800).contains(&published), "{published} in two seconds");
    }
    assert_eq!((server.metrics.feed_clock_set_back.get(), server.metrics.feed_gaps.get()), (1, 0));
    assert_complete(&server, &mut client).await;
    // Set right again: a clock that had been too early causes no gap.
    clock.set_wall_micros((5 + 120 + 8 * 3_600) * SECOND);
    clock.advance_micros(SECOND);
    assert_onward(&client.events(100).await, newest);
    assert_eq!(server.metrics.feed_gaps.get(), 0);
}

#[actix_web::test]
async fn a_wall_clock_that_is_set_far_forward_makes_an_announced_gap_and_no_burst() {
    for (start, forward) in [(START, 8 * HOUR), (START, 14 * DAY), (YEAR_2000, 26 * 366 * DAY)] {
        let (server, clock, mut client) = begin(start).await;
        let cursor =
            poll(&server, "symbols=AAPL&channels=quotes&wait_ms=0").await["cursor"].as_str().unwrap().to_owned();
        let published = server.metrics.events_published.get();
        clock.set_wall_micros(forward);
        clock.advance_micros(1_000);
        let present = clock.now().micros();
        let (since, ts) = read_gap(&mut client).await;
        assert_eq!(ts, present);
        assert!((start.micros()..start.micros() + 2 * SECOND).contains(&since), "{since}");
        pass_second(&server, &clock).await;
        assert_onward(&client.events(50).await, ts);
        let published = server.metrics.events_published.get() - published;
        assert!((50..400 + GAP_EVENTS + 60).contains(&published), "{published} in a second");
        assert_eq!(server.metrics.feed_gaps.get(), 1);
        assert_complete(&server, &mut client).await;
        // A client that was disconnected gets the gap, too.
        let query = format!("symbols=AAPL&channels=quotes&wait_ms=0&after={cursor}");
        let answer = poll(&server, &query).await;
        let gaps: Vec<_> = messages(&answer).iter().filter(|message| message["type"] == "gap").collect();
        assert_eq!((gaps.len(), gaps[0]["ts"].as_i64(), gaps[0]["since"].as_i64()), (1, Some(ts), Some(since)));
    }
}

#[actix_web::test]
async fn a_stop_of_some_seconds_is_caught_up_and_a_longer_one_makes_a_gap() {
    let (server, clock, mut client) = begin(START).await;
    for stopped in [8, 10, 8] {
        let published = server.metrics.events_published.get();
        clock.advance_micros(stopped * SECOND);
        let expected = u64::try_from(stopped * 200).unwrap();
        wait_until("all that was missed", true, || {
            server.metrics.events_published.get() - published > expected * 8 / 10
        })
        .await;
        assert_complete(&server, &mut client).await;
        assert_eq!(server.metrics.feed_gaps.get(), 0, "after {stopped} s");
    }
    clock.advance_micros(11 * SECOND);
    let (since, ts) = read_gap(&mut client).await;
    assert_eq!(ts, clock.now().micros());
    assert!((10 * SECOND..12 * SECOND).contains(&(ts - since)), "{since} to {ts}");
    assert_complete(&server, &mut client).await;
    assert_eq!(server.metrics.feed_gaps.get(), 1);
}

/// Set back by two minutes, forward by eight hours and by two weeks, through the real binary.
#[actix_web::test]
async fn the_wall_clock_of_the_real_binary_is_set_and_its_stream_goes_on() {
    let faked = FakedClock::ahead(0);
    let mut process = faked.spawn(&[]).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &["trades", "quotes", "bars.1m"]).await;
    let mut newest = assert_onward(&client.events(200).await, 0);
    faked.set_ahead(-120);
    assert!(process.next_line().await.contains("was set back"));
    newest = assert_onward(&client.events(300).await, newest);
    for ahead in [8 * 3_600, 14 * 86_400] {
        faked.set_ahead(ahead);
        let (since, ts) = read_gap(&mut client).await;
        assert!(since >= newest && ts >= machine_seconds() * SECOND + (ahead - 120) * SECOND, "{since} to {ts}");
        newest = assert_onward(&client.events(300).await, ts);
        while !process.next_line().await.contains("goes on from the present") {}
    }
    assert_eq!((client.view.missing, client.view.skipped), (0, 0));
    let metrics = get(process.address, "/metrics").await;
    assert!(metrics.text().contains("tickcast_feed_gaps_total 2\n"), "{}", metrics.text());
}

#[actix_web::test]
async fn the_real_binary_started_in_the_year_2000_jumps_to_the_present_when_its_clock_is_set_right() {
    let behind = machine_seconds() - YEAR_2000.micros() / SECOND;
    let faked = FakedClock::ahead(-behind);
    let process = faked.spawn(&[]).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &["trades", "quotes", "bars.1m"]).await;
    assert!(assert_onward(&client.events(200).await, 0) < YEAR_2000.micros() + HOUR);
    let right = machine_seconds() * SECOND;
    faked.set_ahead(0);
    let (since, ts) = read_gap(&mut client).await;
    assert!(since < YEAR_2000.micros() + HOUR && ts >= right, "{since} to {ts}");
    assert_onward(&client.events(300).await, ts);
    assert_eq!((client.view.missing, client.view.skipped), (0, 0));
}

#[actix_web::test]
async fn midnight_passes_over_the_real_binary_with_1030_symbols() {
    let faked = FakedClock::ahead(0);
    let process = faked.spawn(&[("TICKCAST__FEED__EXTRA_SYMBOLS", "1000")]).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    // However long the start takes, two seconds are left to midnight.
    let now = machine_seconds();
    let midnight = (now / 86_400 + 1) * 86_400;
    faked.set_ahead(midnight - now - 2);
    let mut left = 1_030;
    client
        .until("the day of every symbol", |message| {
            left -= usize::from(message["type"] == "day");
            left == 0
        })
        .await;
    let answer = get(process.address, "/api/v1/snapshot").await.json();
    for snapshot in answer["snapshots"].as_array().unwrap() {
        assert!(snapshot["ts"].as_i64().unwrap() >= midnight * SECOND, "{snapshot}");
        // A few trades at most since midnight: a day has thousands of shares of each symbol.
        let [open, close] = [&snapshot["open"], &snapshot["prev_close"]];
        assert!(snapshot["volume"] != 0 || open == close, "{snapshot}");
        assert!(snapshot["volume"].as_u64().unwrap() < 100_000, "{snapshot}");
    }
}
