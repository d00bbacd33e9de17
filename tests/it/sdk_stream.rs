//! The client library of Massive, and the one of Finnhub's documentation, on their streams: `tests/sdk/` has their programs.

use crate::sdk_alpaca::{market, run};
use crate::spawn::spawn_app;

#[actix_web::test]
async fn the_python_client_of_massive_reads_every_topic_without_a_warning_and_is_refused_without_a_key() {
    let server = spawn_app(|settings| market(settings, 2_000.0));
    let address = server.address.to_string();
    let least = ["T=2000", "Q=4000", "A=500", "AM=60"];
    run("target/clients/massive/bin/python", &[&["tests/sdk/massive/stream.py", &address, "10"][..], &least].concat())
        .await;
}

#[actix_web::test]
async fn the_client_of_the_documentation_of_finnhub_reads_trades_and_is_refused_without_a_token() {
    let server = spawn_app(|settings| market(settings, 2_000.0));
    // As the documentation has it: no slash before the query.
    let address = format!("ws://{}?token=tickcast", server.address);
    run("target/clients/finnhub/bin/python", &["tests/sdk/finnhub/stream.py", &address, "100"]).await;
}
