//! Faults of the data: against a witness that gets the same events, each fault changes what it says and nothing else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::faulty_client::FaultyClient;
use crate::http::get;
use crate::patience::wait_until;
use crate::spawn::spawn_app;

/// Events that are compared.
const EVENTS: usize = 600;

/// The events of the faulty client and of its witness, between the same offsets.
struct Compared {
    faulty: Vec<Value>,
    witness: Vec<Value>,
    broken: Vec<String>,
    /// Strikes by the metric.
    struck: u64,
}

/// Runs a server with this rule for one client.
async fn compare(rule: Value) -> Compared {
    let kind = rule["kind"].as_str().unwrap().to_owned();
    let kind = tickcast::metrics::FAULT_KINDS.into_iter().find(|each| *each == kind).unwrap();
    let mut rule = rule;
    rule["client"] = json!("bot");
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 2_000.0;
        settings.faults = vec![serde_json::from_value(rule).unwrap()];
    });
    let mut witness = FaultyClient::subscribed(server.address, "witness").await;
    witness.until("events", |witness| !witness.events().is_empty()).await;
    let mut faulty = FaultyClient::subscribed(server.address, "bot").await;
    let answered = |client: &FaultyClient| client.messages.iter().any(|message| message["type"] == "subscribed");
    faulty.until("an answer", answered).await;
    faulty.until("events", |faulty| faulty.events().len() + faulty.broken.len() > EVENTS).await;
    let end = faulty.offset();
    witness.until("the same events", |witness| witness.offset() > end).await;
    assert!(witness.broken.is_empty());
    // A slow machine must not make a lag: then both would be incomplete.
    assert!([&faulty, &witness].iter().all(|client| client.messages.iter().all(|message| message["type"] != "lag")));
    let snapshot = faulty.messages.iter().find(|message| message["type"] == "snapshot").unwrap();
    let begin = snapshot["offset"].as_u64().unwrap();
    let between = |client: &FaultyClient| -> Vec<Value> {
        let is_between = |event: &&&Value| (begin + 1..=end).contains(&event["offset"].as_u64().unwrap());
        client.events().iter().filter(is_between).map(|event| (*event).clone()).collect()
    };
    Compared {
        faulty: between(&faulty),
        witness: between(&witness),
        broken: faulty.broken,
        struck: server.metrics.faults(kind),
    }
}

fn offset(event: &Value) -> u64 {
    event["offset"].as_u64().unwrap()
}

/// Returns the events by offset, with how often each came.
fn counted(events: &[Value]) -> BTreeMap<u64, (Value, usize)> {
    let mut counted = BTreeMap::new();
    for event in events {
        let entry = counted.entry(offset(event)).or_insert((event.clone(), 0));
        assert_eq!(entry.0, *event, "the same event");
        entry.1 += 1;
    }
    counted
}

fn is_sorted(events: &[Value]) -> bool {
    events.windows(2).all(|pair| offset(&pair[0]) <= offset(&pair[1]))
}

#[actix_web::test]
async fn gap_leaves_events_out_and_changes_nothing_else() {
    let Compared { faulty, witness, struck, .. } = compare(json!({"kind": "gap", "chance": 0.1, "seed": 3})).await;
    let (given, sent) = (counted(&faulty), counted(&witness));
    assert!(is_sorted(&faulty) && given.values().all(|(_, times)| *times == 1));
    assert!(given.iter().all(|(offset, event)| sent[offset] == *event), "those that came are as they were");
    let missing = u64::try_from(sent.len() - given.len()).unwrap();
    // Events may be left out between the last one that came and the count of the metric.
    assert!((20..=struck).contains(&missing), "{missing} of {struck}");
}

#[actix_web::test]
async fn gap_leaves_out_as_many_events_as_it_may() {
    let Compared { faulty, witness, struck, .. } =
        compare(json!({"kind": "gap", "times": 7, "after_messages": 100})).await;
    assert_eq!((witness.len() - faulty.len(), struck), (7, 7));
    let (given, sent) = (counted(&faulty), counted(&witness));
    let missing: Vec<_> = sent.keys().filter(|offset| !given.contains_key(offset)).collect();
    assert_eq!(missing.len(), 7);
    assert!(sent.range(missing[0]..=missing[6]).count() == 7, "one after another: {missing:?}");
}

#[actix_web::test]
async fn duplicate_sends_events_twice_and_changes_nothing_else() {
    let Compared { faulty, witness, struck, .. } =
        compare(json!({"kind": "duplicate", "chance": 0.2, "times": 50})).await;
    let given = counted(&faulty);
    assert!(is_sorted(&faulty));
    assert_eq!(given.keys().collect::<Vec<_>>(), counted(&witness).keys().collect::<Vec<_>>());
    let twice = given.values().filter(|(_, times)| *times == 2).count();
    assert_eq!((twice, faulty.len()), (50, witness.len() + 50));
    assert_eq!(struck, 50);
}

#[actix_web::test]
async fn reorder_swaps_neighbours_of_a_topic_and_changes_nothing_else() {
    let Compared { faulty, witness, struck, .. } =
        compare(json!({"kind": "reorder", "chance": 0.2, "times": 20})).await;
    let (given, sent) = (counted(&faulty), counted(&witness));
    // Some of the late ones may still be waiting for their successors.
    assert!(sent.len() - given.len() <= 10);
    assert!(given.iter().all(|(offset, event)| sent[offset] == *event));
    let topic = |event: &Value| (event["symbol"].to_string(), event["type"].to_string());
    let mut last = BTreeMap::new();
    let mut swapped = 0;
    for event in &faulty {
        let seq = event["seq"].as_u64().unwrap();
        let newest = last.entry(topic(event)).or_insert(seq);
        if seq < *newest {
            assert_eq!(seq + 1, *newest, "directly behind its successor");
            swapped += 1;
        }
        *newest = seq.max(*newest);
    }
    assert!(swapped <= struck && swapped >= 10, "{swapped} of {struck}");
}

#[actix_web::test]
async fn garbage_breaks_the_frames_of_some_events_and_no_others() {
    let Compared { faulty, witness, broken, struck } =
        compare(json!({"kind": "garbage", "chance": 0.5, "times": 9})).await;
    assert_eq!((broken.len(), struck), (9, 9));
    assert!(broken.iter().all(|text| text.starts_with("[{\"type\":\"")), "the beginning of a message: {broken:?}");
    assert_eq!(witness.len() - faulty.len(), 9);
    let sent = counted(&witness);
    assert!(faulty.iter().all(|event| sent[&offset(event)].0 == *event));
}

/// Compares events that have come with other values.
async fn changed(rule: Value, is_wrong: impl Fn(&Value, &Value) -> bool) {
    let Compared { faulty, witness, struck, .. } = compare(rule.clone()).await;
    let (given, sent) = (counted(&faulty), counted(&witness));
    assert_eq!(given.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
    let wrong: Vec<_> = given.iter().filter(|(offset, event)| sent[offset] != **event).collect();
    assert!(wrong.len() >= 10 && wrong.len() <= usize::try_from(struck).unwrap(), "{rule}: {} {struck}", wrong.len());
    for (offset, (event, _)) in wrong {
        let right = &sent[offset].0;
        assert!(is_wrong(event, right), "{rule}: {event} in place of {right}");
        assert_eq!(
            (&event["seq"], &event["symbol"], &event["size"]),
            (&right["seq"], &right["symbol"], &right["size"])
        );
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[actix_web::test]
async fn bad_price_crosses_quotes_and_leaves_trades_alone() {
    changed(json!({"kind": "bad_price", "price": "crossed", "chance": 0.1}), |event, right| {
        event["type"] == "quote" && event["bid"] == right["ask"] && number(&event["bid"]) > number(&event["ask"])
    })
    .await;
}

#[actix_web::test]
async fn bad_price_sends_zeros_and_spikes() {
    changed(json!({"kind": "bad_price", "price": "zero", "chance": 0.1}), |event, _| {
        let prices = [&event["price"], &event["bid"], &event["ask"]];
        prices.iter().filter(|price| !price.is_null()).all(|price| number(price) == 0.0)
    })
    .await;
    changed(json!({"kind": "bad_price", "price": "spike", "chance": 0.1}), |event, right| {
        let names = if event["type"] == "trade" { vec!["price"] } else { vec!["bid", "ask"] };
        names.iter().all(|name| (number(&event[*name]) - 10.0 * number(&right[*name])).abs() < 1e-6)
    })
    .await;
}

#[actix_web::test]
async fn time_skew_moves_the_time_of_events() {
    changed(json!({"kind": "time_skew", "ms": -90_000, "chance": 0.2}), |event, right| {
        event["ts"].as_i64() == right["ts"].as_i64().map(|ts| ts - 90_000_000)
    })
    .await;
}

#[actix_web::test]
async fn a_fault_that_is_removed_ends_at_once() {
    let server = spawn_app(|_| {});
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    let rule = server.add_fault(&json!({"kind": "garbage", "client": "bot"})).await;
    client.until("broken frames", |client| client.broken.len() > 10).await;
    server.remove_fault(rule).await;
    let listed = get(server.address, "/faults").await.json();
    assert_eq!(listed, json!({"faults": []}));
    let before = client.events().len();
    client.until("events", |client| client.events().len() > before + 10).await;
    let broken = client.broken.len();
    client.until("events", |client| client.events().len() > before + 200).await;
    assert_eq!(client.broken.len(), broken);
    wait_until("strikes", u64::try_from(broken).unwrap(), || server.metrics.faults("garbage")).await;
}
