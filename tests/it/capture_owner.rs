//! Captures of clients with keys: each belongs to the client that asked for it, and ends with its key.

use serde_json::json;

use crate::keyring::{KeyRing, entry, header_of};
use crate::observer::Observer;
use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

const ALL: &str = "symbols = [\"*\"]";

#[actix_web::test]
async fn a_capture_is_opened_by_the_client_that_asked_for_it_only() {
    let ring = KeyRing::new(&[entry("a", ALL), entry("b", ALL)]);
    for required in [true, false] {
        let server = spawn_app(|settings| {
            ring.require(settings);
            settings.auth.required = required;
        });
        let mut observer = Observer::start_as(server.address, Some(&header_of("a"))).await;
        let [a, b] = ["a", "b"].map(header_of);
        let cookie = observer.cookie.clone();
        let with = |key: Option<&'static str>| {
            let header = key.map(|key| if key == "a" { a.as_str() } else { b.as_str() });
            let more = header.map(|header| ("Authorization", Some(header)));
            more.into_iter().chain([("Cookie", Some(cookie.as_str()))]).collect::<Vec<_>>()
        };
        let (_, refused) = observer.open(server.address, &with(Some("b"))).await;
        let unknown = handshake(&with(Some("b"))).replace("/ws", "/handshake/ws?capture=0123456789abcdef");
        let unknown = RawClient::connect(server.address).await.request(&unknown).await;
        assert_eq!((refused.status, &refused.body), (404, &unknown.body), "as if there were none");
        let (_, nobody) = observer.open(server.address, &with(None)).await;
        assert_eq!(nobody.status, if required { 401 } else { 404 }, "{nobody:?}");
        let (_client, answer) = observer.open(server.address, &with(Some("a"))).await;
        assert_eq!(answer.status, 101, "the tries of others have not taken it: {answer:?}");
        assert_eq!(observer.next().await.unwrap().0, "request", "and are not shown");
    }
    // Without keys everybody is nobody, and the cookie tells browsers apart.
    let server = spawn_app(|settings| settings.auth.keys_file = ring.path.to_str().unwrap().into());
    let observer = Observer::start(server.address).await;
    let (_, refused) = observer.open(server.address, &[("Authorization", Some(&header_of("a")))]).await;
    assert_eq!(refused.status, 404);
    assert_eq!(observer.open(server.address, &[]).await.1.status, 101);
}

#[actix_web::test]
async fn a_capture_ends_with_the_key_that_asked_for_it_and_takes_no_place() {
    let expires = "expires = \"2026-03-02T15:05:05Z\"";
    let one = format!("{ALL}\nconnections_max = 1");
    let ring = KeyRing::new(&[entry("a", &one), entry("b", ALL), entry("c", &format!("{ALL}\n{expires}"))]);
    let (server, clock) = spawn_app_at_rest(|settings| ring.require(settings));
    let [a, b, c] = ["a", "b", "c"].map(header_of);
    let mut waiting = Observer::start_as(server.address, Some(&a)).await;
    let mut watching = Observer::start_as(server.address, Some(&a)).await;
    let mut expiring = Observer::start_as(server.address, Some(&c)).await;
    let mut other = Observer::start_as(server.address, Some(&b)).await;
    let (_client, answer) = watching.open(server.address, &[("Authorization", Some(&a))]).await;
    assert_eq!(answer.status, 101, "the one connection of the key is free");
    let (_, second) = waiting.open(server.address, &[("Authorization", Some(&a))]).await;
    assert_eq!(second.status, 429, "a captured socket is a connection like others");
    assert_eq!(waiting.next().await.unwrap().0, "refused");
    let mut waiting = Observer::start_as(server.address, Some(&a)).await;

    clock.advance_micros(59_876_543);
    let (mut others, answer) = other.open(server.address, &[("Authorization", Some(&b))]).await;
    assert_eq!(answer.status, 101);
    clock.advance_micros(1);
    assert_eq!(expiring.next().await.unwrap().0, "end");
    assert!(expiring.next().await.is_none());

    ring.write(&[entry("b", ALL), entry("c", ALL)]);
    server.keys.reload();
    for observer in [&mut waiting, &mut watching] {
        observer.until("end").await;
        assert!(observer.next().await.is_none(), "nothing follows");
    }
    wait_until("the other session", 1, || server.sessions()).await;
    others.send_frame(TEXT, json!({"action": "list", "id": 7}).to_string().as_bytes()).await;
    other.until_server_sent(b"\"id\":7").await;
}
