//! Unsubscribing: no event of the topic follows the answer.

use serde_json::json;

use crate::client::Client;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::{is_event, key_of};

#[actix_web::test]
async fn no_event_of_a_topic_follows_the_answer_to_its_unsubscribe() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL", "MSFT", "NVDA"], &["trades", "quotes"]).await;
    client.events(100).await;
    let request = json!({"action": "unsubscribe", "symbols": ["AAPL", "NVDA"]});
    let answer = client.ask(request).await.pop().unwrap();
    assert_eq!(answer["type"], "subscribed");
    let rest = json!([{"symbol": "MSFT", "channels": ["trades", "quotes"], "mode": "all"}]);
    assert_eq!(answer["subscriptions"], rest);
    let events = client.events(500).await;
    assert!(events.iter().all(|event| event["symbol"] == "MSFT"), "only what is left");
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn an_unsubscribe_of_one_channel_leaves_the_others() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let request = json!({"action": "unsubscribe", "symbols": ["*"], "channels": ["quotes"]});
    let answer = client.ask(request).await.pop().unwrap();
    assert_eq!(answer["subscriptions"], json!([{"symbol": "*", "channels": ["trades"], "mode": "all"}]));
    let events = client.events(500).await;
    assert!(events.iter().all(|event| event["type"] == "trade"));
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn unsubscribing_the_wildcard_keeps_the_named_symbols() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.ask(json!({"action": "unsubscribe", "symbols": ["*"]})).await;
    let events = client.events(300).await;
    assert!(events.iter().filter(|message| is_event(message)).all(|event| event["symbol"] == "AAPL"));
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn after_unsubscribing_from_everything_no_event_arrives() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL", "MSFT"], &["trades", "quotes"]).await;
    let answer = client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL", "MSFT"]})).await.pop().unwrap();
    assert_eq!(answer["subscriptions"], json!([]));
    clock.advance_micros(2_000_000);
    witness.events(500).await;
    let heard = client.sync().await;
    assert!(heard.is_empty(), "{heard:#?}");
}

#[actix_web::test]
async fn subscribing_again_begins_with_a_new_snapshot() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    for _ in 0..20 {
        client.subscribe(&["AAPL", "MSFT"], &["trades", "quotes"]).await;
        client.events(20).await;
        client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL"]})).await;
        let messages = client.events(10).await;
        assert!(messages.iter().filter_map(key_of).all(|(symbol, _)| symbol == "MSFT"));
    }
    // The view resets with each snapshot: if the snapshot had not joined with the events after it, some would be
    // missing.
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn unsubscribing_without_a_subscription_is_an_error_that_names_the_symbol() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.send_json(&json!({"action": "unsubscribe", "id": 4, "symbols": ["AAPL", "MSFT", "*"]})).await;
    let messages = client.until("the answer", |message| message["id"] == 4 && message["type"] == "subscribed").await;
    let error = messages.iter().find(|message| message["type"] == "error").unwrap();
    assert_eq!((&error["id"], &error["code"]), (&json!(4), &json!("not_subscribed")));
    assert_eq!(error["symbols"], json!(["MSFT", "*"]));
    assert_eq!(messages.last().unwrap()["subscriptions"], json!([]), "what was subscribed is ended");
}

#[actix_web::test]
async fn a_channel_that_was_not_subscribed_is_answered_with_an_error_and_the_others_end() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.subscribe(&["MSFT"], &["trades", "quotes"]).await;
    let unsubscribe = |symbols: &[&str], channels: &[&str]| json!({"action": "unsubscribe", "symbols": symbols, "channels": channels});
    let error = client.ask(unsubscribe(&["AAPL"], &["quotes"])).await.pop().unwrap();
    assert_eq!((&error["code"], &error["symbols"]), (&json!("not_subscribed"), &json!(["AAPL"])));
    for (symbols, channels, left) in [
        (vec!["AAPL", "MSFT"], vec!["quotes"], json!([["AAPL", ["trades"]], ["MSFT", ["trades"]]])),
        (vec!["MSFT", "AAPL"], vec!["bars.1m", "trades"], json!([])),
    ] {
        let error = client.ask(unsubscribe(&symbols, &channels)).await.pop().unwrap();
        assert_eq!(error["code"], "not_subscribed", "{symbols:?} {channels:?}");
        let answer = client.until("the answer", |message| message["type"] == "subscribed").await.pop().unwrap();
        let subscriptions = answer["subscriptions"].as_array().unwrap().iter();
        let subscriptions: Vec<_> = subscriptions.map(|each| json!([each["symbol"], each["channels"]])).collect();
        assert_eq!(json!(subscriptions), left);
    }
    client.subscribe(&["AAPL"], &["trades"]).await;
    let answer = client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL"]})).await.pop().unwrap();
    assert_eq!(answer["subscriptions"], json!([]), "without channels: all that are subscribed");
}
