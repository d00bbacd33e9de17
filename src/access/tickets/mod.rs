//! Tickets: short proofs of who a client is, for the address of an `EventSource`, which can send nothing else, and for the server's own
//! pages (`auth.page_key`).
//!
//! A client's ticket is good once; one of the key of the pages, which every visitor gets, until its end. What the key permits is looked
//! up when the ticket is used: one of a key that has been removed, changed or revoked since is worth what the key is worth now.

mod store;

use crate::access::guard::Guard;
use crate::access::{Denied, Digest, Identity, KeyError, Keys, TokenError};
use crate::domain::Timestamp;
use crate::protocol::CloseReason;

pub(super) use store::Tickets;
use store::{Bearer, Refused};

/// Tickets that are good once begin so.
const ONCE: &str = "tct_";
/// Tickets of the pages begin so.
const PAGE: &str = "tcp_";

/// A ticket that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The ticket, which must not be logged.
    pub text: String,
    /// Its end.
    pub expires_at: Timestamp,
}

/// Returns whether the word is like a ticket of the server's own pages.
pub fn is_page_ticket(word: &str) -> bool {
    word.starts_with(PAGE)
}

/// The beginnings of tickets.
pub(super) const PREFIXES: [&str; 2] = [ONCE, PAGE];

impl Keys {
    /// Makes a ticket for this client, good once; `None` if there are too many, or if the server asks for no keys.
    pub fn ticket(&self, client: &Identity) -> Option<Ticket> {
        let guard = self.guard.as_ref()?;
        let ticket = guard.tickets.issue(client, guard.clock.now());
        guard.metrics.tickets(if ticket.is_some() { "issued" } else { "full" }).inc();
        ticket
    }

    /// Makes a ticket of the key of the server's own pages, good until its end; `None` if there is none (`auth.page_key`).
    pub fn page_ticket(&self) -> Option<Ticket> {
        let guard = self.guard.as_ref()?;
        let ticket = guard.tickets.issue_page(&guard.page_key()?, guard.clock.now());
        guard.metrics.tickets("issued").inc();
        Some(ticket)
    }

    /// Returns whether this is the key of the visitors of the server's own pages.
    pub fn is_page_key(&self, client: &Identity) -> bool {
        self.guard.as_ref().is_some_and(|guard| !guard.page_key.is_empty() && guard.page_key == client.name())
    }

    /// Returns whether the visitors of the server's own pages have a key.
    pub fn have_page_key(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.page_key().is_some())
    }
}

impl Guard {
    /// Returns the key of the pages; `None` if the file does not list it, or lists it as one of an operator or a publisher, which everybody would be then.
    fn page_key(&self) -> Option<Identity> {
        let key = self.current().by_id(&self.page_key)?.found_by(|_| true)?;
        key.entitlement().suits_everybody().then_some(key)
    }

    /// Returns the client of a ticket.
    ///
    /// # Errors
    ///
    /// Returns why the ticket is refused.
    pub(super) fn redeem(&self, text: &str) -> Result<Identity, Denied> {
        let redeemed = self.tickets.redeem(text, self.clock.now());
        let client = match redeemed {
            Ok(Bearer::OfToken(client)) => match self.end_of(&client, false) {
                None => Ok(client),
                Some(CloseReason::TokenExpired) => Err(Denied::of(&client, KeyError::Expired)),
                Some(_) => Err(Denied::of(&client, TokenError::Revoked.into())),
            },
            // Its secret may have been removed since.
            Ok(Bearer::OfFile { name, print }) => {
                let key = self.current().by_id(&name).cloned();
                let key = key.filter(|key| {
                    !is_page_ticket(text) || (name == self.page_key && key.entitlement().suits_everybody())
                });
                let is_of_ticket = |secret: &Digest| self.tickets.print_of(secret) == print;
                key.and_then(|key| key.found_by(is_of_ticket)).ok_or(KeyError::Ticket.into())
            }
            Err(Refused::Unknown) => Err(KeyError::Ticket.into()),
            Err(Refused::Spent(name)) => Err(Denied { why: KeyError::Spent, name }),
            Err(Refused::Full) => Err(KeyError::TooManyTickets.into()),
        };
        let result = match client.as_ref().map_err(|denied| denied.why) {
            Ok(_) => "accepted",
            Err(KeyError::Spent) => "spent",
            Err(KeyError::TooManyTickets) => "full",
            Err(KeyError::Ticket) => "unknown",
            Err(_) => "ended",
        };
        self.metrics.tickets(result).inc();
        client
    }
}
