//! Debian's nginx with `docs/operations/nginx.conf` in front of the server.

use std::net::SocketAddr;

use tickcast::transport::AllowedHosts;

use super::{Neighbour, document, program, replaced, transports};
use crate::browser::driver::Browser;
use crate::command::spawn_binary;
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::secure::Pair;
use crate::spawn::spawn_app_at_rest;

/// One process that stays in the foreground and keeps its files in its directory.
pub(super) const MAIN: &str = "daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 512; }
http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}
";

/// Where the log is, and where it is in a test.
pub(super) const LOG: (&str, &str) = ("/var/log/nginx/tickcast.log", "access.log");

/// Starts nginx with these further changes of the site.
async fn start(nginx: &mut Neighbour, server: SocketAddr, pair: &Pair, changes: &[(&str, &str)]) {
    let listen = format!("listen {} ssl http2;", nginx.address);
    let server = format!("server {server};");
    let all = [
        ("listen 443 ssl http2;", &*listen),
        LOG,
        ("server 127.0.0.1:8080;", &server),
        ("/etc/ssl/ticks.example.com.pem", &pair.cert()),
        ("/etc/ssl/private/ticks.example.com.key", &pair.key()),
    ];
    let site = replaced(&document("nginx.conf"), &[&all, changes].concat());
    nginx.write("nginx.conf", MAIN);
    nginx.write("site.conf", &site);
    let mut command = program("usr/sbin/nginx");
    command.arg("-p").arg(&nginx.directory).args(["-e", "stderr", "-c", "nginx.conf"]);
    nginx.start(command).await;
}

#[actix_web::test]
async fn behind_nginx_every_transport_passes_at_once_and_operators_addresses_do_not() {
    let mut nginx = Neighbour::new("nginx");
    let name = nginx.address.ip().to_string();
    let pair = Pair::for_names("nginx", &[&name]);
    let (server, clock) = spawn_app_at_rest(|settings| settings.server.hosts = AllowedHosts::parse(&[&name]).unwrap());
    start(&mut nginx, server.address, &pair, &[]).await;
    let host = nginx.address.to_string();
    let connect = async || RawClient::connect_secure(nginx.address, &pair).await;
    transports::pass(&server, &clock, &host, &format!("https://{host}"), connect).await;
    let mut client = connect().await;
    client.request(&format!("GET /api/v1/symbols?token=a-secret HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    // nginx writes the line after the answer.
    let log = || std::fs::read_to_string(nginx.directory.join("access.log")).unwrap();
    wait_until("the line", true, || log().contains("GET /api/v1/symbols ")).await;
    assert!(!log().contains("a-secret"), "{}", log());
}

#[tokio::test]
async fn behind_nginx_the_pages_are_live_over_wss_below_a_prefix() {
    let mut nginx = Neighbour::new("nginx");
    let name = nginx.address.ip().to_string();
    let pair = Pair::for_names("nginx-prefix", &[&name]);
    let variables = [("TICKCAST__SERVER__BASE_PATH", "/tickcast"), ("TICKCAST__SERVER__HOSTS", &*name)];
    let server = spawn_binary(&[], &variables).await;
    let below = [("location / {", "location /tickcast/ {"), ("~ ^/+(", "~ ^/tickcast/+(")];
    start(&mut nginx, server.address, &pair, &below).await;
    let browser = Browser::start(1280, 800, "light").await;
    // nginx adds the slash.
    browser.open(&format!("https://{}/tickcast", nginx.address)).await;
    browser.until("location.pathname === '/tickcast/'").await;
    browser.until("document.querySelector('#status').dataset.state === 'live'").await;
    browser.until("frames_.some(([way, data]) => way === 'in' && data.includes('\"type\":\"trade\"'))").await;
    assert_eq!(browser.value("sockets_[0].url").await, format!("wss://{}/tickcast/ws", nginx.address));
    browser.open(&format!("https://{}/tickcast/handshake", nginx.address)).await;
    browser.until("document.querySelector('#socket').dataset.state === 'open'").await;
    let statuses = "[...document.querySelectorAll('#attempts button')].map((each) => each.dataset.status).join()";
    browser.until(&format!("{statuses} === '426,426,400,403,101'")).await;
    assert_eq!(browser.value("violations_").await, serde_json::json!([]));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
