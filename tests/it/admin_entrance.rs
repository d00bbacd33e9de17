//! The entrance of the listener of the operators: which keys, hosts and pages may come, and which settings are refused.

use awc::http::Method;

use crate::command::{run, spawn_binary};
use crate::http::{Answer, get, request, send};
use crate::keyring::{KeyRing, NARROW, WIDE, basic, get_as, header_of, raw_get, secret, two_keys};
use crate::raw::RawClient;
use crate::spawn::{TestServer, loopback_host, spawn_app, with_operators};

/// A page of another origin, and one that came from another site.
const FOREIGN: [(&str, &str); 4] = [
    ("Origin", "https://evil.example"),
    ("Origin", "null"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
];

/// Every route of the listener of the operators, as a method and a path that reaches it, and its pattern where that differs. Those
/// with a true word need a key.
pub(crate) const OPERATOR_ROUTES: [(bool, Method, &str, &str); 22] = [
    (false, Method::GET, "/healthz", ""),
    (false, Method::GET, "/readyz", ""),
    (false, Method::GET, "/admin", ""),
    (false, Method::GET, "/static/style.css", "/static/{path:.*}"),
    (false, Method::GET, "/admin/", ""),
    (false, Method::GET, "/", ""),
    (true, Method::GET, "/metrics", ""),
    (true, Method::GET, "/faults", ""),
    (true, Method::POST, "/faults", ""),
    (true, Method::DELETE, "/faults", ""),
    (true, Method::DELETE, "/faults/1", "/faults/{id}"),
    (true, Method::GET, "/admin/sessions", ""),
    (true, Method::DELETE, "/admin/sessions?name=a", "/admin/sessions"),
    (true, Method::DELETE, "/admin/sessions/00000000000000ff", "/admin/sessions/{id}"),
    (true, Method::GET, "/admin/past", ""),
    (true, Method::POST, "/admin/reload", ""),
    (true, Method::GET, "/admin/log", ""),
    (true, Method::PUT, "/admin/log", ""),
    // Other spellings, and addresses that are not there.
    (true, Method::GET, "/%6detrics", ""),
    (true, Method::GET, "/api/v1/symbols", ""),
    (true, Method::GET, "/no/such/address", ""),
    // Last, because it ends the server.
    (true, Method::POST, "/admin/drain", ""),
];

async fn ask(server: &TestServer, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(server.admin.unwrap(), method.clone(), path, headers, r#"{"filter":"info,actix_server=warn"}"#.into()).await
}

#[actix_web::test]
async fn every_route_needs_a_key_with_admin_where_clients_need_keys() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        settings.limits.address_failures_per_minute = 0;
        with_operators(settings);
    });
    let narrow = header_of(NARROW);
    let wrong = basic(WIDE, "wrong");
    for (needs_key, method, path, _) in OPERATOR_ROUTES {
        if !needs_key {
            let without = raw_get(server.admin.unwrap(), path, "", false).await;
            assert!(matches!(without.status, 200 | 307 | 404), "{path}: {without:?}");
            assert!(!without.body.contains("tickcast_sessions"), "no data: {path}");
            continue;
        }
        let without = ask(&server, &method, path, &[]).await;
        assert_eq!(without.status, 401, "{method} {path}: {}", without.text());
        assert_eq!(without.header("www-authenticate"), "Bearer", "{path}");
        let wrong = ask(&server, &method, path, &[("Authorization", &wrong)]).await;
        assert_eq!(wrong.status, 401, "{method} {path}");
        let narrow = ask(&server, &method, path, &[("Authorization", &narrow)]).await;
        assert_eq!((narrow.status, narrow.problem()["code"].as_str()), (403, Some("forbidden")), "{method} {path}");
        assert!(!narrow.text().contains("tickcast_"));
        let wide = header_of(WIDE);
        for foreign in &FOREIGN[..if method == Method::GET { 2 } else { 4 }] {
            let answer = ask(&server, &method, path, &[("Authorization", &wide), *foreign]).await;
            assert_eq!((answer.status, answer.problem()["code"].as_str()), (403, Some("forbidden_origin")), "{path}");
        }
        let good = ask(&server, &method, path, &[("Authorization", &wide)]).await;
        assert!(!matches!(good.status, 401 | 403 | 421), "{method} {path}: {}", good.text());
    }
    // The last one was the order to end.
    crate::patience::wait_until("the end", true, || server.has_ended()).await;
}

#[actix_web::test]
async fn on_loopback_without_keys_everybody_on_this_machine_is_an_operator_but_no_foreign_page() {
    let server = spawn_app(with_operators);
    let admin = server.admin.unwrap();
    assert!(get(admin, "/metrics").await.text().contains("tickcast_sessions "));
    assert!(get(server.address, "/metrics").await.text().contains("tickcast_sessions "), "also where it was");
    assert_eq!(get(server.address, "/admin/sessions").await.status, 404, "not for clients");
    let own = format!("http://{admin}");
    for (headers, status) in [
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")], 200),
        (vec![("Sec-Fetch-Site", "none")], 200),
        (vec![FOREIGN[0]], 403),
        (vec![FOREIGN[1]], 403),
        (vec![FOREIGN[2]], 403),
        (vec![FOREIGN[3]], 403),
        // A simple request, which needs no preflight.
        (vec![FOREIGN[0], ("Content-Type", "text/plain")], 403),
    ] {
        let answer = request(admin, Method::POST, "/admin/reload", &headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}

#[actix_web::test]
async fn a_name_that_was_pointed_at_this_machine_is_refused() {
    let server = spawn_app(|settings| {
        with_operators(settings);
        settings.admin.hosts = tickcast::transport::AllowedHosts::parse(&["ticks.internal"]).unwrap();
    });
    let admin = server.admin.unwrap();
    for (host, status) in [
        (admin.to_string(), 200),
        (format!("localhost:{}", admin.port()), 200),
        ("[::1]".into(), 200),
        ("ticks.internal:9".into(), 200),
        ("TICKS.internal.".into(), 200),
        (format!("evil.example:{}", admin.port()), 421),
        ("ticks.internal.evil.example".into(), 421),
        ("127.0.0.1.evil.example".into(), 421),
        (String::new(), 421),
    ] {
        for path in ["/metrics", "/admin/sessions", "/faults"] {
            let mut client = RawClient::connect(admin).await;
            let answer = client.request(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert_eq!(answer.status, status, "{path} {host}: {answer:?}");
        }
        let mut client = RawClient::connect(admin).await;
        let probe = client.request(&format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(probe.status, 200, "a probe: {host}");
    }
}

#[actix_web::test]
async fn rules_of_faults_are_for_operators_elsewhere_too() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        with_operators(settings);
    });
    let (admin, header) = (server.admin.unwrap(), header_of(WIDE));
    // Through a proxy, as from another machine.
    let headers = [("Authorization", header.as_str()), ("X-Forwarded-For", "203.0.113.7")];
    let answer = send(admin, Method::POST, "/faults", &headers, r#"{"kind":"mute","client":"bot"}"#.into()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(get_as(admin, WIDE, "/faults").await.json()["faults"].as_array().unwrap().len(), 1);
    assert_eq!(get_as(server.address, WIDE, "/faults").await.status, 404);
}

#[actix_web::test]
async fn settings_that_would_let_everybody_give_orders_are_refused_in_one_line() {
    let (host, port) = (loopback_host(), ("TICKCAST__ADMIN__PORT", "9100"));
    let beyond = ("TICKCAST__ADMIN__HOST", "0.0.0.0");
    let file = KeyRing::new(&["0123456789abcdef0123456789abcdef".to_owned()]);
    let secret_of_tokens = ("TICKCAST__AUTH__JWT__HMAC_SECRET_FILE", file.path.to_str().unwrap());
    let algorithm = ("TICKCAST__AUTH__JWT__ALGORITHMS", "HS256");
    for (variables, named) in [
        (vec![beyond, ("TICKCAST__ADMIN__PORT", "0"), ("TICKCAST__ADMIN__TLS", "true")], "admin.tls"),
        (vec![beyond, ("TICKCAST__ADMIN__PORT", "65535")], "auth.keys_file"),
        // No token has `admin`.
        (vec![beyond, ("TICKCAST__ADMIN__PORT", "65535"), secret_of_tokens, algorithm], "auth.keys_file"),
        (vec![("TICKCAST__ADMIN__HOST", ""), ("TICKCAST__ADMIN__POINTS_MAX", "0")], "admin.points_max"),
        (vec![("TICKCAST__ADMIN__HOST", "no.such.host.invalid"), port], "cannot listen on no.such.host.invalid:9100"),
    ] {
        let ended = run(&["--port", "0"], &variables).await;
        assert_eq!(ended.status.code(), Some(2), "{variables:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(named), "{named}: {ended:?}");
    }
    let mut process = spawn_binary(&[], &[("TICKCAST__ADMIN__HOST", &host), port]).await;
    let line = process.next_line().await;
    assert!(line.contains(&format!("admin_url=http://{host}:9100/admin")), "{line}");
    let taken = run(&["--port", "0"], &[("TICKCAST__ADMIN__HOST", &host), port]).await;
    assert_eq!((taken.status.code(), taken.stderr.lines().count()), (Some(2), 1), "{taken:?}");
}

#[actix_web::test]
async fn beyond_loopback_an_operator_needs_a_key_also_where_clients_need_none() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        settings.auth.keys_file = keys.path.to_str().unwrap().into();
        with_operators(settings);
        // Every address of IPv6 and IPv4 in one: the tests of this process have no other listener there.
        settings.admin.host = "0.0.0.0".into();
        settings.admin.port = free_port();
    });
    let admin = (std::net::Ipv4Addr::LOCALHOST, server.admin.unwrap().port()).into();
    assert_eq!(get(admin, "/metrics").await.status, 401);
    assert_eq!(get_as(admin, NARROW, "/metrics").await.status, 403);
    assert_eq!(get_as(admin, WIDE, "/metrics").await.status, 200);
    let bearer = format!("Bearer {}", secret(WIDE));
    assert_eq!(request(admin, Method::GET, "/admin/log", &[("Authorization", &bearer)]).await.status, 200);
    assert_eq!(get(server.address, "/api/v1/symbols").await.status, 200);
}

/// Returns a port that no process listens on, outside the range of which the system takes free ones.
fn free_port() -> u16 {
    let begin = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (begin..begin + 1_000).find(|port| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok()).unwrap()
}
