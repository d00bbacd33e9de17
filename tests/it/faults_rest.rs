//! The address `/faults`, and rules in the configuration: good and bad ones.

use awc::http::Method;
use serde_json::{Value, json};

use crate::command::{run, spawn_binary};
use crate::faulty_client::FaultyClient;
use crate::http::{get, request, send};
use crate::json_client::{JsonClient, authenticated};
use crate::patience::patiently;
use crate::spawn::{TestServer, spawn_app};

async fn post(server: &TestServer, body: &str, headers: &[(&str, &str)]) -> crate::http::Answer {
    send(server.address, Method::POST, "/faults", headers, body.into()).await
}

#[actix_web::test]
async fn rules_are_added_listed_with_their_strikes_and_removed() {
    let server = spawn_app(|_| {});
    assert_eq!(get(server.address, "/faults").await.json(), json!({"faults": []}));
    let rule = json!({"kind": "close", "code": 4321, "client": "bot", "after_messages": 1});
    assert_eq!(server.add_fault(&rule).await, 1);
    assert_eq!(server.add_fault(&json!({"kind": "mute", "client": "nobody"})).await, 2);
    let mut client = FaultyClient::open(server.address, "bot").await;
    client.until("the close frame", |client| client.close.is_some()).await;
    let listed = get(server.address, "/faults").await.json();
    assert_eq!(listed["faults"][0], json!({"id": 1, "rule": rule, "matched": 1, "struck": 1}));
    assert_eq!(listed["faults"][1]["struck"], 0);
    server.remove_fault(1).await;
    let all = request(server.address, Method::DELETE, "/faults", &[]).await;
    assert_eq!(all.json(), json!({"removed": 1}));
    let again = request(server.address, Method::DELETE, "/faults/2", &[]).await;
    assert_eq!((again.status, again.problem()["code"].as_str()), (404, Some("not_found")));
}

#[actix_web::test]
async fn a_bad_rule_is_answered_with_one_line_that_names_the_mistake() {
    let server = spawn_app(|settings| settings.fault_limits.rules_max = 1);
    for (body, named) in [
        ("", "EOF"),
        ("[]", "kind is missing"),
        ("mute", "expected value"),
        (r#"{"kind":"melt"}"#, "no such kind: melt"),
        (r#"{"kind":"mute","colour":"red"}"#, "colour"),
        (r#"{"kind":"mute","share":2}"#, "share must be"),
        (r#"{"kind":"drop","for_ms":5}"#, "the kind drop has no for_ms"),
        (r#"{"kind":5}"#, "invalid type"),
        (r#"{"kind":"mute","transport":"rest"}"#, "can never strike: mute is a fault of websocket or stream"),
        ("\u{0}\u{1}", "expected value"),
    ] {
        let answer = post(&server, body, &[]).await;
        let problem = answer.problem();
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!((answer.status, problem["code"].as_str()), (400, Some("bad_request")), "{body}");
        assert!(detail.contains(named) && !detail.contains('\n'), "{body}: {detail}");
    }
    let long = format!(r#"{{"kind":"close","reason":"{}"}}"#, "x".repeat(5_000));
    assert_eq!(post(&server, &long, &[]).await.status, 400);
    assert_eq!(get(server.address, "/faults").await.json(), json!({"faults": []}));
    server.add_fault(&json!({"kind": "mute"})).await;
    let answer = post(&server, r#"{"kind":"mute"}"#, &[]).await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (400, Some("limit_exceeded")));
    assert_eq!(server.metrics.fault_rules_refused.get(), 1);
    for method in [Method::PUT, Method::PATCH] {
        assert_eq!(request(server.address, method, "/faults", &[]).await.status, 405);
    }
    assert_eq!(get(server.address, "/faults/1").await.status, 405);
}

#[actix_web::test]
async fn rules_are_for_programs_on_this_machine_only() {
    let server = spawn_app(|_| {});
    let own = format!("http://{}", server.address);
    let rebound = format!("http://evil.example:{}", server.address.port());
    let rebound_host = rebound.trim_start_matches("http://").to_owned();
    for (headers, status) in [
        (vec![("Origin", own.as_str())], 201),
        (vec![("Origin", "https://evil.example")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", rebound.as_str()), ("Host", rebound_host.as_str())], 421),
        (vec![("X-Forwarded-For", "203.0.113.7")], 404),
        (vec![("Forwarded", "for=203.0.113.7")], 404),
        (vec![("Via", "1.1 proxy")], 404),
    ] {
        let answer = post(&server, r#"{"kind":"mute","client":"bot"}"#, &headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        let listed = request(server.address, Method::GET, "/faults", &headers).await;
        assert_eq!(listed.status, if status == 201 { 200 } else { status }, "{headers:?}");
    }
}

#[actix_web::test]
async fn a_client_that_is_not_on_this_machine_finds_no_such_address() {
    let server = spawn_app(|settings| {
        settings.server.host = "0.0.0.0".into();
        settings.auth.open = true;
    });
    let Some(address) = other_address() else { return eprintln!("skipped: this machine has no other address") };
    let address = std::net::SocketAddr::new(address, server.address.port());
    let answer = get(address, "/faults").await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (404, Some("not_found")));
    assert_eq!(get((std::net::Ipv4Addr::LOCALHOST, server.address.port()).into(), "/faults").await.status, 200);
}

/// Returns an address of this machine that is not of the loopback. Nothing is sent.
fn other_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

/// Runs the binary with this file of settings.
async fn run_with(name: &str, text: &str) -> crate::command::Ended {
    let path = std::env::temp_dir().join(format!("tickcast-faults-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let ended = run(&["--port", "0", "--config", path.to_str().unwrap()], &[]).await;
    std::fs::remove_file(&path).unwrap();
    ended
}

#[actix_web::test]
async fn a_bad_rule_in_the_configuration_is_refused_at_start_in_one_line() {
    for (name, text, named) in [
        ("kind", "[[faults]]\nkind = \"melt\"\n", "no such kind: melt"),
        ("none", "[[faults]]\nafter_ms = 5\n", "kind is missing"),
        ("key", "[[faults]]\nkind = \"mute\"\ncolour = 1\n", "colour"),
        ("unit", "[[faults]]\nkind = \"delay\"\nms = 60001\n", "ms must be"),
        ("type", "[[faults]]\nkind = \"delay\"\nms = \"long\"\n", "ms"),
        ("reach", "[[faults]]\nkind = \"auth_error\"\ndialect = \"native\"\n", "can never strike"),
        ("table", "[faults]\nkind = \"mute\"\n", "faults"),
        (
            "many",
            "[fault_limits]\nrules_max = 1\n[[faults]]\nkind = \"mute\"\n[[faults]]\nkind = \"mute\"\n",
            "rules_max",
        ),
        ("limit", "[fault_limits]\nrules_max = 0\n", "fault_limits.rules_max"),
        ("bytes", "[fault_limits]\nheld_bytes_max = 1\n", "fault_limits.held_bytes_max"),
    ] {
        let ended = run_with(name, text).await;
        assert_eq!(ended.status.code(), Some(2), "{text}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{text}: {ended:?}");
        assert!(ended.stderr.contains(named), "{text}: {}", ended.stderr);
    }
}

#[actix_web::test]
async fn a_rule_of_the_configuration_is_in_force_from_the_start_and_a_strike_is_logged_and_counted() {
    let path = std::env::temp_dir().join(format!("tickcast-faults-good-{}.toml", std::process::id()));
    let close = "[[faults]]\nkind = \"close\"\ndialect = \"native\"\ncode = 4321\nafter_messages = 1\n";
    let mute = "[[faults]]\nkind = \"mute\"\ndialect = \"massive\"\nafter_messages = 2\n";
    let refuse = "[[faults]]\nkind = \"auth_error\"\ndialect = \"finnhub\"\n";
    std::fs::write(&path, format!("{close}{mute}{refuse}")).unwrap();
    let process = spawn_binary(&["--config", path.to_str().unwrap()], &[]).await;
    let mut client = FaultyClient::open(process.address, "bot").await;
    client.until("the close frame", |client| client.close.is_some()).await;
    let session = client.messages[0]["session"].as_str().unwrap().to_owned();
    let metrics = get(process.address, "/metrics").await;
    let line = "tickcast_faults_struck_total{kind=\"close\"} 1";
    assert!(metrics.text().lines().any(|each| each == line), "{}", metrics.text());
    let listed: Value = get(process.address, "/faults").await.json();
    assert_eq!(listed["faults"][0]["struck"], 1);
    let mut massive = authenticated(JsonClient::open(process.address, "/stocks?client=a-b").await).await;
    massive.send(&json!({"action": "subscribe", "params": "T.*"})).await;
    let mut finnhub = JsonClient::open(process.address, "/?token=o%0Ath&client=finn").await;
    finnhub.read_to_end().await;
    for rule in [1, 2] {
        let struck = || async { get(process.address, "/faults").await.json()["faults"][rule]["struck"] == 1 };
        patiently("a strike", async { while !struck().await {} }).await;
    }
    drop((client, massive));
    process.signal("TERM").await;
    let log = process.ended().await;
    for line in [
        &format!("fault struck kind=close rule=1 session={session} dialect=native transport=websocket client=bot\n"),
        " dialect=massive transport=websocket client=a-b key=tickcast\n",
        " dialect=finnhub transport=websocket client=finn key=token-32d2a1646025\n",
    ] {
        assert!(log.stderr.contains(line), "{line}: {}", log.stderr);
    }
    std::fs::remove_file(&path).unwrap();
}
