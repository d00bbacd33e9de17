//! Fragmented messages (RFC 6455 section 5.4) are reassembled.

use crate::raw::{FRAGMENTS, PING, PONG, RawClient, TEXT, frame};
use crate::spawn::spawn_app_at_rest;

const LIST: &[u8] = "{\"action\":\"list\",\"id\":\"zerstückelt ü\"}".as_bytes();

/// Sends bytes and expects the answer to [`LIST`].
async fn is_understood(client: &mut RawClient, bytes: &[u8]) {
    client.send(bytes).await;
    let answer = String::from_utf8(client.next_of(TEXT).await).unwrap();
    assert_eq!(answer, r#"[{"type":"subscribed","id":"zerstückelt ü","subscriptions":[]}]"#);
}

#[actix_web::test]
async fn a_text_in_fragments_is_reassembled_wherever_it_is_cut() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    for cut in 0..=LIST.len() {
        let (first, second) = LIST.split_at(cut);
        is_understood(&mut client, &[frame(FRAGMENTS[0], first), frame(FRAGMENTS[2], second)].concat()).await;
    }
}

#[actix_web::test]
async fn a_text_in_fragments_of_one_byte_is_reassembled() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    for _ in 0..3 {
        let middle = LIST.iter().flat_map(|byte| frame(FRAGMENTS[1], &[*byte]));
        let bytes: Vec<_> =
            frame(FRAGMENTS[0], b"").into_iter().chain(middle).chain(frame(FRAGMENTS[2], b"")).collect();
        is_understood(&mut client, &bytes).await;
        is_understood(&mut client, &frame(TEXT, LIST)).await;
    }
}

#[actix_web::test]
async fn a_ping_between_fragments_is_answered_before_the_message() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    let (first, second) = LIST.split_at(10);
    client.send(&[frame(FRAGMENTS[0], first), frame(PING, b"meanwhile")].concat()).await;
    assert_eq!(client.next_of(PONG).await, b"meanwhile");
    is_understood(&mut client, &[frame(PONG, b"unasked"), frame(FRAGMENTS[2], second)].concat()).await;
}

#[actix_web::test]
async fn frames_are_understood_however_tcp_cuts_them() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    let bytes = [frame(FRAGMENTS[0], &LIST[..5]), frame(PING, b"x"), frame(FRAGMENTS[2], &LIST[5..])].concat();
    for byte in &bytes[..bytes.len() - 1] {
        client.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    is_understood(&mut client, &bytes[bytes.len() - 1..]).await;
}
