//! `Identity`: who a client is. And `KeySet`: keys by their id and by their secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use crate::access::symbol_set::SymbolSet;
use crate::access::token::TokenFacts;
use crate::access::{Credentials, Digest, Entitlement, Rights};
use crate::domain::SymbolTable;

/// A client that was let in: a key, the subject of a token, or nobody in particular. Clones are cheap.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
    /// The secret with which the client came.
    pub(super) secret: Option<Digest>,
}

struct Inner {
    /// Id of the key, or `jwt:` and the subject of the token; empty for a client without either.
    name: String,
    /// The digests of its secrets.
    secrets: Vec<Digest>,
    entitlement: Entitlement,
    origin: Origin,
    /// The symbols that the key may have, once they have been looked up. There is one table in a server.
    symbols: OnceLock<Option<Arc<SymbolSet>>>,
}

/// Where a client is known from.
enum Origin {
    /// From nowhere: it has shown nothing.
    Nowhere,
    /// From the section `[keys]`, or it has made its key up.
    Dialects,
    /// From the key file.
    File,
    /// From the issuer of its token.
    Token(TokenFacts),
}

/// Does not show secrets.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.inner.name).finish()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.inner.name == other.inner.name && self.inner.entitlement == other.inner.entitlement
    }
}

impl Identity {
    fn new(name: String, secrets: Vec<Digest>, entitlement: Entitlement, origin: Origin) -> Self {
        let inner = Inner { name, secrets, entitlement, origin, symbols: OnceLock::new() };
        Self { inner: Arc::new(inner), secret: None }
    }

    /// Returns a client without a key, who may have everything.
    pub fn anybody() -> Self {
        static ANYBODY: LazyLock<Identity> =
            LazyLock::new(|| Identity::new(String::new(), Vec::new(), Entitlement::everything(), Origin::Nowhere));
        ANYBODY.clone()
    }

    /// Returns a client that has not shown yet who it is, and may have nothing.
    pub fn nobody() -> Self {
        static NOBODY: LazyLock<Identity> =
            LazyLock::new(|| Identity::new(String::new(), Vec::new(), Entitlement::nothing(), Origin::Nowhere));
        NOBODY.clone()
    }

    /// Returns whether this is [`nobody`](Self::nobody).
    pub fn is_nobody(&self) -> bool {
        Arc::ptr_eq(&self.inner, &Self::nobody().inner)
    }

    /// Returns whether both are the same key, whatever it permits.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        self.has_key() && self.inner.name == other.inner.name && self.is_of_file() == other.is_of_file()
    }

    /// Returns a key of the key file.
    pub(super) fn of_file(name: String, secrets: Vec<Digest>, entitlement: Entitlement) -> Self {
        Self::new(name, secrets, entitlement, Origin::File)
    }

    /// Returns a key of the section `[keys]`, or one that a client has made up where any key is accepted.
    pub(super) fn of_dialects(name: String, secret: &str, entitlement: Entitlement) -> Self {
        Self::new(name, vec![Digest::of(secret)], entitlement, Origin::Dialects)
    }

    /// Returns the subject of a token.
    pub(super) fn of_token(name: String, facts: TokenFacts, entitlement: Entitlement) -> Self {
        Self::new(name, Vec::new(), entitlement, Origin::Token(facts))
    }

    /// Returns the same client, known to have shown the secret or the token with this digest.
    pub(super) fn with_secret(self, digest: Digest) -> Self {
        Self { secret: Some(digest), ..self }
    }

    /// Returns the name: the id of the key, or `jwt:` and the subject of the token; empty without either. No token has the name of a
    /// key.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns whether the client has a key or a token.
    pub fn has_key(&self) -> bool {
        !self.inner.name.is_empty()
    }

    /// Returns what the client may have.
    pub fn entitlement(&self) -> &Entitlement {
        &self.inner.entitlement
    }

    /// Returns whether the key is one of the key file.
    pub(super) fn is_of_file(&self) -> bool {
        matches!(self.inner.origin, Origin::File)
    }

    /// Returns the facts of the client's token, if it has one.
    pub(super) fn token(&self) -> Option<&TokenFacts> {
        if let Origin::Token(facts) = &self.inner.origin { Some(facts) } else { None }
    }

    /// Returns whether the client's connections are counted together over all endpoints, by a rule of its own.
    pub(super) fn has_own_limit(&self) -> bool {
        matches!(self.inner.origin, Origin::File | Origin::Token(_))
    }

    /// Returns the key as a client has it that came with the secret of which this is true.
    pub(super) fn found_by(&self, is: impl Fn(&Digest) -> bool) -> Option<Self> {
        let secret = self.inner.secrets.iter().find(|secret| is(secret))?;
        Some(Self { inner: self.inner.clone(), secret: Some(*secret) })
    }

    /// Returns whether a secret with this digest belongs to the key.
    pub(super) fn has_secret(&self, digest: &Digest) -> bool {
        // Every secret is compared, so that the time does not tell which one it is.
        self.inner.secrets.iter().fold(false, |found, secret| found | secret.is(digest))
    }

    /// Returns the rights of a session in the market of this server, which has one table.
    pub fn rights(&self, table: &Arc<SymbolTable>) -> Rights {
        let Entitlement { channels, max_hz, symbols_max, .. } = self.inner.entitlement;
        let symbols = self.inner.symbols.get_or_init(|| self.inner.entitlement.symbols_of(table)).clone();
        Rights { symbols, channels, max_hz, symbols_max }
    }

    /// Returns the rights of a session in another stream, which has a table of its own.
    pub fn rights_elsewhere(&self, table: &Arc<SymbolTable>) -> Rights {
        let Entitlement { channels, max_hz, symbols_max, .. } = self.inner.entitlement;
        Rights { symbols: self.inner.entitlement.symbols_of(table), channels, max_hz, symbols_max }
    }
}

/// Keys, found by id and by secret.
#[derive(Default)]
pub(super) struct KeySet {
    by_id: HashMap<String, Identity>,
    by_secret: HashMap<Digest, Identity>,
}

impl KeySet {
    /// Adds a key. Of two keys with the same secret, the first one has it where a secret comes alone.
    pub(super) fn insert(&mut self, key: Identity) {
        for secret in &key.inner.secrets {
            self.by_secret.entry(*secret).or_insert_with(|| key.clone());
        }
        self.by_id.insert(key.inner.name.clone(), key);
    }

    /// Returns the key with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<&Identity> {
        self.by_id.get(id)
    }

    /// Returns every key, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.by_id.values()
    }

    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns the key of these credentials, whose secret has this digest. For an unknown id as much is compared as for a known one.
    pub(super) fn find(&self, credentials: Credentials<'_>, digest: &Digest) -> Option<Identity> {
        static STRANGER: LazyLock<Identity> = LazyLock::new(|| {
            Identity::new(String::new(), vec![Digest::of("")], Entitlement::nothing(), Origin::Nowhere)
        });
        let key = match credentials {
            Credentials::Pair { id, .. } => self.by_id.get(id),
            Credentials::Token(_) => self.by_secret.get(digest),
            Credentials::Ticket(_) => None,
        };
        let is_good = key.unwrap_or(&STRANGER).has_secret(digest);
        key.filter(|_| is_good).map(|key| Identity { inner: key.inner.clone(), secret: Some(*digest) })
    }
}
