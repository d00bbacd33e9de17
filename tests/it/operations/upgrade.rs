//! An upgrade as docs/OPERATIONS.md describes it: a second server behind the same proxy, and then the end of the first one. No client is
//! refused meanwhile, and each is told of its hole and has the present values behind it.

use futures_util::future::join_all;
use serde_json::json;

use super::{Neighbour, document, nginx, program, replaced};
use crate::clients::program::{Language, Program};
use crate::command::spawn_binary;
use crate::spawn::loopback_host;

/// The address of the second server, which the configuration of the proxy names before there is one.
const NEXT_PORT: &str = "8081";

#[actix_web::test]
async fn an_upgrade_behind_a_proxy_refuses_nobody_and_every_client_is_told_of_its_hole() {
    let mut proxy = Neighbour::new("nginx-upgrade");
    let (name, next_host) = (proxy.address.ip().to_string(), loopback_host());
    let busy = [("TICKCAST__FEED__EVENTS_PER_SECOND", "2000"), ("TICKCAST__SERVER__HOSTS", &*name)];
    let old = spawn_binary(&[], &busy).await;
    let (listen, server) = (format!("listen {};", proxy.address), format!("server {};", old.address));
    let next = format!("server {next_host}:{NEXT_PORT} backup;");
    let changes = [
        ("listen 443 ssl http2;", &*listen),
        nginx::LOG,
        ("server 127.0.0.1:8080;", &server),
        ("server 127.0.0.1:8081 backup;", &next),
        ("ssl_certificate     /etc/ssl/ticks.example.com.pem;", ""),
        ("ssl_certificate_key /etc/ssl/private/ticks.example.com.key;", ""),
    ];
    proxy.write("nginx.conf", nginx::MAIN);
    proxy.write("site.conf", &replaced(&document("nginx.conf"), &changes));
    let mut command = program("usr/sbin/nginx");
    command.arg("-p").arg(&proxy.directory).args(["-e", "stderr", "-c", "nginx.conf"]);
    proxy.start(command).await;

    let mut programs = Vec::new();
    for language in Language::ALL {
        for transport in ["websocket", "sse", "poll"] {
            let options = json!({ "transports": [transport] });
            programs.push((transport, Program::start(language, proxy.address, &options)));
        }
    }
    join_all(programs.iter_mut().map(async |(transport, program)| {
        program.until_state("live", transport).await;
        program.read(100).await;
    }))
    .await;

    let next = [("TICKCAST__SERVER__HOST", &*next_host), ("TICKCAST__SERVER__PORT", NEXT_PORT)];
    let new = spawn_binary(&[], &[&busy[..], &next].concat()).await;
    old.signal("TERM").await;
    join_all(programs.iter_mut().map(async |(transport, program)| {
        let reset = program.until("reset").await;
        assert_eq!((&reset["symbols"], &reset["reason"]), (&json!(["*"]), &json!("restarted")), "{transport}");
        program.until("snapshot").await;
        program.read(300).await;
    }))
    .await;
    let ended = old.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for (transport, program) in programs {
        // A connection ends because the old server says so, and the next one is open. While the old server ends its sessions it refuses a poll,
        // which is a new session.
        let expected: &[&str] = if transport == "poll" { &["closed", "refused"] } else { &["closed"] };
        assert!(program.causes.iter().all(|cause| expected.contains(&&**cause)), "{transport}: {:?}", program.causes);
        let (end, ledger) = program.close().await;
        let counts = ["reset", "hole"].map(|kind| ledger.count(kind));
        assert_eq!((counts, &end["failure"]), ([1, 0], &json!(null)), "{transport}");
    }
    drop(new);
}
