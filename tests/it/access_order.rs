//! The order of the checks is one for every way that opens a WebSocket: host, origin, rate of the address, credentials.

use std::net::SocketAddr;

use tickcast::access::Networks;
use tickcast::app::Settings;
use tickcast::transport::AllowedHosts;

use crate::http::get;
use crate::keyring::{KeyRing, raw_get, two_keys};
use crate::raw::{Answer, RawClient, handshake};
use crate::spawn::spawn_app;

const FOREIGN: &str = "Origin: https://evil.example\r\n";
const WRONG: &str = "Authorization: Bearer wrong\r\n";

/// Makes the limits hold for this machine.
fn limit_all(settings: &mut Settings) {
    settings.limits.exempt = Networks::default();
}

/// Opens a WebSocket on each way with these headers, and with wrong credentials where they come with the request.
async fn open_all(server: SocketAddr, headers: &str, is_guarded: bool) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    let native = if is_guarded { WRONG } else { "" };
    for (path, more) in [("/ws", native), ("/v2/iex", ""), ("/stocks", ""), ("/?token=wrong", "")] {
        answers.push((path, raw_get(server, path, &format!("{headers}{more}"), true).await));
    }
    answers
}

fn assert_all(answers: &[(&str, Answer)], status: u16, code: &str) {
    for (path, answer) in answers {
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{path}: {answer:?}");
    }
}

#[actix_web::test]
async fn the_origin_comes_before_the_rate_and_the_rate_before_the_credentials_on_every_way() {
    for is_guarded in [false, true] {
        let ring = KeyRing::new(&two_keys());
        let server = spawn_app(|settings| {
            limit_all(settings);
            if is_guarded {
                ring.require(settings);
            }
            settings.server.hosts = AllowedHosts::parse(&["127.0.0.1"]).unwrap();
            // One request is owed for minutes.
            settings.limits.address_work_per_second_max = 1;
        });
        let first = get(server.address, "/api/v1/snapshot?symbols=AAPL").await.status;
        assert_eq!(first, if is_guarded { 401 } else { 200 });
        assert_all(&open_all(server.address, FOREIGN, is_guarded).await, 403, "forbidden_origin");
        assert_eq!(server.metrics.origins_refused.get(), 4);
        assert_all(&open_all(server.address, "", is_guarded).await, 429, "rate_limited");
        assert_eq!((server.metrics.limited("address_work"), server.sessions()), (4, 0));
        let elsewhere = "Host: evil.example\r\nOrigin: https://evil.example\r\n";
        for path in ["/ws", "/v2/iex", "/stocks", "/?token=wrong"] {
            let mut client = RawClient::connect(server.address).await;
            let request = handshake(&[("Host", None)]).replacen("/ws ", &format!("{path} "), 1);
            let request = request.replacen("\r\n", &format!("\r\n{elsewhere}"), 1);
            assert_eq!(client.request(&request).await.status, 421, "{path}");
        }
    }
}

#[actix_web::test]
async fn a_page_of_another_origin_uses_nothing_of_the_rate_of_its_visitors_address() {
    for path in ["/ws", "/v2/iex", "/stocks", "/?token=tickcast"] {
        let server = spawn_app(|settings| {
            limit_all(settings);
            settings.limits.address_burst = 1;
            settings.limits.address_handshakes_per_second = 1;
        });
        for _ in 0..3 {
            assert_eq!(raw_get(server.address, path, FOREIGN, true).await.status, 403, "{path}");
        }
        assert_eq!(raw_get(server.address, path, "", true).await.status, 101, "{path}");
        assert_eq!(server.metrics.limited("address_handshakes"), 0);
    }
}
