//! Random keys and tokens with random subscriptions, recoveries and moves, against a model: over each transport and dialect everybody
//! gets exactly what it may have, and not a byte about another symbol.

mod desk;
mod holder;
mod market;
mod reads;
mod watch;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use desk::Desk;
use holder::{Dice, Holder};
use market::Market;
use reads::Reader;
use watch::Watch;

use crate::issuer::{ED, Scratch, set_of};
use crate::keyring::{KeyRing, WIDE, entry};
use crate::spawn::{spawn_app_at_rest, with_operators};

/// How many keys and tokens there are, unless this variable says otherwise: 1,000 take ten seconds.
const VARIABLE: &str = "TICKCAST_TEST_KEYS";
const KEYS: usize = 1_000;
const SEED: u64 = 14;
/// So many are there at the same time, and make so many moves.
const COHORT: usize = 50;
const ROUNDS: usize = 4;
const EXTRA_SYMBOLS: u32 = 20;
const STEP_MICROS: i64 = 15_000;

/// Returns the names of the symbols of the market.
fn names() -> Vec<String> {
    let listed = tickcast::feed::simulated::instruments::listings(EXTRA_SYMBOLS).unwrap();
    listed.into_iter().map(|listing| listing.instrument.symbol.as_str().to_owned()).collect()
}

#[actix_web::test]
async fn keys_and_tokens_bring_what_they_permit_and_not_a_byte_about_another_symbol() {
    let keys = std::env::var(VARIABLE).map_or(KEYS, |text| text.parse().unwrap());
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(SEED));
    let (holders, mut entries) = Holder::random(&mut dice, &names(), keys);
    entries.push(entry(WIDE, "symbols = [\"*\"]\nadmin = true"));
    let (ring, set) = (KeyRing::new(&entries), Scratch::new(set_of(&[&*ED])));
    let (server, clock) = spawn_app_at_rest(|settings| {
        crate::issuer::require(settings, &set);
        ring.require(settings);
        with_operators(settings);
        settings.auth.first_message_ms = 60_000;
        settings.auth.renewal_ms = 0;
        settings.feed.events_per_second = 5_000.0;
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.extra_symbols = EXTRA_SYMBOLS;
        settings.push.coalesce_ms = 0;
        settings.handshake.captures_max = 64;
        settings.handshake.capture_pending_bytes_max = 1 << 20;
    });
    let mut market = Market::watch(&server).await;
    assert_eq!(market.names().len(), names().len());
    market.go_on(&server, &clock, STEP_MICROS * 5).await;
    let (mut recovered, mut renewed) = (0, 0);
    for cohort in holders.chunks(COHORT) {
        let mut desks: Vec<_> = cohort.iter().cloned().map(Desk::new).collect();
        for _ in 0..ROUNDS {
            let mut watches = Vec::new();
            for desk in &mut desks {
                for _ in 0..2 {
                    desk.act(server.address, &market, &mut dice, cohort).await;
                }
                let reader = Reader { server: &server, market: &market, holder: &desk.holder };
                match dice.below(8) {
                    0 => watches
                        .push((desk.holder.clone(), Watch::open(&server, &market, &desk.holder, &mut dice).await)),
                    1..4 => reader.act(&mut dice).await,
                    _ => {}
                }
            }
            let since = market.head;
            market.go_on(&server, &clock, STEP_MICROS).await;
            for desk in &mut desks {
                desk.settle(&market, since).await;
            }
            for (holder, watch) in watches {
                watch.finish(&market, &holder, since).await;
            }
        }
        recovered += desks.iter().map(|desk| desk.recovered).sum::<usize>();
        renewed += desks.iter().map(|desk| desk.renewed).sum::<usize>();
    }
    assert!(
        recovered * 5 > keys && renewed * 10 > keys,
        "{recovered} recoveries and {renewed} renewals of {keys} keys"
    );
}
