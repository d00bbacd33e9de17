//! The request `auth`: a client says who it is, or renews its key on the open connection.
//!
//! A renewal changes the rights. Subscriptions that they no longer cover end; the wildcard follows the symbols, without a missed or
//! repeated event of those that stay. The token is checked by `access`.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::access::{KeyError, Pass, PassError, Rights, TokenError};
use crate::domain::{ChannelSet, SymbolId};
use crate::protocol::{CloseReason, ErrorCode, Mistake, Mode, Renewed, Request, RequestId, ServerMessage, Token};
use crate::session::Session;
use crate::session::wish::Wish;

/// After this time the keys of the issuer may be known, which a token needs. Milliseconds.
const KEYS_UNKNOWN_MS: u64 = 1_000;

/// Channels of symbols, or of the wildcard.
type Ended = Vec<(Option<SymbolId>, ChannelSet)>;

impl Session {
    /// Gives the session the pass with which its client may say by message who it is, or renew that. If nobody knows who the client is,
    /// it must say so until `until`, and is sent `welcome` with the name `name` then.
    pub fn hold(&mut self, pass: Pass, name: &str, until: Instant) {
        let Some(holder) = &mut self.holder else { return };
        holder.awaited = pass.is_awaited().then(|| (until, name.into()));
        holder.pass = Some(pass);
    }

    /// Returns whether the client has still to say who it is.
    pub fn is_awaited(&self) -> bool {
        self.awaited_until().is_some()
    }

    /// Returns the name of the key of a client that has said by message who it is.
    pub fn name_by_message(&self) -> Option<&str> {
        let holder = self.holder.as_ref().filter(|holder| holder.has_signed_in)?;
        Some(holder.identity.name())
    }

    /// Returns until when the client must say who it is; `None` if it has.
    pub fn awaited_until(&self) -> Option<Instant> {
        self.holder.as_ref()?.awaited.as_ref().map(|(until, _)| *until)
    }

    /// Checks that the request may be served: before the client has said who it is, no other one may.
    pub(super) fn check_signed_in(&self, request: &Request) -> Result<(), Mistake> {
        if !self.is_awaited() || matches!(request, Request::Auth { .. }) {
            return Ok(());
        }
        Err(Mistake::new(ErrorCode::Unauthorized, "the first request of a connection without a key is auth"))
    }

    /// Serves the request `auth`.
    pub(super) fn authenticate(
        &mut self,
        id: Option<RequestId>,
        token: &Token,
        now: Instant,
    ) -> Result<(), CloseReason> {
        self.count_authentication();
        let shown = match self.holder.as_mut().and_then(|holder| holder.pass.as_mut()) {
            Some(pass) => pass.show(token.text(), now).map(|()| (pass.identity().clone(), pass.payer())),
            None => Err(PassError::NoKey),
        };
        let verified = self.holder.as_mut().and_then(|holder| holder.pass.as_mut()).map_or(0, Pass::take_work);
        self.budget.count_work(verified);
        let (identity, payer) = match shown {
            Ok(shown) => shown,
            // The session cannot go on in another stream, and its client can begin one there.
            Err(PassError::OtherDelay) if !self.is_awaited() => return Err(CloseReason::KeyChanged),
            Err(err) => return self.refuse(id.as_ref(), mistake(err), now),
        };
        self.set_payer(payer);
        let rights = self.rights_of(&identity);
        self.playback.iter().for_each(|playback| playback.show(rights.channels));
        self.router.borrow_mut().show(self.key, rights.channels);
        let (has_lost, gained) = self.adapt(&rights, now);
        let awaited = self.holder.as_mut().and_then(|holder| {
            holder.set_client(identity, rights);
            let awaited = holder.awaited.take();
            holder.has_signed_in |= awaited.is_some();
            awaited
        });
        self.follow_growth();
        if let Some(auth) = self.authenticated() {
            let renewed = Renewed { id, auth: *auth, limits: self.limits() };
            self.control(ServerMessage::Renewed(renewed.into()), now)?;
        }
        if let Some((_, name)) = awaited {
            return self.welcome(&name, now);
        }
        if !has_lost && gained.is_empty() {
            return Ok(());
        }
        self.tell_subscriptions(None, None, now)?;
        if !gained.is_empty() {
            self.budget.count(0, gained.len(), gained.len());
            let channels = self.wishes.get(&None).map_or(ChannelSet::EMPTY, Wish::channels);
            let snapshots = self.router.borrow().snapshots(&gained, channels, self.rights().channels);
            self.outbox.borrow_mut().push_snapshots(snapshots, now);
        }
        Ok(())
    }

    /// Makes the subscriptions fit to other rights, which apply from then on. Returns whether some have ended or are slower now, and the
    /// symbols that the wildcard has gained.
    fn adapt(&mut self, rights: &Rights, now: Instant) -> (bool, Vec<SymbolId>) {
        let has_lost = self.end_uncovered(rights, now) | self.slow_down(rights);
        let gained = self.move_wildcard(rights, now);
        (has_lost, gained)
    }

    /// Ends the subscriptions that other rights do not cover. Returns whether there are any.
    fn end_uncovered(&mut self, rights: &Rights, now: Instant) -> bool {
        let uncovered = |(id, wish): (&Option<SymbolId>, &Wish)| {
            if id.is_some_and(|id| !rights.permit(id)) {
                return Some((*id, wish.channels()));
            }
            let all = wish.modes().filter(|(mode, _)| *mode == Mode::All && rights.max_hz.is_some());
            let channels = all.fold(wish.channels().difference(rights.channels), |all, (_, each)| all.union(each));
            (!channels.is_empty()).then_some((*id, channels))
        };
        let mut ended: Ended = self.wishes.iter().filter_map(uncovered).collect();
        // Of those that are left, the last ones give way, and the wildcard, the first one, stays.
        let is_over = |(id, channels): &(Option<SymbolId>, ChannelSet)| self.wishes[id].channels() == *channels;
        let over: BTreeSet<_> = ended.iter().filter(|each| is_over(each)).map(|(id, _)| *id).collect();
        let (symbols_max, _) = rights.symbols_max(self.config.symbols_max);
        let left = self.wishes.iter().filter(|(id, _)| !over.contains(*id));
        ended.extend(left.skip(symbols_max).map(|(id, wish)| (*id, wish.channels())));
        let names: Vec<_> = ended.iter().map(|(id, _)| *id).collect();
        let symbols = self.expand(&names);
        self.budget.count(0, 0, symbols.len());
        self.outbox.borrow_mut().release(&symbols, now);
        for (id, channels) in &ended {
            self.remove(*id, *channels);
        }
        !ended.is_empty()
    }

    /// Lowers the rates that are higher than other rights permit. Returns whether there are any.
    fn slow_down(&mut self, rights: &Rights) -> bool {
        let Some(highest) = rights.max_hz else { return false };
        let is_fast = |mode: Mode| matches!(mode, Mode::Latest(rate) if rate.is_none_or(|rate| rate > highest));
        let fast = |(id, wish): (&Option<SymbolId>, &Wish)| {
            let channels = wish.modes().filter(|(mode, _)| is_fast(*mode)).map(|(_, channels)| channels);
            let channels = channels.fold(ChannelSet::EMPTY, ChannelSet::union);
            (!channels.is_empty()).then_some((*id, channels))
        };
        let slowed: Ended = self.wishes.iter().filter_map(fast).collect();
        let (mode, offset) = (Mode::Latest(Some(highest)), self.router.borrow().offset());
        for (id, channels) in &slowed {
            self.wishes.entry(*id).or_default().insert(*channels, mode, offset);
            for channel in channels.iter() {
                for topic in self.topics_in_hub(*id, channel, |_| true) {
                    self.outbox.borrow_mut().set_mode(topic.id(), ChannelSet::from_iter([channel]), mode);
                }
            }
        }
        !slowed.is_empty()
    }

    /// Makes the wildcard mean the symbols of other rights. Returns those that it has gained. They begin now, and so does the wildcard as
    /// far as cursors are concerned, because of those symbols nothing was sent before.
    fn move_wildcard(&mut self, rights: &Rights, now: Instant) -> Vec<SymbolId> {
        let old = self.rights().clone();
        let Some(wish) = self.wishes.get(&None).cloned() else { return Vec::new() };
        if old.has_symbols_of(rights) {
            return Vec::new();
        }
        let ids: Vec<_> = self.router.borrow().config().table.ids().collect();
        let chosen = |is: &dyn Fn(SymbolId) -> bool| ids.iter().copied().filter(|id| is(*id)).collect::<Vec<_>>();
        let kept = chosen(&|id| old.permit(id) && rights.permit(id));
        let gained = chosen(&|id| !old.permit(id) && rights.permit(id));
        let lost = chosen(&|id| old.permit(id) && !rights.permit(id));
        self.budget.count(0, 0, ids.len());
        self.outbox.borrow_mut().release(&lost, now);
        let mut router = self.router.borrow_mut();
        for (mode, channels) in wish.modes() {
            let by_wildcard = |id: SymbolId| channels.difference(self.named(id));
            match (old.has_every_symbol(), rights.has_every_symbol()) {
                (true, _) => {
                    for id in &kept {
                        router.name(self.key, *id, by_wildcard(*id), mode);
                    }
                    router.unsubscribe(self.key, None, channels);
                }
                (false, true) => {
                    router.add_wildcard(self.key, channels, mode);
                    for id in &kept {
                        router.unsubscribe(self.key, Some(*id), by_wildcard(*id));
                    }
                }
                (false, false) => {
                    for id in &lost {
                        router.unsubscribe(self.key, Some(*id), by_wildcard(*id));
                    }
                    for id in &gained {
                        router.subscribe(self.key, &[Some(*id)], by_wildcard(*id), mode, None);
                    }
                }
            }
        }
        let offset = router.offset();
        drop(router);
        if !gained.is_empty() {
            let mut anew = Wish::default();
            for (mode, channels) in wish.modes() {
                anew.insert(channels, mode, offset);
            }
            self.wishes.insert(None, anew);
        }
        gained
    }
}

/// Returns the mistake of a client whose token is refused. It does not tell which half of a key was wrong.
fn mistake(err: PassError) -> Mistake {
    let code = match err {
        PassError::Refused(KeyError::RateLimited { wait_ms }) => {
            return Mistake { retry_after_ms: Some(wait_ms), ..Mistake::new(ErrorCode::RateLimited, err.to_string()) };
        }
        PassError::TooSoon(_) | PassError::Full => ErrorCode::LimitExceeded,
        // Not `unauthorized`, after which clients would throw a good token away.
        PassError::Refused(KeyError::Token(TokenError::Unavailable)) => {
            let retry_after_ms = Some(KEYS_UNKNOWN_MS);
            return Mistake { retry_after_ms, ..Mistake::new(ErrorCode::RateLimited, err.to_string()) };
        }
        _ => ErrorCode::Unauthorized,
    };
    Mistake::new(code, err.to_string())
}
