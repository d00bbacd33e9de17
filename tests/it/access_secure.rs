//! The attacks on tokens and keys over TLS: the answers are those of plain HTTP.

use serde_json::Value;

use crate::access_token_attack::{bad_claims, forged, malformed, set, too_much};
use crate::issuer::{RSA, bearer, offers, require};
use crate::keyring::{KeyRing, WIDE, basic, header_of, offer, two_keys};
use crate::raw::{RawClient, handshake};
use crate::secure::Pair;
use crate::spawn::spawn_app_at_rest;

#[actix_web::test]
async fn every_attack_is_refused_over_tls_as_well() {
    let (set, ring, pair) = (set(), KeyRing::new(&two_keys()), Pair::new("access-secure"));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        ring.require(settings);
        pair.configure(settings);
    });
    let tls = server.tls_address.unwrap();
    let ask = async |header: &str, offers: &str| {
        let mut client = RawClient::connect_secure(tls, &pair).await;
        let request = format!("GET /api/v1/symbols HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\n\r\n");
        let symbols = client.request(&request).await;
        let socket = client.request(&handshake(&[("Sec-WebSocket-Protocol", Some(offers))])).await;
        [symbols, socket]
    };
    let good = RSA.token_with(&Value::from(serde_json::Map::new()), &Value::from(serde_json::Map::new()));
    for (header, offers) in
        [(bearer(&good), offers(&good)), (header_of(WIDE), offer(WIDE, &crate::keyring::secret(WIDE)))]
    {
        assert_eq!(ask(&header, &offers).await.map(|answer| answer.status), [200, 101]);
    }
    let tokens = forged().into_iter().chain(malformed()).chain(too_much()).chain(bad_claims());
    let mut attacks: Vec<_> = tokens.map(|(name, token, _)| (name, bearer(&token), offers(&token))).collect();
    for (id, word) in [(WIDE, "wrong"), ("nobody", "wrong"), ("", ""), (WIDE, "the secret of wid")] {
        attacks.push(("a wrong key", basic(id, word), offer(id, word)));
    }
    assert!(attacks.len() > 90);
    for (name, header, offers) in attacks {
        for answer in ask(&header, &offers).await {
            assert_eq!(answer.status, 401, "{name}: {answer:?}");
            assert!(answer.head.contains("www-authenticate: bearer error=\"invalid_token\"\r\n"), "{name}: {answer:?}");
        }
    }
    assert_eq!(server.metrics.auth("accepted"), 4);
}
