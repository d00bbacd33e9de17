//! The key file: `auth.keys_file`, in TOML. Read at start and on SIGHUP.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::access::config::{LIMIT_MAX, WORD_BYTES_MAX, WORK_MAX};
use crate::access::delays::DELAY_MS_MAX;
use crate::access::file::{self, KeyFileError};
use crate::access::identity::{Identity, KeySet};
use crate::access::secret::is_like_ours;
use crate::access::{Delays, Digest, Entitlement, Glob, OnLimit, web_origin};
use crate::domain::{Channel, ChannelSet, Timestamp};
use crate::protocol::Rate;

/// Longest file in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most keys.
const KEYS_MAX: usize = 100_000;
/// Most entries of each list of a key.
const LIST_MAX: usize = 10_000;
/// Most secrets of a key: the old one and the new one.
const SECRETS_MAX: usize = 2;
/// Longest word of a message of the parser that is shown, in bytes.
const WORD_SHOWN_MAX: usize = 32;
/// The rule for each kind of list entry.
const SYMBOL_RULE: &str = "symbols must be patterns like \"BTC*\" of 1 to 64 characters, without []{}\\ and !";
const ORIGIN_RULE: &str = "origins must be like \"https://example.com\"";
const ADDRESS_RULE: &str = "addresses must be networks like \"192.0.2.0/24\", without bits beyond the prefix";
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: Vec<Entry>,
}

/// One key of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    secret_sha256: Texts,
    symbols: Vec<String>,
    channels: Option<Vec<String>>,
    max_hz: Option<f64>,
    #[serde(default)]
    symbols_max: usize,
    #[serde(default)]
    connections_max: usize,
    #[serde(default)]
    work_per_second_max: u32,
    #[serde(default)]
    on_limit: OnLimit,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    addresses: Vec<String>,
    expires: Option<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    publish: bool,
}

/// One text or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum Texts {
    One(String),
    Several(Vec<String>),
}

/// Reads the keys of a file, for a server with these delays.
///
/// # Errors
///
/// Returns the first mistake in it.
pub(super) fn read(path: &Path, delays: &Delays) -> Result<KeySet, KeyFileError> {
    let keys = file::read_text(path, FILE_BYTES_MAX).and_then(|text| parse(&text, Some(delays)));
    keys.map_err(|complaint| KeyFileError::new("auth.keys_file", path, complaint))
}

/// Reads the keys in a text. Their delays must be among `delays`, if these are known.
///
/// # Errors
///
/// Returns the first mistake in it, in one line.
pub(super) fn parse(text: &str, delays: Option<&Delays>) -> Result<KeySet, String> {
    let file: File = toml::from_str(text).map_err(|err| in_one_line(text, &err))?;
    if file.keys.is_empty() {
        // It has been cut, or is being written: every client would be thrown out.
        return Err("it has no keys (to let nobody in, keep one key with symbols = [])".into());
    }
    if file.keys.len() > KEYS_MAX {
        return Err(format!("it has more than {KEYS_MAX} keys"));
    }
    let mut secrets = HashMap::new();
    let mut set = KeySet::default();
    for entry in file.keys {
        let id = entry.id.clone();
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'"' | b'\\');
        if !(1..=WORD_BYTES_MAX).contains(&id.len()) || !id.bytes().all(fits) {
            return Err(format!(
                "the id {:?} must be 1 to {WORD_BYTES_MAX} letters, digits and signs of ASCII, without blanks, colons, quotes and \\",
                shown(&id)
            ));
        }
        if is_like_ours(&id) {
            return Err("an id must not begin like a secret, with tcs_".into());
        }
        if set.by_id(&id).is_some() {
            return Err(format!("the id {id} is there twice"));
        }
        let (digests, entitlement) = checked(entry, delays).map_err(|complaint| format!("key {id}: {complaint}"))?;
        for digest in &digests {
            if let Some(other) = secrets.insert(*digest, id.clone()) {
                return Err(format!("the keys {other} and {id} have the same secret"));
            }
        }
        set.insert(Identity::of_file(id, digests, entitlement));
    }
    Ok(set)
}

fn checked(entry: Entry, delays: Option<&Delays>) -> Result<(Vec<Digest>, Entitlement), String> {
    let texts = match entry.secret_sha256 {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    };
    let digests: Option<Vec<_>> = texts.iter().map(|text| Digest::parse(text)).collect();
    let digests = digests.filter(|digests| (1..=SECRETS_MAX).contains(&digests.len()));
    let digests = digests.ok_or("secret_sha256 must be 64 hexadecimal digits, or a list of one or two such texts")?;
    let lists = [&entry.symbols, &entry.origins, &entry.addresses].into_iter().chain(&entry.channels);
    if lists.into_iter().any(|list| list.len() > LIST_MAX) {
        return Err(format!("a list may have at most {LIST_MAX} entries"));
    }
    if entry.symbols_max > LIMIT_MAX || entry.connections_max > LIMIT_MAX {
        return Err(format!("symbols_max and connections_max must be at most {LIMIT_MAX}"));
    }
    if entry.work_per_second_max > WORK_MAX {
        return Err(format!("work_per_second_max must be at most {WORK_MAX}"));
    }
    check_delay(entry.delay_ms, entry.admin, delays)?;
    let rate = |hz| Rate::from_hz(hz).ok_or("max_hz must be 0.001 to 1000");
    let entitlement = Entitlement {
        symbols: each(&entry.symbols, SYMBOL_RULE, Glob::parse)?,
        symbols_within: Vec::new(),
        channels: entry.channels.map_or(Ok(ChannelSet::ALL), |names| channels(&names))?,
        max_hz: entry.max_hz.map(rate).transpose()?,
        delay_ms: entry.delay_ms,
        symbols_max: entry.symbols_max,
        connections_max: entry.connections_max,
        work_per_second_max: entry.work_per_second_max,
        on_limit: entry.on_limit,
        expires_at: entry.expires.as_deref().map(|text| moment(text, "expires")).transpose()?,
        origins: each(&entry.origins, ORIGIN_RULE, |text| Some(web_origin(text)?.ascii_serialization()))?,
        addresses: each(&entry.addresses, ADDRESS_RULE, |text| text.parse().ok())?,
        admin: entry.admin,
        publish: entry.publish,
    };
    Ok((digests, entitlement))
}

fn check_delay(delay_ms: u64, is_admin: bool, delays: Option<&Delays>) -> Result<(), String> {
    if delay_ms > DELAY_MS_MAX || delays.is_some_and(|delays| !delays.permit(delay_ms)) {
        return Err(format!("delay_ms must be 0 or one of auth.delays_ms, at most {DELAY_MS_MAX}, not {delay_ms}"));
    }
    // An operator sees the present, in metrics and in the list of sessions.
    if delay_ms > 0 && is_admin { Err("admin and delay_ms exclude each other".into()) } else { Ok(()) }
}

fn each<T>(texts: &[String], rule: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let read = |text: &String| parse(text).ok_or_else(|| format!("{rule}, not {:?}", shown(text)));
    texts.iter().map(read).collect()
}

/// Returns the beginning of a text for a message.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Returns the channels of these names and patterns: `trades`, `bars.*`, `*`.
///
/// # Errors
///
/// Returns the first one that names no channel.
pub(super) fn channels(names: &[String]) -> Result<ChannelSet, String> {
    let mut all = ChannelSet::EMPTY;
    for name in names {
        let glob = Glob::parse(name);
        let glob = glob.ok_or_else(|| format!("channels: no channel is called {:?}", shown(name)))?;
        let is_named = |channel: &Channel| glob.matches(&channel.name().to_ascii_uppercase());
        let found: ChannelSet = ChannelSet::ALL.iter().filter(is_named).collect();
        if found.is_empty() {
            return Err(format!("channels: no channel is called {name:?}"));
        }
        all = all.union(found);
    }
    Ok(all)
}

/// Reads the time of the member with this name.
///
/// # Errors
///
/// Returns the rule that it breaks.
pub(super) fn moment(text: &str, name: &str) -> Result<Timestamp, String> {
    let moment = chrono::DateTime::parse_from_rfc3339(text);
    moment
        .map(|moment| Timestamp::from_micros(moment.timestamp_micros()))
        .map_err(|_| format!("{name} must be a time of RFC 3339, like \"2027-01-01T00:00:00Z\""))
}

/// Returns the message of the parser with its line, without the excerpt of the file, which may hold digests.
pub(super) fn in_one_line(text: &str, err: &toml::de::Error) -> String {
    let line = err.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
    let words = err.message().split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    // A digest in a wrong place.
    let words: String = words.map(|word| if word.len() > WORD_SHOWN_MAX { "***" } else { word }).collect();
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    format!("line {line}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn key(more: &str) -> String {
        format!("[[keys]]\nid = \"a\"\nsecret_sha256 = \"{HEX}\"\nsymbols = [\"*\"]\n{more}\n")
    }

    #[test]
    fn a_key_has_every_field_of_the_file() {
        let text = key("channels = [\"trades\", \"bars.1?\"]\nmax_hz = 2.5\nsymbols_max = 3\nconnections_max = 4\n\
                        work_per_second_max = 5\non_limit = \"replace\"\norigins = [\"HTTPS://Example.com:443\"]\naddresses = [\"192.0.2.0/24\"]\n\
                        expires = \"2027-01-01T00:00:00+01:00\"\nadmin = true\npublish = true\ndelay_ms = 0");
        let set = parse(&text, None).unwrap();
        let key = set.by_id("a").unwrap().entitlement().clone();
        assert_eq!((key.symbols_max, key.connections_max, key.on_limit, key.admin), (3, 4, OnLimit::Replace, true));
        assert_eq!((key.max_hz, key.work_per_second_max, key.publish), (Rate::from_hz(2.5), 5, true));
        let names: Vec<_> = key.channels.iter().map(Channel::name).collect();
        assert_eq!(names, ["trades", "bars.1s", "bars.1m", "bars.1h", "bars.1d"]);
        assert_eq!(key.origins, ["https://example.com"]);
        assert_eq!(key.expires_at, Some(Timestamp::from_micros(1_798_758_000_000_000)));
        assert!(key.addresses[0].contains("192.0.2.9".parse().unwrap()));
    }

    #[test]
    fn a_mistake_is_told_in_one_line_that_names_the_key() {
        let twice = format!("{}{}", key(""), key(""));
        let same = format!("{}{}", key(""), key("").replace("\"a\"", "\"b\""));
        for (text, named) in [
            (key("colour = 1"), "colour"),
            (key("max_hz = 0"), "max_hz"),
            (key("expires = \"tomorrow\""), "expires"),
            (key("origins = [\"example.com\"]"), "origins"),
            (key("addresses = [\"192.0.2.0/33\"]"), "addresses"),
            (key("channels = [\"ticks\"]"), "ticks"),
            (key("on_limit = \"wait\""), "unknown variant `wait`"),
            (key("delay_ms = 2"), "auth.delays_ms"),
            (key("delay_ms = 1\nadmin = true"), "admin and delay_ms"),
            (key("connections_max = 1000001"), "connections_max"),
            (key("work_per_second_max = 1000000001"), "work_per_second_max"),
            (key("").replace("[\"*\"]", "[\"[A-Z]\"]"), "symbols"),
            (key("").replace("symbols = [\"*\"]", ""), "symbols"),
            (key("").replace(HEX, "12"), "secret_sha256"),
            (key("").replace(&format!("\"{HEX}\""), "[]"), "secret_sha256"),
            (key("").replace("\"a\"", "\"a:b\""), "id"),
            (key("").replace("\"a\"", "\"tcs_a\""), "an id must not begin like a secret"),
            (twice, "the id a is there twice"),
            (same, "same secret"),
            ("[[keys]\n".into(), "line 1"),
            (format!("[[keys]]\n{HEX} = 1\n"), "unknown field"),
            (String::new(), "no keys"),
            ("# later\nkeys = []\n".into(), "no keys"),
        ] {
            let complaint = parse(&text, Delays::new(vec![1]).as_ref()).map(drop).unwrap_err();
            assert!(complaint.contains(named) && !complaint.contains('\n'), "{text}: {complaint}");
            assert!(!complaint.contains(&HEX[..16]), "{complaint}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_it_panic(text in "(\\[\\[keys\\]\\]\n)?(id|symbols|expires|origins|secret_sha256) = [\\[\"a-z0-9*:/.\\]é\n-]{0,40}") {
            let _ = parse(&text, None);
        }
    }
}
