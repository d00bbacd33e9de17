//! The stock stream of Alpaca: a client that does not read is told 407 and closed, because the stream has no word for a hole.

use serde_json::json;
use tickcast::protocol::{CloseReason, Refusal};

use crate::alpaca_client::{AlpacaClient, CODECS, Ended, error};
use crate::patience::wait_until;
use crate::slow_client::narrow;
use crate::spawn::spawn_app_at_rest;

#[actix_web::test]
async fn a_slow_client_is_told_and_closed_and_others_get_everything() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        narrow(settings);
        // The end of the connection waits for the slow reader.
        settings.session.close_timeout_ms = 60_000;
    });
    let subscribe = json!({"action": "subscribe", "trades": ["*"], "quotes": ["*"]});
    for (number, headers) in (1..).zip(CODECS) {
        let mut witness = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        witness.ask(&subscribe).await;
        let mut slow = AlpacaClient::connect_narrow(server.address, "/v2/iex", headers).await;
        slow.ask(&subscribe).await;
        let mut witnessed = 0;
        while server.metrics.closes(CloseReason::Lagging) < number {
            clock.advance_micros(3_000);
            witnessed += witness.next_frame().await.len();
        }
        assert!(witnessed > 300);
        let (last, ended) = slow.read_to_end().await;
        assert_eq!((last.unwrap(), ended), (error(407)[0].clone(), Ended(Some(4004))));
        assert_eq!(server.metrics.refusals(Refusal::SlowClient), number);
        witness.ask(&json!({"action": "unsubscribe", "trades": ["*"], "quotes": ["*"]})).await;
        drop((witness, slow));
        wait_until("sessions", 0, || server.sessions()).await;
    }
}
