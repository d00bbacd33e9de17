//! The rights of a token: its claim `tickcast`, within the bounds of `[auth.jwt.default]`.

use serde::Deserialize;

use crate::access::config::{LIMIT_MAX, WORK_MAX};
use crate::access::key_file;
use crate::access::token::{JwtDefault, TokenError};
use crate::access::{Delays, Entitlement, Glob};
use crate::domain::{ChannelSet, Timestamp};
use crate::protocol::Rate;

/// The claim `tickcast`. An unknown member is refused: it may be a limit that this server does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Granted {
    symbols: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    max_hz: Option<f64>,
    symbols_max: Option<u64>,
    connections_max: Option<u64>,
    work_per_second_max: Option<u64>,
    delay_ms: Option<u64>,
    publish: Option<bool>,
}

/// The most that a token may permit.
pub(super) struct Bounds {
    /// Patterns of symbols; empty for all, `None` for no symbol.
    symbols: Option<Vec<Glob>>,
    channels: ChannelSet,
    max_hz: Option<Rate>,
    symbols_max: usize,
    connections_max: usize,
    work_per_second_max: u32,
    delay_ms: u64,
    publish: bool,
    /// The delays that a token may have.
    delays: Delays,
}

impl Bounds {
    /// Reads the section, for a server with these delays.
    ///
    /// # Errors
    ///
    /// Returns the key that is not valid, and the rule that it breaks.
    pub(super) fn new(config: &JwtDefault, delays: &Delays) -> Result<Self, (&'static str, &'static str)> {
        let symbols: Option<Vec<_>> = config.symbols.iter().map(|text| Glob::parse(text)).collect();
        let symbols =
            symbols.ok_or(("auth.jwt.default.symbols", "must be patterns like \"BTC*\" of 1 to 64 characters"))?;
        let channels = key_file::channels(&config.channels);
        let channels = channels.map_err(|_| ("auth.jwt.default.channels", "must be names and patterns of channels"))?;
        let has_rate = config.max_hz.is_nan() || config.max_hz.abs() > 0.0;
        let rate = || Rate::from_hz(config.max_hz).ok_or(("auth.jwt.default.max_hz", "must be 0, or 0.001 to 1000"));
        Ok(Self {
            symbols: match symbols.as_slice() {
                [] => None,
                patterns if patterns.iter().any(Glob::is_all) => Some(Vec::new()),
                _ => Some(symbols),
            },
            channels,
            max_hz: has_rate.then(rate).transpose()?,
            symbols_max: config.symbols_max,
            connections_max: config.connections_max,
            work_per_second_max: config.work_per_second_max,
            delay_ms: config.delay_ms,
            publish: config.publish,
            delays: delays.clone(),
        })
    }

    /// Returns the entitlement of a token with this claim: what the claim leaves out is as in the bounds, but for the symbols and the
    /// right to publish, and nothing exceeds them.
    ///
    /// # Errors
    ///
    /// Returns the member of the claim that is not valid.
    pub(super) fn entitlement(&self, granted: Granted, expires_at: Timestamp) -> Result<Entitlement, TokenError> {
        let symbols: Option<Vec<_>> =
            granted.symbols.unwrap_or_default().iter().map(|text| Glob::parse(text)).collect();
        let symbols = symbols.ok_or(TokenError::Claim("tickcast.symbols"))?;
        let channels = match granted.channels {
            Some(names) => key_file::channels(&names).map_err(|_| TokenError::Claim("tickcast.channels"))?,
            None => ChannelSet::ALL,
        };
        let max_hz = match granted.max_hz {
            Some(hz) => Some(Rate::from_hz(hz).ok_or(TokenError::Claim("tickcast.max_hz"))?),
            None => None,
        };
        let delay_ms = granted.delay_ms.unwrap_or(0).max(self.delay_ms);
        if !self.delays.permit(delay_ms) {
            return Err(TokenError::Claim("tickcast.delay_ms"));
        }
        Ok(Entitlement {
            symbols: if self.symbols.is_some() { symbols } else { Vec::new() },
            symbols_within: self.symbols.clone().unwrap_or_default(),
            channels: channels.intersection(self.channels),
            max_hz: max_hz.into_iter().chain(self.max_hz).min(),
            delay_ms,
            symbols_max: least(granted.symbols_max, self.symbols_max, LIMIT_MAX, "tickcast.symbols_max")?,
            connections_max: least(
                granted.connections_max,
                self.connections_max,
                LIMIT_MAX,
                "tickcast.connections_max",
            )?,
            work_per_second_max: least(
                granted.work_per_second_max,
                self.work_per_second_max,
                WORK_MAX,
                "tickcast.work_per_second_max",
            )?,
            expires_at: Some(expires_at),
            publish: self.publish && granted.publish == Some(true),
            ..Entitlement::nothing()
        })
    }
}

/// Returns the smaller of two numbers of which 0 means any number, of at most `most`.
fn least<N: Copy + Ord + Default + TryFrom<u64>>(
    claimed: Option<u64>,
    bound: N,
    most: N,
    name: &'static str,
) -> Result<N, TokenError> {
    let claimed = N::try_from(claimed.unwrap_or(0)).ok().filter(|number| *number <= most);
    let (claimed, any) = (claimed.ok_or(TokenError::Claim(name))?, N::default());
    Ok([claimed, bound].into_iter().filter(|number| *number != any).min().unwrap_or(any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: Timestamp = Timestamp::from_micros(1);

    fn bounds(change: impl FnOnce(&mut JwtDefault)) -> Bounds {
        let mut config = JwtDefault::default();
        change(&mut config);
        Bounds::new(&config, &Delays::new(vec![5, 9]).unwrap()).unwrap()
    }

    fn granted(claim: &str) -> Granted {
        serde_json::from_str(claim).unwrap()
    }

    #[test]
    fn what_a_claim_leaves_out_is_as_in_the_bounds_but_symbols_are_none() {
        let bounds = bounds(|config| (config.max_hz, config.symbols_max, config.connections_max) = (4.0, 5, 6));
        let left_out = bounds.entitlement(granted("{}"), END).unwrap();
        assert_eq!(left_out.symbols, []);
        assert_eq!((left_out.max_hz, left_out.symbols_max), (Rate::from_hz(4.0), 5));
        assert_eq!((left_out.connections_max, left_out.channels), (6, ChannelSet::ALL));
        assert!(!left_out.admin && left_out.expires_at == Some(END));
        let less =
            granted(r#"{"symbols":["AAPL"],"max_hz":3,"symbols_max":4,"connections_max":5,"channels":["trades"]}"#);
        let less = bounds.entitlement(less, END).unwrap();
        assert_eq!((less.max_hz, less.symbols_max, less.connections_max), (Rate::from_hz(3.0), 4, 5));
        assert_eq!(less.channels.iter().count(), 1);
        let more = granted(r#"{"symbols":["*"],"max_hz":30,"symbols_max":0,"connections_max":50}"#);
        let more = bounds.entitlement(more, END).unwrap();
        assert_eq!((more.max_hz, more.symbols_max, more.connections_max), (Rate::from_hz(4.0), 5, 6));
    }

    #[test]
    fn a_bad_member_is_named() {
        for (claim, name) in [
            (r#"{"symbols":["[A-Z]"]}"#, "tickcast.symbols"),
            (r#"{"channels":["ticks"]}"#, "tickcast.channels"),
            (r#"{"max_hz":0}"#, "tickcast.max_hz"),
            (r#"{"symbols_max":1000001}"#, "tickcast.symbols_max"),
            (r#"{"connections_max":18446744073709551615}"#, "tickcast.connections_max"),
            (r#"{"work_per_second_max":1000000001}"#, "tickcast.work_per_second_max"),
            (r#"{"delay_ms":4}"#, "tickcast.delay_ms"),
        ] {
            assert_eq!(bounds(|_| {}).entitlement(granted(claim), END), Err(TokenError::Claim(name)));
        }
        for claim in [
            r#"{"delay_ms":-1}"#,
            r#"{"delay_ms":"5"}"#,
            r#"{"delay":5}"#,
            r#"{"symbols":["A"],"symbols":["*"]}"#,
            r#"{"symbols":"*"}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Granted>(claim).is_err(), "{claim}");
        }
    }

    #[test]
    fn a_token_has_its_own_delay_or_the_default_one_if_that_is_longer() {
        for (default, claim, delay_ms) in [
            (0, "{}", 0),
            (0, r#"{"delay_ms":5}"#, 5),
            (5, "{}", 5),
            (5, r#"{"delay_ms":0}"#, 5),
            (5, r#"{"delay_ms":9}"#, 9),
            (9, r#"{"delay_ms":5}"#, 9),
        ] {
            let bounds = bounds(|config| config.delay_ms = default);
            assert_eq!(bounds.entitlement(granted(claim), END).unwrap().delay_ms, delay_ms, "{default} {claim}");
        }
    }

    #[test]
    fn a_token_may_publish_if_it_says_so_and_the_settings_permit_it() {
        for (permitted, claim, may) in [
            (true, r#"{"publish":true}"#, true),
            (true, r#"{"publish":false}"#, false),
            (true, "{}", false),
            (false, r#"{"publish":true}"#, false),
        ] {
            let bounds = bounds(|config| config.publish = permitted);
            assert_eq!(bounds.entitlement(granted(claim), END).unwrap().publish, may, "{permitted} {claim}");
        }
        assert!(serde_json::from_str::<Granted>(r#"{"publish":1}"#).is_err());
    }

    proptest! {
        #[test]
        fn nothing_exceeds_the_bounds(
            claimed in prop::collection::vec("[A-C?*]{1,4}", 0..4), bound in prop::collection::vec("[A-C?*]{1,4}", 0..4),
            hz in prop::option::of(1..=100_u32), hz_max in 0..=100_u32, most in 0..4_u64, most_max in 0..4_usize,
        ) {
            let bounds = bounds(|config| {
                (config.symbols, config.max_hz) = (bound.clone(), f64::from(hz_max));
                (config.symbols_max, config.connections_max) = (most_max, most_max);
                config.work_per_second_max = u32::try_from(most_max).unwrap();
            });
            let granted = Granted {
                symbols: Some(claimed.clone()),
                max_hz: hz.map(f64::from),
                symbols_max: Some(most),
                connections_max: Some(most),
                work_per_second_max: Some(most),
                ..Granted::default()
            };
            let got = bounds.entitlement(granted, END).unwrap();
            let matches = |patterns: &[String], name: &str| patterns.iter().any(|text| Glob::parse(text).unwrap().matches(name));
            for name in ["A", "B", "AB", "ABC", "CCCC", "BAAA"] {
                prop_assert_eq!(got.has_symbol(name), matches(&claimed, name) && matches(&bound, name), "{}", name);
            }
            if hz_max > 0 {
                prop_assert!(got.max_hz.is_some_and(|rate| rate.hz() <= f64::from(hz_max)));
            }
            if most_max > 0 {
                prop_assert!((1..=most_max).contains(&got.symbols_max) && (1..=most_max).contains(&got.connections_max));
                prop_assert_eq!(usize::try_from(got.work_per_second_max).unwrap(), got.symbols_max);
            }
        }
    }
}
