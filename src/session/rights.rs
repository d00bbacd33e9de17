//! The rights of a session: what its client may name, and what its wildcard means.
//!
//! The hub knows no rights. It is asked for topics that the client may have, and for no others: so whatever it sends, from its ring
//! or live, is permitted. The wildcard of a client that may have some symbols is one subscription here, and a topic of each of these
//! symbols in the hub.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use crate::access::{Expiry, Identity, Keys, Pass, Rights, VisibleTable};
use crate::domain::{Channel, ChannelSet, SymbolId, Timestamp};
use crate::hub::{PartialWildcard, Recovery, Topic, topic};
use crate::protocol::{Authenticated, CloseReason, ErrorCode, Mistake, Mode, ServerMessage, Subscribe};
use crate::session::Session;
use crate::session::wish::Wish;

/// A client that may not have everything, or has a name.
pub(super) struct Holder {
    pub(super) identity: Identity,
    pub(super) rights: Rights,
    keys: Option<Arc<Keys>>,
    /// The time from which the client is told that its key expires; `None` for never.
    notice_at: Option<Timestamp>,
    /// The end of which the client has been told.
    told_of: Option<Timestamp>,
    /// Set for a client that may say by message who it is.
    pub(super) pass: Option<Pass>,
    /// For a client that has not done so: until when it must, and the name of its session, for `welcome`.
    pub(super) awaited: Option<(Instant, Box<str>)>,
    /// Whether the client has said by message who it is.
    pub(super) has_signed_in: bool,
}

impl Session {
    /// Sets who the client is. Before its first subscription. If it is to be told that its key expires, `keys` know when.
    pub fn entitle(&mut self, identity: &Identity, keys: Option<&Arc<Keys>>) {
        // The rights to another stream are none to this one.
        let is_here = identity.entitlement().delay_ms == self.router.borrow().config().delay_ms;
        let nobody = Identity::nobody();
        let identity = if is_here { identity } else { &nobody };
        let rights = self.rights_of(identity);
        self.router.borrow_mut().show(self.key, rights.channels);
        let may_have_all = rights.has_every_symbol() && identity.entitlement().has_every_channel();
        let is_anybody = may_have_all && rights.symbols_max == 0 && !identity.has_key();
        let holder = || Holder {
            identity: identity.clone(),
            rights,
            keys: keys.cloned(),
            notice_at: keys.and_then(|keys| keys.expiry_of(identity)).map(|expiry| expiry.told_at),
            told_of: None,
            pass: None,
            awaited: None,
            has_signed_in: false,
        };
        self.holder = (!is_anybody).then(|| Box::new(holder()));
    }

    /// Returns the rights of a client in the stream of the session: those of a replay have symbols of their own.
    pub(super) fn rights_of(&self, identity: &Identity) -> Rights {
        let router = self.router.borrow();
        let config = router.config();
        if config.is_private { identity.rights_elsewhere(&config.table) } else { identity.rights(&config.table) }
    }

    /// Tells the client that its key expires, once for each end.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    pub fn tell_expiry(&mut self, now: Instant) -> Result<(), CloseReason> {
        let time = self.clock.now();
        match self.holder.as_mut().and_then(|holder| holder.expiring(time)) {
            Some(expires_at) => self.control(ServerMessage::AuthExpiring { expires_at }, now),
            None => Ok(()),
        }
    }

    pub(super) fn rights(&self) -> &Rights {
        static EVERYTHING: Rights = Rights::everything();
        self.holder.as_ref().map_or(&EVERYTHING, |holder| &holder.rights)
    }

    /// Returns the most symbols that the session may name, and the setting that says so.
    pub fn symbols_max(&self) -> (usize, &'static str) {
        self.rights().symbols_max(self.config.symbols_max)
    }

    /// Returns the table as the client may see it.
    pub(super) fn visible(&self) -> VisibleTable {
        VisibleTable::new(self.router.borrow().config().table.clone(), self.rights().clone())
    }

    /// Returns the client's key for `welcome`, if it has one.
    pub(super) fn authenticated(&self) -> Option<Box<Authenticated>> {
        let holder = self.holder.as_ref().filter(|holder| holder.identity.has_key())?;
        let entitlement = holder.identity.entitlement();
        Some(Box::new(Authenticated {
            name: holder.identity.name().into(),
            expires_at: holder.expiry().map(|expiry| expiry.expires_at),
            max_hz: entitlement.max_hz,
            channels: entitlement.channels,
            connections: Some(entitlement.connections_max).filter(|max| *max > 0),
        }))
    }

    /// Returns the request as it may be served: at no higher rate than the client may have.
    ///
    /// # Errors
    ///
    /// Returns the mistake: a channel or a mode that the client may not have.
    pub(super) fn permitted<'a>(&self, wanted: &'a Subscribe) -> Result<Cow<'a, Subscribe>, Mistake> {
        let Rights { channels, max_hz, .. } = self.rights();
        let forbidden: Vec<_> = wanted.channels.difference(*channels).iter().map(Channel::name).collect();
        if !forbidden.is_empty() {
            let message = format!("the key does not include these channels: {}", forbidden.join(", "));
            return Err(Mistake::new(ErrorCode::ForbiddenChannel, message));
        }
        let Some(highest) = *max_hz else { return Ok(Cow::Borrowed(wanted)) };
        match wanted.mode {
            Mode::All => {
                let message =
                    format!("the key has at most {} events per second of each topic: mode latest", highest.hz());
                Err(Mistake::new(ErrorCode::ForbiddenMode, message))
            }
            Mode::Latest(rate) => {
                let mode = Mode::Latest(Some(rate.map_or(highest, |rate| rate.min(highest))));
                Ok(Cow::Owned(Subscribe { mode, ..wanted.clone() }))
            }
        }
    }

    /// Subscribes to what has just been added to `wishes`, in the hub: after `offset`, or from now on if there is none. `known` is
    /// sorted. Returns the recovery of the events in between.
    pub(super) fn subscribe_in_hub(
        &self,
        known: &[Option<SymbolId>],
        channels: ChannelSet,
        mode: Mode,
        offset: Option<u64>,
    ) -> Option<Recovery> {
        let recovery = self.ask_hub(known, channels, mode, offset);
        self.playback.iter().for_each(|playback| playback.subscribed());
        recovery
    }

    fn ask_hub(
        &self,
        known: &[Option<SymbolId>],
        channels: ChannelSet,
        mode: Mode,
        offset: Option<u64>,
    ) -> Option<Recovery> {
        if self.rights().has_every_symbol() || !known.contains(&None) {
            return self.router.borrow_mut().subscribe(self.key, known, channels, mode, offset);
        }
        self.follow_growth();
        // Symbols that are named have their own mode.
        let mut groups = vec![(channels, known.iter().copied().flatten().map(Some).collect::<Vec<_>>())];
        for id in self.expand(&[None]) {
            let rest = channels.difference(self.named(id));
            match groups.iter_mut().find(|(set, _)| *set == rest) {
                _ if rest.is_empty() => {}
                Some((_, ids)) => ids.push(Some(id)),
                None => groups.push((rest, vec![Some(id)])),
            }
        }
        let mut router = self.router.borrow_mut();
        let subscribed = groups.into_iter().map(|(set, mut ids)| {
            ids.sort_unstable();
            router.subscribe(self.key, &ids, set, mode, offset)
        });
        let subscribed = subscribed.reduce(|all, next| match (all, next) {
            (Some(mut all), Some(next)) => {
                all.topics.extend(next.topics);
                Some(all)
            }
            (all, _) => all,
        });
        if offset.is_none() {
            // Their snapshots follow, too.
            for id in self.wishes.keys().flatten() {
                router.restart_symbol(self.key, *id, channels.intersection(self.named(*id)));
            }
        }
        subscribed?
    }

    /// Unsubscribes from what has just been removed from `wishes`, in the hub.
    pub(super) fn unsubscribe_in_hub(&self, id: Option<SymbolId>, channels: ChannelSet) {
        let unsubscribe = |id, channels| self.router.borrow_mut().unsubscribe(self.key, id, channels);
        if self.rights().has_every_symbol() {
            return unsubscribe(id, channels);
        }
        let Some(id) = id else {
            self.follow_growth();
            for id in self.expand(&[None]) {
                unsubscribe(Some(id), channels.difference(self.named(id)));
            }
            return;
        };
        // The wildcard goes on, in its own mode.
        let mut kept = ChannelSet::EMPTY;
        for (mode, set) in self.wishes.get(&None).into_iter().flat_map(Wish::modes) {
            let set = set.intersection(channels);
            kept = kept.union(set);
            self.outbox.borrow_mut().set_mode(Some(id), set, mode);
        }
        unsubscribe(Some(id), channels.difference(kept));
    }

    /// Lets the hub subscribe the session to symbols that the feed adds, if they are part of its wildcard. To be called when the wildcard
    /// or its symbols have changed.
    pub(super) fn follow_growth(&self) {
        let mut router = self.router.borrow_mut();
        if !router.config().table.grows() {
            return;
        }
        let wish = self.wishes.get(&None).filter(|_| !self.rights().has_every_symbol());
        let wildcard = wish.map(|wish| {
            let rights = self.rights().clone();
            PartialWildcard { permits: Box::new(move |id| rights.permit(id)), modes: wish.modes().collect() }
        });
        router.set_partial_wildcard(self.key, wildcard);
    }

    /// Returns the topics of the hub for a subscription to this channel of a symbol, or of the wildcard: for the wildcard of a client
    /// with some of the symbols, those of the symbols that are `wanted`.
    pub(super) fn topics_in_hub(
        &self,
        id: Option<SymbolId>,
        channel: Channel,
        wanted: impl Fn(SymbolId) -> bool,
    ) -> Vec<Topic> {
        if id.is_some() || self.rights().has_every_symbol() {
            return vec![topic(id, channel)];
        }
        let is_part = |id: &SymbolId| wanted(*id) && !self.named(*id).contains(channel);
        self.visible().ids().filter(is_part).map(|id| Topic::symbol(id, channel)).collect()
    }

    /// Returns the channels to which the session is subscribed by the name of a symbol.
    pub(super) fn named(&self, id: SymbolId) -> ChannelSet {
        self.wishes.get(&Some(id)).map_or(ChannelSet::EMPTY, Wish::channels)
    }
}

impl Holder {
    /// Sets who the client is from now on.
    pub(super) fn set_client(&mut self, identity: Identity, rights: Rights) {
        (self.identity, self.rights) = (identity, rights);
        self.notice_at = self.expiry().map(|expiry| expiry.told_at);
    }

    fn expiry(&self) -> Option<Expiry> {
        self.keys.as_ref()?.expiry_of(&self.identity)
    }

    /// Returns the end of the client's key if the client is to be told of it now.
    fn expiring(&mut self, time: Timestamp) -> Option<Timestamp> {
        self.notice_at.take_if(|at| *at <= time)?;
        // The operator may have put it off since.
        let expiry = self.expiry()?;
        if expiry.told_at > time {
            self.notice_at = Some(expiry.told_at);
            return None;
        }
        // Until then the operator may put it off, and the client is told of the new end.
        self.notice_at = Some(expiry.expires_at);
        (self.told_of.replace(expiry.expires_at) != Some(expiry.expires_at)).then_some(expiry.expires_at)
    }
}
