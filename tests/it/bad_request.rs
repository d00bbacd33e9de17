//! Invalid requests: each is answered with its error code, and all sessions go on.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::raw::{RawClient, TEXT};
use crate::spawn::{TestServer, spawn_app};

/// A session that makes mistakes, an older session, and their server, which is dropped last.
struct Scene {
    client: Client,
    witness: Client,
    server: TestServer,
}

impl Scene {
    async fn new() -> Self {
        let server = spawn_app(|_| {});
        let mut witness = Client::connect(server.address).await;
        witness.subscribe(&["*"], &["trades", "quotes"]).await;
        let client = Client::connect(server.address).await;
        Self { client, witness, server }
    }

    /// Sends a text; returns the error that answers it.
    async fn error(&mut self, text: &str) -> Value {
        self.client.send_text(text).await;
        let error = self.client.next_message().await;
        assert_eq!(error["type"], "error", "{text:.100}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert!(error.to_string().len() < 70_000, "no longer than what was sent");
        error
    }

    /// Sends each text and expects an error of this code.
    async fn refuses(mut self, code: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.error(text).await["code"], code, "{text:.100}");
        }
        self.lives_on().await;
    }

    /// Asserts that server and sessions work as before, and that nothing was subscribed by mistake.
    async fn lives_on(mut self) {
        let list = self.client.ask(json!({"action": "list"})).await.pop().unwrap();
        assert_eq!(list["subscriptions"], json!([]));
        self.client.subscribe(&["*"], &["trades"]).await;
        self.client.events(10).await;
        self.witness.events(10).await;
        assert_eq!((self.client.view.missing, self.witness.view.missing), (0, 0));
        assert_eq!(get(self.server.address, "/healthz").await.status, 200);
        assert_eq!(self.server.sessions(), 2);
    }
}

#[actix_web::test]
async fn text_that_is_not_json_is_bad_json() {
    let deep = "[".repeat(60_000);
    let texts = ["", " ", "{", "nonsense", "{'action':'list'}", "{\"action\":\"list\"} {}", "\u{0}", "NaN", &deep];
    Scene::new().await.refuses("bad_json", &texts).await;
}

#[actix_web::test]
async fn json_that_is_not_an_object_is_a_bad_request() {
    let texts = ["[]", "[{\"action\":\"list\"}]", "1", "-1e5", "null", "true", "\"list\""];
    Scene::new().await.refuses("bad_request", &texts).await;
}

#[actix_web::test]
async fn a_wrong_type_or_an_unknown_key_is_a_bad_request() {
    let texts = [
        r"{}",
        r#"{"action":null}"#,
        r#"{"action":1}"#,
        r#"{"action":["list"]}"#,
        r#"{"action":"list","id":1.5}"#,
        r#"{"action":"list","id":[]}"#,
        r#"{"action":"list","id":true}"#,
        r#"{"action":"list","id":{}}"#,
        r#"{"action":"list","id":18446744073709551616}"#,
        r#"{"action":"list","symbols":["AAPL"]}"#,
        r#"{"action":"list","extra":1}"#,
        r#"{"action":"ping","ts":"now"}"#,
        r#"{"action":"ping","ts":1.5}"#,
        r#"{"action":"ping","ts":[]}"#,
        r#"{"action":"subscribe"}"#,
        r#"{"action":"subscribe","symbols":null}"#,
        r#"{"action":"subscribe","symbols":"AAPL"}"#,
        r#"{"action":"subscribe","symbols":{"AAPL":1}}"#,
        r#"{"action":"subscribe","symbols":[1]}"#,
        r#"{"action":"subscribe","symbols":["AAPL",null]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":"trades"}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":{}}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":["trades",2]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channel":["trades"]}"#,
        r#"{"action":"unsubscribe"}"#,
        r#"{"action":"unsubscribe","symbols":7}"#,
    ];
    Scene::new().await.refuses("bad_request", &texts).await;
}

#[actix_web::test]
async fn an_empty_list_is_a_bad_request() {
    let texts = [
        r#"{"action":"subscribe","symbols":[]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":[]}"#,
        r#"{"action":"unsubscribe","symbols":[]}"#,
        r#"{"action":"unsubscribe","symbols":["AAPL"],"channels":[]}"#,
    ];
    Scene::new().await.refuses("bad_request", &texts).await;
}

#[actix_web::test]
async fn an_action_that_does_not_exist_is_an_unknown_action() {
    let texts = [r#"{"action":"dance"}"#, r#"{"action":""}"#, r#"{"action":"Subscribe","symbols":["AAPL"]}"#];
    Scene::new().await.refuses("unknown_action", &texts).await;
}

#[actix_web::test]
async fn a_channel_that_does_not_exist_is_an_unknown_channel_and_nothing_is_subscribed() {
    let texts = [
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":["bars"]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":["trades","news"]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":["TRADES"]}"#,
        r#"{"action":"unsubscribe","symbols":["AAPL"],"channels":[""]}"#,
    ];
    Scene::new().await.refuses("unknown_channel", &texts).await;
}

#[actix_web::test]
async fn an_invalid_cursor_is_a_bad_request() {
    let texts = [
        r#"{"action":"subscribe","symbols":["AAPL"],"after":[]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":"9c1f:48211"}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":{}}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":{"epoch":"9c1f"}}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":{"epoch":"9c1f","offset":-1}}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":{"epoch":"9c 1f","offset":48211}}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"after":{"epoch":"9c1f","offset":48211,"seq":1}}"#,
        r#"{"action":"unsubscribe","symbols":["AAPL"],"after":{"epoch":"9c1f","offset":48211}}"#,
    ];
    Scene::new().await.refuses("bad_request", &texts).await;
}

#[actix_web::test]
async fn an_invalid_mode_or_rate_is_a_bad_request() {
    let texts = [
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"newest"}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"latest","max_hz":0}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"latest","max_hz":-4}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"latest","max_hz":"4"}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"latest","max_hz":1e300}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"max_hz":4}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"mode":"latest","channels":["bars.1m"]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"on_lag":"explode"}"#,
    ];
    Scene::new().await.refuses("bad_request", &texts).await;
}

#[actix_web::test]
async fn unknown_symbols_alone_are_an_error_that_lists_them() {
    let mut scene = Scene::new().await;
    let error = scene.error(r#"{"action":"subscribe","id":"q","symbols":["XYZ","aapl1",""," AAP L","Ä"]}"#).await;
    assert_eq!((&error["id"], &error["code"]), (&json!("q"), &json!("unknown_symbol")));
    assert_eq!(error["symbols"], json!(["XYZ", "aapl1", "", " AAP L", "Ä"]));
    scene.lives_on().await;
}

#[actix_web::test]
async fn known_symbols_are_subscribed_and_one_error_lists_the_unknown_ones() {
    let mut scene = Scene::new().await;
    let request = json!({"action": "subscribe", "id": 9, "symbols": ["XYZ", "AAPL", "NOPE", "MSFT", "XYZ"]});
    scene.client.send_json(&request).await;
    let messages = scene.client.events(3).await;
    let answers: Vec<_> = messages.iter().filter(|message| message["id"] == 9).collect();
    assert_eq!(answers.len(), 2, "{messages:#?}");
    let of = |kind: &str| answers.iter().find(|answer| answer["type"] == kind).unwrap();
    assert_eq!((&of("error")["code"], &of("error")["symbols"]), (&json!("unknown_symbol"), &json!(["XYZ", "NOPE"])));
    assert_eq!(of("subscribed")["subscriptions"].as_array().unwrap().len(), 2);
    assert_eq!(scene.client.view.symbols().collect::<Vec<_>>(), ["AAPL", "MSFT"]);
    scene.client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL", "MSFT"]})).await;
    scene.lives_on().await;
}

#[actix_web::test]
async fn a_huge_list_of_unknown_symbols_is_an_error_and_of_known_ones_is_served() {
    let mut scene = Scene::new().await;
    let unknown: Vec<_> = (0..6_000).map(|number| format!("X{number:05}")).collect();
    let text = json!({"action": "subscribe", "symbols": unknown}).to_string();
    assert!((50_000..65_536).contains(&text.len()));
    let error = scene.error(&text).await;
    assert_eq!(error["code"], "unknown_symbol");
    assert_eq!(error["symbols"].as_array().unwrap().len(), 6_000);
    assert!(error["message"].as_str().unwrap().len() < 300);

    let known = vec!["AAPL"; 8_000];
    let answer = scene.client.ask(json!({"action": "subscribe", "symbols": known})).await.pop().unwrap();
    assert_eq!(answer["subscriptions"].as_array().unwrap().len(), 1);
    let channels = vec!["quotes"; 6_000];
    let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": channels});
    let answer = scene.client.ask(request).await.pop().unwrap();
    assert_eq!(answer["subscriptions"][0]["channels"], json!(["trades", "quotes"]));
    scene.client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL"]})).await;
    scene.lives_on().await;
}

#[actix_web::test]
async fn an_id_that_is_too_long_is_a_bad_request() {
    let mut scene = Scene::new().await;
    let longest = "i".repeat(128);
    let answer = json!({"action": "list", "id": longest});
    scene.client.send_json(&answer).await;
    assert_eq!(scene.client.next_message().await["id"], longest.as_str());
    let text = json!({"action": "list", "id": "i".repeat(129)}).to_string();
    scene.refuses("bad_request", &[&text]).await;
}

#[actix_web::test]
async fn a_repeated_key_does_no_harm() {
    let scene = Scene::new().await;
    let mut client = RawClient::open(scene.server.address).await;
    client.next_of(TEXT).await;
    client.send_frame(TEXT, br#"{"action":"ping","action":"list","id":1,"id":2}"#).await;
    assert!(client.next_of(TEXT).await.starts_with(br#"[{"type":"#));
    drop(client);
    crate::patience::wait_until("sessions", 2, || scene.server.sessions()).await;
    scene.lives_on().await;
}
