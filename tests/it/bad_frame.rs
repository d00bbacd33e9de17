//! Invalid WebSocket frames: each closes its own session with the right code of RFC 6455, and no other session.

use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::http::get;
use crate::patience::wait_until;
use crate::raw::{BINARY, CLOSE, FRAGMENTS, PING, PONG, RawClient, TEXT, frame};
use crate::spawn::{TestServer, spawn_app};

/// Sends the bytes from a new client; expects its session, and no other, to be closed with this code.
async fn closes_with(code: u16, cases: &[(&str, Vec<u8>)]) {
    let server = spawn_app(|settings| settings.session.close_timeout_ms = 50);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    for (name, bytes) in cases {
        let mut client = RawClient::open(server.address).await;
        client.send(bytes).await;
        let (closed, reason) = client.close_frame().await.unwrap_or_else(|| panic!("{name}: no close frame"));
        assert_eq!(closed, code, "{name}: {reason}");
        lives_on(&server, &mut witness).await;
    }
    let closes: u64 = CloseReason::ALL.iter().map(|reason| server.metrics.closes(*reason)).sum();
    assert_eq!(closes, cases.len() as u64, "each is counted once");
}

/// Asserts that the server and the other session still work, and that no further session is left.
async fn lives_on(server: &TestServer, witness: &mut Client) {
    wait_until("sessions", 1, || server.sessions()).await;
    witness.events(5).await;
    assert_eq!(witness.view.missing, 0);
    assert_eq!(get(server.address, "/healthz").await.status, 200);
}

fn unmasked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    [&[first_byte, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// Returns the frames of a text cut into fragments.
fn fragments(pieces: &[&[u8]]) -> Vec<u8> {
    let last = pieces.len() - 1;
    let first_byte = |index| match index {
        0 => FRAGMENTS[0],
        index if index < last => FRAGMENTS[1],
        _ => FRAGMENTS[2],
    };
    pieces.iter().enumerate().flat_map(|(index, piece)| frame(first_byte(index), piece)).collect()
}

#[actix_web::test]
async fn frames_that_break_the_protocol_are_closed_with_1002() {
    let list = br#"{"action":"list"}"#;
    let cases = [
        ("not masked", unmasked(TEXT, list)),
        ("a ping that is not masked", unmasked(PING, b"")),
        ("reserved bit 1", frame(TEXT | 0x40, list)),
        ("reserved bit 2", frame(TEXT | 0x20, list)),
        ("reserved bit 3", frame(TEXT | 0x10, list)),
        ("a reserved bit on a ping", frame(PING | 0x40, b"")),
        ("reserved opcode 3", frame(0x83, list)),
        ("reserved opcode 7", frame(0x87, b"")),
        ("reserved opcode 11", frame(0x8B, b"")),
        ("reserved opcode 15", frame(0x8F, list)),
        ("a ping in fragments", frame(PING & 0x0F, b"")),
        ("a pong in fragments", frame(PONG & 0x0F, b"")),
        ("a close in fragments", frame(CLOSE & 0x0F, b"")),
        ("a ping of 126 bytes", frame(PING, &[0; 126])),
        ("a pong of 126 bytes", frame(PONG, &[0; 126])),
        ("a close of 126 bytes", frame(CLOSE, &[b'x'; 126])),
        ("a ping that says it has 126 bytes, and no more of it", frame(PING, &[0; 126])[..8].to_vec()),
        ("a ping that says it is a fragment, and no more of it", frame(PING & 0x0F, b"x")[..6].to_vec()),
        ("a continuation of nothing", frame(FRAGMENTS[1], list)),
        ("the last fragment of nothing", frame(FRAGMENTS[2], list)),
        ("a text within a text", [frame(FRAGMENTS[0], b"{"), frame(TEXT, list)].concat()),
        ("a text in fragments within a text", [frame(FRAGMENTS[0], b"{"), frame(FRAGMENTS[0], b"}")].concat()),
        ("a binary message within a text", [frame(FRAGMENTS[0], b"{"), frame(BINARY, b"}")].concat()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    closes_with(1002, &cases).await;
}

#[actix_web::test]
async fn a_close_frame_that_breaks_the_protocol_is_closed_with_1002() {
    let close = |payload: &[u8]| frame(CLOSE, payload);
    let mut cases = vec![("half a code", close(&[0x03]))];
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(("a code that nobody may send", close(&code.to_be_bytes())));
    }
    closes_with(1002, &cases).await;
}

#[actix_web::test]
async fn a_binary_message_is_closed_with_1003() {
    let cases = [
        ("at once", frame(BINARY, br#"{"action":"list"}"#)),
        ("empty", frame(BINARY, b"")),
        ("in fragments", [frame(0x02, b"{\"action\""), frame(FRAGMENTS[2], b":\"list\"}")].concat()),
    ];
    closes_with(1003, &cases).await;
}

#[actix_web::test]
async fn text_that_is_not_utf8_is_closed_with_1007() {
    let cases = [
        ("a lone continuation byte", frame(TEXT, &[b'"', 0x80, b'"'])),
        ("a surrogate", frame(TEXT, &[0xED, 0xA0, 0x80])),
        ("an overlong slash", frame(TEXT, &[0xC0, 0xAF])),
        ("beyond Unicode", frame(TEXT, &[0xF4, 0x90, 0x80, 0x80])),
        ("cut off", frame(TEXT, &[0xE2, 0x82])),
        ("in fragments", fragments(&[b"\"", &[0xFF], b"\""])),
        ("cut off in fragments", fragments(&[b"\"", &[0xE2, 0x82], b""])),
        ("as the reason of a close", frame(CLOSE, &[0x03, 0xE8, b'"', 0xFF])),
        ("cut off as the reason of a close", frame(CLOSE, &[0x03, 0xE8, 0xE2, 0x82])),
    ];
    closes_with(1007, &cases).await;
}

#[actix_web::test]
async fn text_is_closed_with_1007_at_the_first_invalid_byte() {
    let long = [&[b'x'; 10_000], [0xFF].as_slice(), &[b'x'; 10_000]].concat();
    let ends_before = |frames: &[u8], bytes: usize| frames[..frames.len() - bytes].to_vec();
    let cases = [
        ("in a fragment that others follow", fragments(&[b"\"", &[0xFF], b"\""])[..14].to_vec()),
        ("by a fragment that others follow", fragments(&[&[0xE2], b"x", b""])[..14].to_vec()),
        ("in a frame of which the rest is missing", ends_before(&frame(TEXT, b"\"\xFF\""), 1)),
        ("far within a frame of which the rest is missing", ends_before(&frame(TEXT, &long), 9_999)),
        ("in a fragment of which the rest is missing", ends_before(&fragments(&[&[0xF4], b"\x90\x80\x80"]), 2)),
        ("after a ping between fragments", {
            let [first, second] = [frame(FRAGMENTS[0], &[0xED]), frame(FRAGMENTS[1], b"\xA0\x80")];
            [first, frame(PING, b""), ends_before(&second, 1)].concat()
        }),
    ];
    closes_with(1007, &cases).await;
}

#[actix_web::test]
async fn a_message_over_the_limit_is_closed_with_1009() {
    let spaces = vec![b' '; 100 << 10];
    let pieces: Vec<_> = spaces.chunks(10 << 10).collect();
    let claims = |length: u64| [&[TEXT, 0x80 | 127], length.to_be_bytes().as_slice(), &[0; 4]].concat();
    let cases = [
        ("100 KiB at once", frame(TEXT, &spaces)),
        ("100 KiB in fragments", fragments(&pieces)),
        ("a byte too much", frame(TEXT, &spaces[..65_537])),
        ("a byte too much in fragments", fragments(&[&spaces[..65_536], b" "])),
        ("2^40 bytes, and more of them than allowed", [claims(1 << 40), spaces.clone()].concat()),
        ("2^40 bytes, and none of them", claims(1 << 40)),
        ("a byte too much, and none of them", claims(65_537)),
        ("a byte too much in a last fragment, and none of it", {
            let mut last = claims(65_537);
            last[0] = FRAGMENTS[2];
            [frame(FRAGMENTS[0], b""), last].concat()
        }),
        ("a length of more than 63 bits", claims(u64::MAX)),
    ];
    closes_with(1009, &cases).await;
}

#[actix_web::test]
async fn a_message_of_exactly_the_limit_is_served() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    let mut text = br#"{"action":"list","id":1}"#.to_vec();
    text.resize(65_536, b' ');
    client.send_frame(TEXT, &text).await;
    assert!(client.next_of(TEXT).await.starts_with(br#"[{"type":"subscribed","id":1"#));
    let (first, second) = text.split_at(1_000);
    client.send(&fragments(&[first, second])).await;
    assert!(client.next_of(TEXT).await.starts_with(br#"[{"type":"subscribed","id":1"#));
}
