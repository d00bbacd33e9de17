//! Traffic accounts over TLS: the bytes of the TCP connection, with the overhead of TLS apart.

use crate::raw::{RawClient, TEXT, frame, handshake};
use crate::secure::{Pair, SecureStream};
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::traffic::{Bytes, contents, poll, settled};

/// Adds the bytes of the client's socket to those that the client has counted within TLS.
fn on_the_wire(client: &RawClient<SecureStream>, up: &mut Bytes, down: &mut Bytes) {
    let socket = client.stream.get_ref().0;
    (up.wire, down.wire) = (socket.bytes_up, socket.bytes_down);
    (up.tls, down.tls) = (up.wire - client.bytes_up, down.wire - client.bytes_down);
    assert!(up.tls > 200 && down.tls > 500, "there was a handshake: {up:?} {down:?}");
}

#[actix_web::test]
async fn polls_over_tls_are_accounted_to_the_byte() {
    let pair = Pair::new("polls");
    let server = spawn_app(|settings| pair.configure(settings));
    let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    let (mut up, mut down, mut cursor) = (Bytes::default(), Bytes::default(), None);
    let mut events = 0;
    for _ in 0..10 {
        let after = cursor.map_or(String::new(), |cursor| format!("&after={cursor}"));
        let query = format!("symbols=*&channels=trades,quotes&client=a{after}");
        let (these, next) = poll(&mut client, &query, &mut up, &mut down).await;
        events += these;
        cursor = Some(next);
    }
    on_the_wire(&client, &mut up, &mut down);
    let figures = settled(&server, "a", "long_poll", up, down).await;
    assert_eq!(figures["events"], events);
    assert_eq!((figures["requests"].as_u64(), figures["connections"].as_u64()), (Some(10), Some(1)));
}

#[actix_web::test]
async fn a_websocket_over_tls_is_accounted_to_the_byte() {
    let pair = Pair::new("websocket");
    let (server, clock) = spawn_app_at_rest(|settings| pair.configure(settings));
    let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    let request = handshake(&[]).replacen("/ws", "/ws?client=a", 1);
    let head = client.request(&request).await.head;
    let (mut up, mut down) = (Bytes::default(), Bytes::default());
    (up.headers, down.headers) = (request.len() as u64, head.len() as u64);
    let mut said = String::new();
    for (request, answers) in [
        (r#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#, 1),
        (r#"{"action":"unsubscribe","symbols":["*"]}"#, 2),
    ] {
        let frame = frame(TEXT, request.as_bytes());
        client.send(&frame).await;
        up.payload += request.len() as u64;
        up.framing += (frame.len() - request.len()) as u64;
        // The server sends nothing after the answer to the last request.
        while said.matches(r#""type":"subscribed""#).count() < answers
            || (answers == 1 && !said.contains(r#""type":"trade""#))
        {
            if said.contains("subscribed") && answers == 1 {
                clock.advance_micros(100_000);
            }
            let frame = client.next_frame().await.unwrap();
            assert_eq!(frame.first_byte, TEXT);
            let text = std::str::from_utf8(&frame.payload).unwrap();
            let (_, _, payload) = contents(text);
            let header = if text.len() < 126 { 2 } else { 4 };
            down.payload += payload;
            down.framing += header + text.len() as u64 - payload;
            said.push_str(text);
        }
    }
    on_the_wire(&client, &mut up, &mut down);
    settled(&server, "a", "websocket", up, down).await;
}
