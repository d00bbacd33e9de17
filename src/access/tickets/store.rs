//! `Tickets`: makes tickets and reads them. A ticket is the name of a key, an end and a nonce, under an HMAC.
//!
//! It owns the nonces of the used tickets, and the clients with tokens (JWT) whose tickets are unused: a ticket has no room for the
//! claims of a token. It does not know the keys of the key file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::access::file::{self, KeyFileError};
use crate::access::guard::micros;
use crate::access::tickets::{ONCE, PAGE, Ticket};
use crate::access::{AuthConfig, Digest, Identity};
use crate::domain::Timestamp;

/// Fewest and most bytes of a secret file.
const SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: u64 = 4_096;
/// The parts of a ticket before the name, and the HMAC behind it, in bytes.
const END_BYTES: usize = 8;
const NONCE_BYTES: usize = 16;
const PRINT_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
/// The longest ticket in characters; a name has at most 256 bytes.
const TEXT_BYTES_MAX: usize = 512;

type Nonce = [u8; NONCE_BYTES];
/// Tells secrets of a key apart, and does not tell what they are.
pub(super) type Print = [u8; PRINT_BYTES];

/// Why a ticket is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none, was changed, or is of another server.
    Unknown,
    /// It has been used, or has expired. With the name of its key; empty for one of a token.
    Spent(String),
    /// So many tickets have been used that their nonces cannot be kept (`auth.tickets_max`).
    Full,
}

/// To whom a ticket belongs.
pub(super) enum Bearer {
    /// The key of the file with this name, by the secret with this print.
    OfFile {
        /// Its name.
        name: String,
        /// The print of the secret.
        print: Print,
    },
    /// This client, who had a token when the ticket was made.
    OfToken(Identity),
}

/// The tickets of one server process.
pub(in crate::access) struct Tickets {
    mac: Hmac<Sha256>,
    lifetime: Duration,
    page_lifetime: Duration,
    /// `auth.tickets_max`.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The latest time that was seen. A clock that is set back must not make a used ticket good again.
    latest: Timestamp,
    /// When that was.
    seen: Option<Instant>,
    /// The used tickets that have not expired.
    used: BTreeSet<(Timestamp, Nonce)>,
    /// The clients of the unused tickets of tokens.
    held: BTreeMap<(Timestamp, Nonce), Identity>,
}

impl Tickets {
    /// Returns the tickets of a server with these settings. Without a file their secret is random.
    ///
    /// # Errors
    ///
    /// Returns why the secret cannot be read.
    pub(in crate::access) fn new(config: &AuthConfig) -> Result<Self, KeyFileError> {
        let secret = match config.ticket_secret_file.as_str() {
            "" => rand::random::<[u8; SECRET_BYTES_MIN]>().to_vec(),
            path => read_secret(Path::new(path))?,
        };
        Ok(Self {
            mac: Hmac::new_from_slice(&secret).expect("HMAC takes keys of every length"),
            lifetime: Duration::from_millis(config.ticket_ms),
            page_lifetime: Duration::from_millis(config.page_ticket_ms),
            most: config.tickets_max,
            state: Mutex::default(),
        })
    }

    /// Makes a ticket for this client, good once; `None` if too many tickets of tokens are unused.
    pub(super) fn issue(&self, client: &Identity, now: Timestamp) -> Option<Ticket> {
        let (mut state, now) = self.lock(now);
        let expires_at = now.plus_micros(micros(self.lifetime));
        let nonce: Nonce = rand::random();
        if client.is_of_file() {
            return Some(self.sign(ONCE, client, expires_at, &nonce));
        }
        if state.held.len() >= self.most {
            return None;
        }
        state.held.insert((expires_at, nonce), client.clone());
        Some(self.sign(ONCE, &Identity::nobody(), expires_at, &nonce))
    }

    /// Makes a ticket of the key of the pages, good until its end.
    pub(super) fn issue_page(&self, key: &Identity, now: Timestamp) -> Ticket {
        let now = self.lock(now).1;
        self.sign(PAGE, key, now.plus_micros(micros(self.page_lifetime)), &rand::random())
    }

    fn sign(&self, prefix: &'static str, key: &Identity, expires_at: Timestamp, nonce: &Nonce) -> Ticket {
        let print = key.secret.map_or([0; PRINT_BYTES], |secret| self.print_of(&secret));
        let body = [&expires_at.micros().to_be_bytes()[..], nonce, &print, key.name().as_bytes()].concat();
        let mac = self.mac_of(prefix, &body).finalize().into_bytes();
        Ticket { text: format!("{prefix}{}", URL_SAFE_NO_PAD.encode([&body[..], &mac].concat())), expires_at }
    }

    /// Returns the HMAC of a ticket. The prefix belongs to it: what is good once must not become good until its end.
    fn mac_of(&self, prefix: &str, body: &[u8]) -> Hmac<Sha256> {
        self.mac.clone().chain_update(prefix).chain_update(body)
    }

    /// Returns to whom a ticket belongs. One that is good once is used up by that.
    ///
    /// # Errors
    ///
    /// Returns why it is refused.
    pub(super) fn redeem(&self, text: &str, now: Timestamp) -> Result<Bearer, Refused> {
        let (prefix, end, nonce, print, name) = self.read(text).ok_or(Refused::Unknown)?;
        let (mut state, now) = self.lock(now);
        if end <= now {
            return Err(Refused::Spent(name));
        }
        if prefix == ONCE {
            if state.used.contains(&(end, nonce)) {
                return Err(Refused::Spent(name));
            }
            if state.used.len() >= self.most {
                return Err(Refused::Full);
            }
            state.used.insert((end, nonce));
        }
        match state.held.remove(&(end, nonce)) {
            Some(client) => Ok(Bearer::OfToken(client)),
            // Of a token, at another process with the same secret.
            None if name.is_empty() => Err(Refused::Unknown),
            None => Ok(Bearer::OfFile { name, print }),
        }
    }

    /// Returns the parts of a ticket; `None` if this server, or one with its secret, has not made it.
    fn read(&self, text: &str) -> Option<(&'static str, Timestamp, Nonce, Print, String)> {
        let prefix = [ONCE, PAGE].into_iter().find(|prefix| text.starts_with(prefix))?;
        let text = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        let bytes = URL_SAFE_NO_PAD.decode(&text[prefix.len()..]).ok()?;
        let (body, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        // Compares in constant time.
        self.mac_of(prefix, body).verify_slice(mac).ok()?;
        let (end, rest) = body.split_first_chunk::<END_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (print, name) = rest.split_first_chunk::<PRINT_BYTES>()?;
        let end = Timestamp::from_micros(i64::from_be_bytes(*end));
        Some((prefix, end, *nonce, *print, String::from_utf8_lossy(name).into_owned()))
    }

    /// Returns a mark by which a secret is found again, and from which nobody can find the secret.
    pub(super) fn print_of(&self, secret: &Digest) -> Print {
        let mac = self.mac.clone().chain_update(b"print").chain_update(secret.bytes()).finalize().into_bytes();
        std::array::from_fn(|index| mac[index])
    }

    /// Returns the state at this time, without the tickets that have expired, and the time. While the clock is behind the latest time
    /// returned, because it was set back, it is that time and what has passed since: no used ticket is good again, not even when the clock
    /// has caught up, and new ones are good.
    fn lock(&self, now: Timestamp) -> (MutexGuard<'_, State>, Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = state.seen.map_or(0, |seen| micros(seen.elapsed()));
        let now = if now >= state.latest { now } else { state.latest.plus_micros(passed) };
        (state.latest, state.seen) = (now, Some(Instant::now()));
        while state.used.first().is_some_and(|(end, _)| *end <= now) {
            state.used.pop_first();
        }
        while state.held.first_key_value().is_some_and(|((end, _), _)| *end <= now) {
            state.held.pop_first();
        }
        (state, now)
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let complain = |complaint: String| KeyFileError::new("auth.ticket_secret_file", path, complaint);
    let mut secret = file::read(path, SECRET_BYTES_MAX).map_err(complain)?;
    if file::is_readable_for_all(path).map_err(complain)? {
        return Err(complain("everybody may read it (chmod o-r)".into()));
    }
    secret.truncate(file::without_line_end(&secret).len());
    if secret.len() < SECRET_BYTES_MIN {
        return Err(complain(format!("it has fewer than {SECRET_BYTES_MIN} bytes")));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Entitlement;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn tickets(tickets_max: usize) -> Tickets {
        Tickets::new(&AuthConfig { tickets_max, ..AuthConfig::default() }).unwrap()
    }

    fn of_file(name: &str) -> Identity {
        Identity::of_file(name.into(), vec![Digest::of("secret")], Entitlement::everything())
    }

    /// A client that no key file lists.
    fn of_token() -> Identity {
        Identity::of_dialects("token".into(), "secret", Entitlement::everything())
    }

    fn redeem(tickets: &Tickets, text: &str, now: Timestamp) -> Result<String, Refused> {
        tickets.redeem(text, now).map(|bearer| match bearer {
            Bearer::OfFile { name, .. } => name,
            Bearer::OfToken(client) => client.name().into(),
        })
    }

    #[test]
    fn a_changed_ticket_is_unknown_whichever_bit_was_changed() {
        let tickets = tickets(10);
        let ticket = tickets.issue(&of_file("desk7"), NOW).unwrap().text;
        let bytes = URL_SAFE_NO_PAD.decode(&ticket[ONCE.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = format!("{ONCE}{}", URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(redeem(&tickets, &text, NOW), Err(Refused::Unknown), "bit {bit}");
        }
        let as_page = ticket.replacen(ONCE, PAGE, 1);
        let (longer, many) = (format!("{ticket}A"), "tct_A".repeat(200));
        for text in ["", "tct_", "tct_AAAA", "tct_!", &ticket[4..], &as_page, &longer, &many] {
            assert_eq!(redeem(&tickets, text, NOW), Err(Refused::Unknown), "{text}");
        }
        assert_eq!(redeem(&tickets, &ticket, NOW), Ok("desk7".into()));
        assert_eq!(redeem(&tickets, &ticket, NOW), Err(Refused::Spent("desk7".into())));
    }

    #[test]
    fn a_ticket_of_a_token_is_good_once_and_at_its_own_process() {
        let tickets = tickets(10);
        let ticket = tickets.issue(&of_token(), NOW).unwrap().text;
        assert!(!String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(&ticket[4..]).unwrap()).contains("token"));
        assert_eq!(redeem(&tickets, &ticket, NOW), Ok("token".into()));
        assert_eq!(redeem(&tickets, &ticket, NOW), Err(Refused::Spent(String::new())));
        let again = tickets.issue(&of_token(), NOW).unwrap().text;
        tickets.state.lock().unwrap().held.clear();
        assert_eq!(redeem(&tickets, &again, NOW), Err(Refused::Unknown), "as another process sees it");
    }

    #[test]
    fn memory_is_bounded_and_expired_tickets_take_none() {
        let tickets = tickets(3);
        let held: Vec<_> = (0..5).map_while(|_| tickets.issue(&of_token(), NOW)).collect();
        assert_eq!(held.len(), 3);
        let made: Vec<_> = (0..5).map(|_| tickets.issue(&of_file("a"), NOW).unwrap()).collect();
        assert!(made[..3].iter().all(|ticket| redeem(&tickets, &ticket.text, NOW).is_ok()));
        assert_eq!(redeem(&tickets, &made[3].text, NOW), Err(Refused::Full), "no nonce of a used ticket is forgotten");
        let end = made[0].expires_at;
        assert_eq!(redeem(&tickets, &made[4].text, end), Err(Refused::Spent("a".into())), "the microsecond of its end");
        assert!(tickets.issue(&of_token(), end).is_some());
        let (state, _) = tickets.lock(end);
        assert_eq!((state.used.len(), state.held.len()), (0, 1));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_used_ticket_good_again() {
        let tickets = tickets(3);
        let used = tickets.issue(&of_file("a"), NOW).unwrap();
        assert_eq!(redeem(&tickets, &used.text, NOW), Ok("a".into()));
        // Its nonce is forgotten then.
        assert_eq!(redeem(&tickets, &used.text, used.expires_at), Err(Refused::Spent("a".into())));
        assert_eq!(redeem(&tickets, &used.text, NOW), Err(Refused::Spent("a".into())));
        let fresh = tickets.issue(&of_file("a"), NOW).unwrap();
        let page = tickets.issue_page(&of_file("a"), NOW);
        assert_eq!([&fresh, &page].map(|ticket| redeem(&tickets, &ticket.text, NOW)), [Ok("a".into()), Ok("a".into())]);
        assert_eq!(redeem(&tickets, &fresh.text, NOW), Err(Refused::Spent("a".into())));
    }

    #[test]
    fn the_time_of_tickets_never_goes_back_however_the_clock_is_set() {
        let tickets = tickets(3);
        let mut latest = NOW;
        for seconds in [0, -60, -59, -30, -1, 0, 1, -3_600, 0, 1, 2] {
            let now = tickets.lock(NOW.plus_micros(seconds * 1_000_000)).1;
            assert!(now >= latest, "{seconds}: {now} after {latest}");
            latest = now;
        }
    }
}
