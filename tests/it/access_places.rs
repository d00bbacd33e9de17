//! The places of a key's connections: those of clients that are gone without a word, and those of clients that take each other's.

use std::time::Instant;

use tickcast::access::Networks;
use tickcast::protocol::CloseReason;

use crate::keyring::{KeyRing, entry, header_of, raw_get};
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::spawn_app;

const ONE: &str = "symbols = [\"*\"]\nconnections_max = 1";

#[actix_web::test]
async fn the_place_of_a_client_that_is_gone_without_a_word_is_free_after_the_timeout() {
    let ring = KeyRing::new(&["silent", "jammed", "stream"].map(|id| entry(id, ONE)));
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 10_000.0;
        settings.push.coalesce_ms = 0;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.session.heartbeat_ms = 100;
        settings.session.idle_timeout_ms = 3_000;
        settings.session.stall_timeout_ms = 3_000;
    });
    // None of them closes its connection, answers a ping or reads: as a process that was killed behind a line that was cut.
    let header = header_of("silent");
    let mut silent = RawClient::connect(server.address).await;
    assert_eq!(silent.request(&handshake(&[("Authorization", Some(&header))])).await.status, 101);
    let mut jammed = RawClient::open_narrow_as(server.address, &header_of("jammed")).await;
    jammed.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#).await;
    let mut stream = RawClient::connect_narrow(server.address).await;
    let head = "GET /api/v1/stream?symbols=*&channels=trades,quotes HTTP/1.1\r\nHost: localhost";
    let head = format!("{head}\r\nAuthorization: {}\r\n\r\n", header_of("stream"));
    assert_eq!(stream.request(&head).await.status, 200);
    let status = async |id: &str| {
        let header = format!("Authorization: {}\r\n", header_of(id));
        raw_get(server.address, "/ws", &header, true).await.status
    };
    for id in ["silent", "jammed", "stream"] {
        assert_eq!(status(id).await, 429, "{id}: its place is taken");
    }
    for id in ["silent", "jammed", "stream"] {
        let free = async {
            while status(id).await != 101 {
                tokio::task::yield_now().await;
            }
        };
        patiently(&format!("the place of the client {id}"), free).await;
    }
    let ended = || [CloseReason::Idle, CloseReason::Stalled].map(|reason| server.metrics.closes(reason));
    assert_eq!(ended(), [1, 2], "by its silence, and by their jammed sockets");
    wait_until("no session", 0, || server.sessions()).await;
    drop((silent, jammed, stream));
}

#[actix_web::test]
async fn two_clients_that_replace_each_other_are_bounded_by_the_rate_of_their_address() {
    const BURST: u64 = 5;
    let ring = KeyRing::new(&[entry("a", &format!("{ONE}\non_limit = \"replace\""))]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.limits.exempt = Networks::default();
        settings.limits.address_handshakes_per_second = 1;
        settings.limits.address_burst = u32::try_from(BURST).unwrap();
    });
    let began = Instant::now();
    let header = header_of("a");
    let (mut present, mut opened, mut refused) = (None::<RawClient>, 0, 0);
    // Each comes back as soon as it is replaced.
    for _ in 0..60 {
        let mut client = RawClient::connect(server.address).await;
        let answer = client.request(&handshake(&[("Authorization", Some(&header))])).await;
        if answer.status == 429 {
            assert!(answer.body.contains("\"rate_limited\""), "{answer:?}");
            refused += 1;
            continue;
        }
        assert_eq!(answer.status, 101, "{answer:?}");
        opened += 1;
        if let Some(mut old) = present.replace(client) {
            assert_eq!(old.close_frame().await.map(|(code, _)| code), Some(4501));
        }
    }
    assert!(opened >= BURST && opened <= BURST + began.elapsed().as_secs() + 1, "{opened} and {refused} refused");
    assert_eq!((server.metrics.closes(CloseReason::Replaced), opened + refused), (opened - 1, 60));
    let last = present.unwrap();
    wait_until("the last one has the place", 1, || server.sessions()).await;
    drop(last);
}
