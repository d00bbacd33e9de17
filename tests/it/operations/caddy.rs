//! Debian's Caddy with `docs/operations/Caddyfile` in front of the server, without its certificates: those come from the internet.

use tickcast::transport::AllowedHosts;

use super::{Neighbour, document, program, replaced, transports};
use crate::raw::RawClient;
use crate::spawn::spawn_app_at_rest;

#[actix_web::test]
async fn behind_caddy_every_transport_passes_at_once_and_operators_addresses_do_not() {
    let mut caddy = Neighbour::new("caddy");
    let host = caddy.address.to_string();
    let name = caddy.address.ip().to_string();
    let (server, clock) = spawn_app_at_rest(|settings| settings.server.hosts = AllowedHosts::parse(&[&name]).unwrap());
    let site = format!("{{\n\tadmin off\n}}\n\nhttp://{host} {{\n\tbind {name}");
    let upstream = format!("reverse_proxy {} {{", server.address);
    let changes = [("ticks.example.com {", &*site), ("reverse_proxy 127.0.0.1:8080 {", &upstream)];
    caddy.write("Caddyfile", &replaced(&document("Caddyfile"), &changes));
    let mut command = program("usr/bin/caddy");
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    caddy.start(command).await;
    let connect = async || RawClient::connect(caddy.address).await;
    transports::pass(&server, &clock, &host, &format!("http://{host}"), connect).await;
}
