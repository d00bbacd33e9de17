//! Tests of `Keys`: credentials, and the places of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

fn pair(id: &str, secret: &str) -> KeyConfig {
    KeyConfig { id: id.into(), secret: secret.into(), ..KeyConfig::default() }
}

fn keys(pairs: Vec<KeyConfig>, accepts_any: bool) -> Arc<Keys> {
    Arc::new(Keys::new(&KeysConfig { pairs, ..KeysConfig::default() }, accepts_any))
}

fn check(keys: &Keys, id: &str, secret: &str) -> Result<String, KeyError> {
    keys.check(Vendor::Alpaca, Credentials::Pair { id, secret }, &Caller::default())
        .map(|key| key.name().to_owned())
        .map_err(|denied| denied.why)
}

/// Checks one word at Massive.
fn check_word(keys: &Keys, word: &str) -> Result<Identity, KeyError> {
    keys.check(Vendor::Massive, Credentials::Token(word), &Caller::default()).map_err(|denied| denied.why)
}

#[test]
fn only_listed_pairs_are_accepted_and_a_token_is_a_secret() {
    let keys = keys(vec![pair("a", "secret a"), pair("b", "secret b")], false);
    assert_eq!(check(&keys, "b", "secret b"), Ok("b".into()));
    for (id, secret) in [("b", "secret a"), ("a", ""), ("", ""), ("c", "secret a"), ("a", "secret aa")] {
        assert_eq!(check(&keys, id, secret), Err(KeyError::Unknown), "{id} {secret}");
    }
    assert_eq!(keys.check(Vendor::Massive, Credentials::Token("secret a"), &Caller::default()).unwrap().name(), "a");
    assert_eq!(check_word(&keys, "a"), Err(KeyError::Unknown));
}

#[test]
fn a_key_speaks_its_dialects_only() {
    let only = KeyConfig { dialects: vec![Vendor::Finnhub], ..pair("a", "s") };
    let keys = keys(vec![only], true);
    assert_eq!(check(&keys, "a", "s"), Err(KeyError::NotEntitled));
    assert!(keys.check(Vendor::Finnhub, Credentials::Token("s"), &Caller::default()).is_ok());
}

#[test]
fn with_any_every_pair_is_accepted_and_listed_ones_keep_their_limits() {
    let listed = KeyConfig { symbols_max: 30, ..pair("a", "s") };
    let keys = keys(vec![listed], true);
    let limit = |id, secret| {
        keys.check(Vendor::Alpaca, Credentials::Pair { id, secret }, &Caller::default())
            .map(|key| key.entitlement().symbols_max)
            .map_err(|denied| denied.why)
    };
    assert_eq!(limit("a", "s"), Ok(30));
    assert_eq!(limit("x", "y"), Ok(0), "as any session");
    assert_eq!(limit("", "y"), Err(KeyError::Unknown));
    assert_eq!(limit("a", "y"), Err(KeyError::Unknown), "the wrong secret of a listed key");
    assert_eq!(check_word(&keys, "a"), Err(KeyError::Unknown), "its id");
    let long = "x".repeat(WORD_BYTES_MAX + 1);
    assert_eq!(check_word(&keys, &long), Err(KeyError::Unknown));
}

#[test]
fn any_key_beyond_loopback_must_be_said_explicitly() {
    let config = |any, secret: &str| {
        let pairs = vec![KeyConfig { secret: secret.into(), ..KeyConfig::default() }];
        KeysConfig { any, pairs, ..KeysConfig::default() }
    };
    assert!(config(AnyKey::Loopback, "tickcast").is_public(false), "beyond loopback");
    assert!(!config(AnyKey::Loopback, "tickcast").is_public(true));
    assert!(!config(AnyKey::Loopback, "of my own").is_public(false));
    assert!(!config(AnyKey::Everywhere, "tickcast").is_public(false), "everybody is let in on purpose");
    let accepts = |any, on_loopback| KeysConfig { any, ..KeysConfig::default() }.accepts_any(on_loopback);
    assert_eq!([accepts(AnyKey::Loopback, true), accepts(AnyKey::Loopback, false)], [Ok(true), Ok(false)]);
    assert_eq!([accepts(AnyKey::Always, true), accepts(AnyKey::Always, false)], [Ok(true), Err(OpenToAll)]);
    assert_eq!([accepts(AnyKey::Everywhere, false), accepts(AnyKey::Never, true)], [Ok(true), Ok(false)]);
}

#[test]
fn a_debug_line_does_not_show_a_secret() {
    let key = keys(vec![pair("a", "hidden")], false)
        .check(Vendor::Alpaca, Credentials::Token("hidden"), &Caller::default())
        .unwrap();
    let config = KeysConfig { pairs: vec![pair("a", "hidden")], ..KeysConfig::default() };
    let text = format!("{key:?} {config:?}");
    assert!(text.contains("***") && !text.contains("hidden"), "{text}");
}

#[test]
fn the_oldest_connection_is_ended_once_and_another_endpoint_has_places_of_its_own() {
    let keys = keys(vec![KeyConfig { connections_max: 1, ..pair("a", "s") }], false);
    let key = keys.check(Vendor::Massive, Credentials::Token("s"), &Caller::default()).unwrap();
    let ended = Arc::new(AtomicUsize::new(0));
    let take = |endpoint| {
        let ended = ended.clone();
        keys.take_seat(&key, endpoint, AtExcess::EndOldest, move |_| _ = ended.fetch_add(1, Ordering::Relaxed)).unwrap()
    };
    let (first, _other, second) = (take("/stocks"), take("/options"), take("/stocks"));
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    // The place of an ended connection is no longer its own.
    drop(first);
    assert!(keys.take_seat(&key, "/stocks", AtExcess::Refuse, |_| {}).is_err());
    drop(second);
    assert!(keys.take_seat(&key, "/stocks", AtExcess::Refuse, |_| {}).is_ok());
}

proptest! {
    #[test]
    fn a_key_never_has_more_connections_than_it_may(
        steps in prop::collection::vec((any::<bool>(), 0..8_usize), 1..60), connections_max in 1..4_usize,
    ) {
        let keys = keys(vec![KeyConfig { connections_max, ..pair("a", "s") }], false);
        let key = keys.check(Vendor::Alpaca, Credentials::Token("s"), &Caller::default()).unwrap();
        let mut seats = Vec::new();
        for (takes, index) in steps {
            if takes {
                let seat = keys.take_seat(&key, "/v2/iex", AtExcess::Refuse, |_| {});
                prop_assert_eq!(seat.is_ok(), seats.len() < connections_max);
                seats.extend(seat);
            } else if index < seats.len() {
                seats.swap_remove(index);
            }
        }
        drop(seats);
        prop_assert!(keys.seats.lock().places.is_empty(), "nothing leaks");
    }
}
