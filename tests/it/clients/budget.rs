//! A subscription that the server refuses because the address has used up its work: the client asks again, and gets every event.

use serde_json::json;

use super::program::{Language, Program};
use super::{only, with_each};
use crate::command::spawn_binary;

#[tokio::test]
async fn a_subscription_over_the_budget_is_repeated_when_the_server_permits_it() {
    with_each(Language::ALL, async |language| {
        // The snapshots of all symbols cost about 18,000 units, and the burst is 15,000.
        let variables = [
            ("TICKCAST__LIMITS__EXEMPT", "192.0.2.1"),
            ("TICKCAST__LIMITS__ADDRESS_WORK_PER_SECOND_MAX", "3000"),
            ("TICKCAST__FEED__EXTRA_SYMBOLS", "2000"),
            ("TICKCAST__FEED__EVENTS_PER_SECOND", "2000"),
        ];
        let server = spawn_binary(&[], &variables).await;
        let subscriptions = json!([["*", { "channels": ["trades"] }], ["AAPL", { "channels": ["quotes"] }]]);
        let mut program = Program::start_with(language, server.address, &only("websocket"), &subscriptions);
        while program.ledger.count("error") == 0 || program.ledger.count("quote") < 20 {
            program.next().await;
        }
        let (end, ledger) = program.close().await;
        assert_eq!(
            (ledger.count("open"), ledger.count("hole"), ledger.count("reset"), &end["failure"]),
            (1, 0, 0, &json!(null)),
            "{language:?}"
        );
    })
    .await;
}
