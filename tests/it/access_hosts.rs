//! The names under which a server answers (`server.hosts`).

use crate::access_ways::has_data;
use crate::spawn::spawn_app;

#[actix_web::test]
async fn without_names_a_server_answers_to_numbers_and_localhost_and_to_no_name_that_somebody_could_point_at_it() {
    let server = spawn_app(|_| {});
    let ask = async |hosts: &str| {
        let mut client = crate::raw::RawClient::connect(server.address).await;
        client.request(&format!("GET /api/v1/snapshot HTTP/1.1\r\n{hosts}\r\n")).await
    };
    for hosts in ["Host: localhost:8080\r\n", "Host: 127.0.0.1\r\n", "Host: 192.0.2.7:80\r\n", "Host: [::1]\r\n"] {
        assert_eq!(ask(hosts).await.status, 200, "{hosts}");
    }
    for hosts in ["Host: evil.example\r\n", "Host: localhost.evil.example\r\n"] {
        let answer = ask(hosts).await;
        assert!(answer.status == 421 && !has_data(&answer.body), "{hosts}: {answer:?}");
    }
    let every = spawn_app(|settings| {
        settings.server.hosts = tickcast::transport::AllowedHosts::parse(&["*"]).unwrap();
    });
    let mut client = crate::raw::RawClient::connect(every.address).await;
    assert_eq!(client.request("GET /api/v1/snapshot HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.status, 200);
}

#[actix_web::test]
async fn a_server_with_names_of_its_own_answers_to_no_other() {
    let server = spawn_app(|settings| {
        settings.server.hosts = tickcast::transport::AllowedHosts::parse(&["tick.example", "::1"]).unwrap();
    });
    let ask = async |target: &str, hosts: &str| {
        let mut client = crate::raw::RawClient::connect(server.address).await;
        client.request(&format!("GET {target} HTTP/1.1\r\n{hosts}\r\n")).await
    };
    for hosts in ["Host: tick.example\r\n", "Host: TICK.example.:9\r\n", "Host: [::1]:80\r\n"] {
        assert_eq!(ask("/api/v1/snapshot", hosts).await.status, 200, "{hosts}");
        assert_eq!(ask("http://tick.example/api/v1/snapshot", hosts).await.status, 200, "{hosts}");
    }
    for (target, hosts) in [
        ("/api/v1/snapshot", "Host: evil.example\r\n"),
        ("/api/v1/snapshot", "Host: \r\n"),
        ("/api/v1/snapshot", "Host: tick.example.evil.example\r\n"),
        ("/api/v1/snapshot", "Host: evil.example\r\nX-Forwarded-Host: tick.example\r\n"),
        ("http://evil.example/api/v1/snapshot", "Host: tick.example\r\n"),
        ("/", "Host: evil.example\r\n"),
        ("/ws", "Host: evil.example\r\n"),
        ("/v3/snapshot?apiKey=tickcast", "Host: evil.example\r\n"),
    ] {
        let answer = ask(target, hosts).await;
        assert!(answer.status == 421 && !has_data(&answer.body), "{target} {hosts}: {answer:?}");
        assert!(answer.body.contains("unknown_host"), "{answer:?}");
    }
    for hosts in ["Host: tick.example\r\nHost: evil.example\r\n", "Host: tick.example\r\nHost: tick.example\r\n", ""] {
        assert_eq!(ask("/api/v1/snapshot", hosts).await.status, 400, "{hosts}");
    }
    assert_eq!(ask("/healthz", "Host: evil.example\r\n").await.status, 200);
    assert!(server.metrics.hosts_refused.get() > 7);
}
