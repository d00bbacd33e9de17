//! `RuleText`: a rule as it is written, in a table of the configuration or a JSON object, and how it is checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::reach::{self, DIALECTS, TRANSPORTS};
use crate::faults::rule::{BadPrice, Filter, Kind, Manner, Rule};
use crate::faults::schedule::Schedule;

/// Most milliseconds of a time: a day.
const MS_MAX: u64 = 86_400_000;
/// Most milliseconds for which a frame is held back.
const HOLD_MS_MAX: i64 = 60_000;
/// Most characters of a text.
const TEXT_LEN_MAX: usize = 128;
/// Most bytes of the reason in a close frame (RFC 6455 section 5.5).
const REASON_BYTES_MAX: usize = 123;

/// A rule as it is written. Every key but `kind` is optional; which ones a kind has is checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "docs/FAULTS.md describes the keys, and `Rule` the values")]
pub struct RuleText {
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
}

/// The reason why a rule is refused. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

type Parsed<T> = Result<T, RuleError>;

fn wrong<T>(complaint: impl Into<String>) -> Parsed<T> {
    Err(RuleError(complaint.into()))
}

impl TryFrom<RuleText> for Rule {
    type Error = RuleError;

    fn try_from(text: RuleText) -> Parsed<Self> {
        let mut left = text.clone();
        let kind = left.take_kind()?;
        let manner = kind.manner();
        let filter = left.take_filter()?;
        let share = fraction("share", left.share.take())?;
        let seed = left.seed.take().unwrap_or_default();
        let schedule = left.take_schedule(manner)?;
        let chance = if manner == Manner::Events { fraction("chance", left.chance.take())? } else { 1.0 };
        let times = left.times.take();
        if times == Some(0) {
            return wrong("times must be at least 1");
        }
        left.check_empty()?;
        reach::check(&kind, &filter, &schedule).or_else(|why| wrong(format!("this rule can never strike: {why}")))?;
        Ok(Self { kind, filter, share, seed, schedule, chance, times, text })
    }
}

impl RuleText {
    fn take_kind(&mut self) -> Parsed<Kind> {
        Ok(match self.kind.as_str() {
            "mute" => Kind::Mute,
            "stall" => Kind::Stall,
            "drop" => Kind::Drop,
            "close" => {
                let code = self.code.take().unwrap_or(1011);
                // RFC 6455 section 7.4: the others are reserved, or never sent.
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return wrong("code must be a close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999");
                }
                let reason = self.reason.take().unwrap_or_default();
                if reason.len() > REASON_BYTES_MAX {
                    return wrong("reason must have at most 123 bytes");
                }
                Kind::Close { code, reason }
            }
            "half_open" => Kind::HalfOpen,
            "refuse" => {
                let status = self.status.take().unwrap_or(503);
                if !matches!(status, 400..=599) {
                    return wrong("status must be 400 to 599");
                }
                Kind::Refuse { status, retry_after_s: self.retry_after_s.take() }
            }
            "auth_error" => match self.code.take().unwrap_or(402) {
                code @ (402 | 406 | 409) => Kind::AuthError { code },
                _ => return wrong("code must be 402, 406 or 409"),
            },
            "slow" => match self.bytes_per_second.take() {
                Some(bytes_per_second @ 1..=100_000_000) => Kind::Slow { bytes_per_second },
                _ => return wrong("bytes_per_second must be 1 to 100000000"),
            },
            "delay" => Kind::Delay(self.take_hold()?),
            "jitter" => Kind::Jitter(self.take_hold()?),
            "burst" => Kind::Burst(self.take_hold()?),
            "gap" => Kind::Gap,
            "duplicate" => Kind::Duplicate,
            "reorder" => Kind::Reorder,
            "garbage" => Kind::Garbage,
            "bad_price" => Kind::BadPrice(match self.price.take().as_deref() {
                Some("crossed") => BadPrice::Crossed,
                Some("zero") => BadPrice::Zero,
                Some("spike") => BadPrice::Spike,
                _ => return wrong("price must be crossed, zero or spike"),
            }),
            "time_skew" => match self.ms.take() {
                Some(ms) if ms != 0 && ms.unsigned_abs() <= MS_MAX => Kind::TimeSkew(ms * 1_000),
                _ => return wrong("ms must be -86400000 to 86400000, and not 0"),
            },
            "" => return wrong("kind is missing"),
            other => return wrong(format!("no such kind: {}", shown(other))),
        })
    }

    fn take_hold(&mut self) -> Parsed<Duration> {
        match self.ms.take() {
            Some(ms @ 1..=HOLD_MS_MAX) => Ok(Duration::from_millis(ms.unsigned_abs())),
            _ => wrong("ms must be 1 to 60000"),
        }
    }

    fn take_filter(&mut self) -> Parsed<Filter> {
        let session = match self.session.take() {
            None => None,
            Some(name) => match u64::from_str_radix(&name, 16) {
                Ok(number) if name.len() == 16 => Some(number),
                _ => return wrong("session must be the 16 hexadecimal digits of welcome"),
            },
        };
        Ok(Filter {
            key: checked("key", self.key.take())?,
            dialect: one_of("dialect", self.dialect.take(), &DIALECTS)?,
            transport: one_of("transport", self.transport.take(), &TRANSPORTS)?,
            session,
            client: checked("client", self.client.take())?,
        })
    }

    fn take_schedule(&mut self, manner: Manner) -> Parsed<Schedule> {
        let after = time("after_ms", self.after_ms.take())?.unwrap_or_default();
        let after_messages = if manner == Manner::Entrance { None } else { self.after_messages.take() };
        let (mut lasts, mut every) = (None, None);
        if manner != Manner::Once {
            lasts = time("for_ms", self.for_ms.take())?;
            every = time("every_ms", self.every_ms.take())?;
        }
        match (lasts, every) {
            (Some(lasts), _) if lasts.is_zero() => return wrong("for_ms must be at least 1"),
            (None, Some(_)) => return wrong("every_ms needs for_ms"),
            (Some(lasts), Some(every)) if every <= lasts => return wrong("every_ms must be more than for_ms"),
            _ => {}
        }
        Ok(Schedule { after, after_messages: after_messages.unwrap_or_default(), lasts, every })
    }

    /// Refuses keys that the kind does not have.
    fn check_empty(&self) -> Parsed<()> {
        let left = [
            ("after_messages", self.after_messages.is_some()),
            ("for_ms", self.for_ms.is_some()),
            ("every_ms", self.every_ms.is_some()),
            ("chance", self.chance.is_some()),
            ("ms", self.ms.is_some()),
            ("code", self.code.is_some()),
            ("reason", self.reason.is_some()),
            ("status", self.status.is_some()),
            ("retry_after_s", self.retry_after_s.is_some()),
            ("bytes_per_second", self.bytes_per_second.is_some()),
            ("price", self.price.is_some()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            Some((name, _)) => wrong(format!("a rule of the kind {} has no {name}", self.kind)),
            None => Ok(()),
        }
    }
}

fn fraction(name: &str, value: Option<f64>) -> Parsed<f64> {
    match value {
        None => Ok(1.0),
        Some(value) if value > 0.0 && value <= 1.0 => Ok(value),
        Some(_) => wrong(format!("{name} must be above 0 and at most 1")),
    }
}

fn time(name: &str, ms: Option<u64>) -> Parsed<Option<Duration>> {
    match ms {
        Some(MS_MAX..) if ms != Some(MS_MAX) => wrong(format!("{name} must be at most {MS_MAX}")),
        _ => Ok(ms.map(Duration::from_millis)),
    }
}

fn checked(name: &str, text: Option<String>) -> Parsed<Option<String>> {
    match &text {
        Some(given) if given.is_empty() || given.chars().count() > TEXT_LEN_MAX => {
            wrong(format!("{name} must have 1 to {TEXT_LEN_MAX} characters"))
        }
        _ => Ok(text),
    }
}

fn one_of(name: &str, text: Option<String>, names: &[&str]) -> Parsed<Option<String>> {
    match &text {
        Some(given) if !names.contains(&given.as_str()) => wrong(format!("{name} must be one of {}", names.join(", "))),
        _ => Ok(text),
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_LEN_MAX).collect()
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = RuleText::deserialize(deserializer)?;
        Self::try_from(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Rule, String> {
        serde_json::from_str(json).map_err(|err| err.to_string())
    }

    #[test]
    fn a_rule_has_the_values_of_its_text() {
        let rule = parse(
            r#"{"kind":"close","code":4004,"reason":"lag","dialect":"alpaca","key":"a","client":"bot","session":"00000000000000ff",
                "transport":"websocket","share":0.5,"seed":7,"after_ms":10,"after_messages":3,"times":2}"#,
        )
        .unwrap();
        assert_eq!(rule.kind, Kind::Close { code: 4004, reason: "lag".into() });
        assert_eq!(rule.filter.session, Some(255));
        assert_eq!((rule.seed, rule.times, rule.schedule.after_messages), (7, Some(2), 3));
        assert!((rule.share - 0.5).abs() < f64::EPSILON);
        let again: RuleText = serde_json::from_str(&serde_json::to_string(&rule.text).unwrap()).unwrap();
        assert_eq!(Rule::try_from(again), Ok(rule));
    }

    #[test]
    fn every_kind_is_in_the_metrics_from_the_start() {
        let more = |kind: &str| match kind {
            "slow" => r#","bytes_per_second":1"#,
            "delay" | "jitter" | "burst" | "time_skew" => r#","ms":1"#,
            "bad_price" => r#","price":"zero""#,
            _ => "",
        };
        for kind in crate::metrics::FAULT_KINDS {
            let rule = parse(&format!(r#"{{"kind":"{kind}"{}}}"#, more(kind))).expect(kind);
            assert_eq!(rule.kind.name(), kind);
        }
    }

    #[test]
    fn a_bad_rule_is_refused_in_one_line_that_names_the_key() {
        for (json, named) in [
            ("{}", "kind is missing"),
            (r#"{"kind":"explode"}"#, "no such kind: explode"),
            (r#"{"kind":"mute","colour":1}"#, "colour"),
            (r#"{"kind":"mute","share":0}"#, "share"),
            (r#"{"kind":"mute","share":1.5}"#, "share"),
            (r#"{"kind":"mute","seed":-1}"#, "-1"),
            (r#"{"kind":"mute","after_ms":86400001}"#, "after_ms"),
            (r#"{"kind":"mute","for_ms":0}"#, "for_ms"),
            (r#"{"kind":"mute","every_ms":5}"#, "every_ms needs for_ms"),
            (r#"{"kind":"mute","every_ms":5,"for_ms":5}"#, "every_ms must be more"),
            (r#"{"kind":"mute","times":0}"#, "times"),
            (r#"{"kind":"mute","chance":0.5}"#, "the kind mute has no chance"),
            (r#"{"kind":"mute","dialect":"latin"}"#, "dialect must be one of native, "),
            (r#"{"kind":"mute","transport":"pigeon"}"#, "transport"),
            (r#"{"kind":"mute","session":"x"}"#, "session"),
            (r#"{"kind":"mute","key":""}"#, "key"),
            (r#"{"kind":"drop","for_ms":5}"#, "the kind drop has no for_ms"),
            (r#"{"kind":"refuse","after_messages":5}"#, "has no after_messages"),
            (r#"{"kind":"refuse","status":200}"#, "status"),
            (r#"{"kind":"close","code":1005}"#, "code"),
            (r#"{"kind":"auth_error","code":400}"#, "code"),
            (r#"{"kind":"slow"}"#, "bytes_per_second"),
            (r#"{"kind":"delay"}"#, "ms must be 1 to 60000"),
            (r#"{"kind":"delay","ms":60001}"#, "ms must be 1 to 60000"),
            (r#"{"kind":"time_skew","ms":0}"#, "ms must be"),
            (r#"{"kind":"time_skew","ms":-9223372036854775808}"#, "ms must be"),
            (r#"{"kind":"gap","chance":-0.1}"#, "chance"),
            (r#"{"kind":"bad_price","price":"fair"}"#, "price"),
            (r#"{"kind":"mute","ms":5}"#, "the kind mute has no ms"),
        ] {
            let err = parse(json).expect_err(json);
            assert!(err.contains(named) && !err.contains('\n'), "{json}: {err}");
        }
        let long = format!(r#"{{"kind":"close","reason":"{}"}}"#, "x".repeat(124));
        assert!(parse(&long).unwrap_err().contains("reason"));
    }
}
