//! Tickets: whatever the bytes, and however a ticket is changed, none is accepted that the server has not made; one is good once, and that
//! of the server's own pages until its end.

use std::sync::LazyLock;

use tickcast::access::{Caller, Credentials, KeyError, Ticket};
use tickcast::domain::Clock;

use super::keyring::Keyring;
use super::parts::flip;

static KEYRING: LazyLock<Keyring> = LazyLock::new(Keyring::of_key_file);

pub(super) fn run(mut data: &[u8]) {
    let is_of_page = flip(&mut data);
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(redeem(text), Err(KeyError::Ticket), "{text:?}");
    }
    let Ticket { text, expires_at } = made(is_of_page);
    if let Some(changed) = changed(&text, data) {
        assert_eq!(redeem(&changed), Err(KeyError::Ticket), "{text} {changed}");
    }
    assert_eq!(redeem(&text), Ok(()), "{text}");
    assert_eq!(redeem(&text), if is_of_page { Ok(()) } else { Err(KeyError::Spent) }, "{text}");
    // So that the used ones are forgotten.
    KEYRING.clock.advance_micros(expires_at.micros() - KEYRING.clock.now().micros());
    assert_eq!(redeem(&text), Err(KeyError::Spent), "{text} at its end");
}

fn made(is_of_page: bool) -> Ticket {
    if is_of_page {
        return KEYRING.keys.page_ticket().expect("the pages have a key");
    }
    let pair = Credentials::Pair { id: Keyring::ID, secret: Keyring::SECRET };
    let client = KEYRING.keys.identify(Some(pair), &Caller::default()).expect("it is the key");
    KEYRING.keys.ticket(&client).expect("there is room for it")
}

fn redeem(text: &str) -> Result<(), KeyError> {
    let client = KEYRING.keys.identify(Some(Credentials::Ticket(text)), &Caller::default());
    client.map(|client| assert_eq!(client.name(), Keyring::ID)).map_err(|denied| denied.why)
}

/// Returns the ticket with changes: of each pair of bytes the first is a place, and the other one is put there; the last byte alone cuts
/// it. `None` if it is the same.
fn changed(text: &str, data: &[u8]) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for change in data.chunks(2) {
        let place = usize::from(change[0]) % (bytes.len() + 1);
        match (change, bytes.get_mut(place)) {
            ([_, byte], Some(here)) => *here = *byte,
            ([_, byte], None) => bytes.push(*byte),
            (_, _) => bytes.truncate(place),
        }
    }
    String::from_utf8(bytes).ok().filter(|changed| changed != text)
}
