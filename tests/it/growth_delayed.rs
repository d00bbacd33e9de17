//! A new symbol in a delayed stream: its name is there at once, its events come when they are due.

use serde_json::json;

use crate::client::Client;
use crate::delayed::{advance, delaying, get_at, opened, read_up_to};
use crate::exchange::Exchange;
use crate::growth::trades;
use crate::keyring::{KeyRing, entry, get_as};

const DELAY_MS: u64 = 5_000;
const DELAY_MICROS: i64 = 5_000_000;

#[actix_web::test]
async fn a_delayed_stream_has_the_name_of_a_new_symbol_at_once_and_its_events_when_they_are_due() {
    let late = |id, symbols| entry(id, &format!("symbols = [\"{symbols}\"]\ndelay_ms = {DELAY_MS}"));
    let ring =
        KeyRing::new(&[entry("now", "symbols = [\"*\"]"), late("late", "*"), late("part", "A*"), late("other", "B*")]);
    let (server, exchange) = Exchange::open(&["AAPL"], |settings| delaying(settings, &ring, &[DELAY_MS]));
    let clock = exchange.clock();
    advance(&server, clock, DELAY_MICROS).await;
    opened(&server, "late").await;
    let mut clients = Vec::new();
    for id in ["late", "part", "other"] {
        let mut client = Client::connect_as(server.address, id).await;
        client.subscribe(&["*"], &["trades"]).await;
        clients.push(client);
    }
    let mut now = Client::connect_as(server.address, "now").await;
    now.subscribe(&["*"], &["trades"]).await;
    exchange.trade(&[("AMZN", 101), ("AMZN", 102)]);
    let present = trades(&now.events(2).await);
    assert_eq!(present, [json!(["AMZN", 1, 1.01]), json!(["AMZN", 2, 1.02])]);

    let listed = |text: &str| text.contains("AMZN");
    for (id, has) in [("late", true), ("part", true), ("other", false)] {
        assert_eq!(listed(get_as(server.address, id, "/api/v1/symbols").await.text()), has, "{id}");
        let snapshot = get_as(server.address, id, "/api/v1/snapshot").await;
        assert!(!snapshot.text().contains("price") && listed(snapshot.text()) == has, "{}", snapshot.text());
    }
    let mut named = Client::connect_as(server.address, "part").await;
    named.subscribe(&["AMZN"], &["trades"]).await;
    let snapshot = named.until("the snapshot", |message| message["type"] == "snapshot").await.pop().unwrap();
    assert_eq!((snapshot.get("price"), &snapshot["seq"]["trades"]), (None, &json!(0)));
    clients.push(named);

    // The bars of the first second close meanwhile.
    advance(&server, clock, DELAY_MICROS - 1).await;
    for client in &mut clients {
        assert_eq!(trades(&client.sync().await), [json!(null); 0]);
    }
    advance(&server, clock, 1).await;
    get_at(&server, "late", "/api/v1/snapshot?symbols=AMZN", 2).await;
    for (client, has) in clients.iter_mut().zip([true, true, false, true]) {
        let read = trades(&read_up_to(client, 2).await);
        assert_eq!(read, if has { present.clone() } else { Vec::new() });
    }
}
