//! Handshake attempts: the server opens connections to itself, and shows request and response.

use futures_util::future::join_all;
use serde_json::Value;
use tickcast::transport::AllowedHosts;

use crate::http::get;
use crate::keyring::{KeyRing, NARROW, header_of, secret, two_keys};
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::secure::Pair;
use crate::spawn::spawn_app;

async fn attempt(server: std::net::SocketAddr, case: &str) -> Value {
    get(server, &format!("/handshake/attempt?case={case}")).await.json()
}

#[actix_web::test]
async fn each_case_shows_its_request_and_the_servers_response() {
    let server = spawn_app(|_| {});
    for (case, sent, absent, status, said) in [
        ("accepted", "Upgrade: websocket", "Origin", "101 Switching Protocols", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (
            "no_upgrade",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "426 Upgrade Required",
            "\r\nupgrade: websocket\r\n",
        ),
        (
            "wrong_version",
            "Sec-WebSocket-Version: 12",
            "Version: 13",
            "426 Upgrade Required",
            "\r\nsec-websocket-version: 13\r\n",
        ),
        ("bad_key", "Sec-WebSocket-Key: not-a-key", "dGhl", "400 Bad Request", r#""code":"bad_request""#),
        ("foreign_origin", "Origin: https://elsewhere.example", "Version: 12", "403 Forbidden", r#""status":403"#),
    ] {
        let exchange = attempt(server.address, case).await;
        let [request, response] = ["request", "response"].map(|part| exchange[part].as_str().unwrap());
        assert!(
            request.starts_with("GET /ws HTTP/1.1\r\nHost: ") && request.ends_with("\r\n\r\n"),
            "{case}: {request}"
        );
        assert!(request.contains(&format!("\r\n{sent}\r\n")) && !request.contains(absent), "{case}: {request}");
        assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{case}: {response}");
        assert!(response.contains(said), "{case}: {response}");
        assert_eq!((&exchange["case"], &exchange["tls"]), (&case.into(), &false.into()));
    }
}

#[actix_web::test]
async fn a_server_with_only_https_shows_attempts_over_tls_whatever_names_its_certificate_has() {
    let pair = Pair::for_names("attempt", &["elsewhere.example"]);
    let server = spawn_app(|settings| {
        pair.configure(settings);
        settings.server.tls.only = true;
        // The server must choose an address at which it can reach itself.
        settings.server.host = "0.0.0.0".into();
        settings.auth.open = true;
    });
    let address = ([127, 0, 0, 1], server.address.port()).into();
    for (case, status) in
        [("accepted", "101 "), ("wrong_version", "426 "), ("bad_key", "400 "), ("foreign_origin", "403 ")]
    {
        let mut client = RawClient::connect_secure(address, &pair).await;
        let request = format!("GET /handshake/attempt?case={case} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = client.request(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let exchange: Value = serde_json::from_str(&answer.body).unwrap();
        let response = exchange["response"].as_str().unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{case}: {response}");
        assert!(exchange["request"].as_str().unwrap().contains(&format!("\r\nHost: {address}\r\n")), "{exchange}");
        assert_eq!(exchange["tls"], true);
    }
    assert_eq!(server.metrics.tls_handshakes_failed.get(), 0);
}

#[actix_web::test]
async fn attempts_use_a_name_of_the_server_its_base_path_and_the_viewers_key_which_is_not_shown() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        settings.server.hosts = AllowedHosts::parse(&["tick.example", "localhost"]).unwrap();
        settings.server.base_path = "/prices".into();
    });
    let ask = async |case: &str, headers: &str| {
        let target = format!("/prices/handshake/attempt?case={case}");
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        RawClient::connect(server.address).await.request(&request).await
    };
    for authorization in [header_of(NARROW), format!("Bearer {}", secret(NARROW))] {
        for (case, status) in [
            ("no_upgrade", "426 "),
            ("wrong_version", "426 "),
            ("bad_key", "400 "),
            ("foreign_origin", "403 "),
            ("accepted", "101 "),
        ] {
            let answer = ask(case, &format!("Authorization: {authorization}\r\n")).await;
            assert_eq!(answer.status, 200, "{case}: {answer:?}");
            let exchange: Value = serde_json::from_str(&answer.body).unwrap();
            let [request, response] = ["request", "response"].map(|part| exchange[part].as_str().unwrap());
            let (scheme, secret) = authorization.split_once(' ').unwrap();
            let begin = format!("GET /prices/ws HTTP/1.1\r\nHost: tick.example:{}\r\n", server.address.port());
            assert!(request.starts_with(&format!("{begin}Authorization: {scheme} ***\r\n")), "{request}");
            assert!(!answer.body.contains(secret), "{case}: {answer:?}");
            assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{case}: {response}");
        }
    }
    assert_eq!(ask("accepted", "").await.status, 401);
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn only_the_case_can_be_chosen() {
    let server = spawn_app(|_| {});
    for query in ["", "?case=", "?case=smuggled", "?case=bad_key&host=192.0.2.1", "?case=bad_key&case=accepted"] {
        let answer = get(server.address, &format!("/handshake/attempt{query}")).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (400, &"bad_request".into()), "{query}");
    }
}

#[actix_web::test]
async fn a_server_that_listens_on_every_address_reaches_itself() {
    let server = spawn_app(|settings| {
        settings.server.host = "0.0.0.0".into();
        settings.auth.open = true;
    });
    let exchange = attempt(([127, 0, 0, 1], server.address.port()).into(), "wrong_version").await;
    assert!(
        exchange["request"].as_str().unwrap().contains(&format!("\r\nHost: 127.0.0.1:{}\r\n", server.address.port()))
    );
    assert!(exchange["response"].as_str().unwrap().starts_with("HTTP/1.1 426 "));
}

#[actix_web::test]
async fn attempts_over_the_limit_are_refused() {
    let server = spawn_app(|settings| settings.handshake.attempts_max = 1);
    while server.metrics.attempts_refused.get() == 0 {
        let answers = join_all((0..20).map(|_| get(server.address, "/handshake/attempt?case=no_upgrade"))).await;
        assert!(answers.iter().any(|answer| answer.status == 200), "one of them has its place");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
            assert!(refused.problem()["detail"].as_str().unwrap().contains("handshake.attempts_max"));
        }
    }
    assert_eq!(attempt(server.address, "no_upgrade").await["case"], "no_upgrade", "the place is free again");
}
