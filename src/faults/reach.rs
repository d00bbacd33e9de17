//! Whether a rule can strike at all: some faults have no meaning on a transport or in a dialect, and not every client has a key.

use crate::faults::rule::{BadPrice, Filter, Kind, Manner};
use crate::faults::schedule::Schedule;

/// The dialects that a rule can name.
pub(super) const DIALECTS: [&str; 4] = [NATIVE, "alpaca", "massive", "finnhub"];
/// The transports that a rule can name.
pub(super) const TRANSPORTS: [&str; 4] = ["websocket", "stream", "poll", "rest"];

const NATIVE: &str = "native";

impl Kind {
    /// Returns the transports over which this kind strikes.
    pub const fn transports(&self) -> &'static [&'static str] {
        match self {
            Self::Refuse { .. } => &TRANSPORTS,
            Self::Drop | Self::HalfOpen => &["websocket", "stream", "poll"],
            // A client of a stream sends nothing that could be left unread; a response has no close frame, and an event no broken
            // form.
            Self::Stall | Self::Close { .. } | Self::Garbage | Self::AuthError { .. } => &["websocket"],
            _ => &["websocket", "stream"],
        }
    }
}

/// Checks that the rule of this kind can strike a session or a request of some client.
///
/// # Errors
///
/// Returns why it never strikes.
pub(super) fn check(kind: &Kind, filter: &Filter, schedule: &Schedule) -> Result<(), String> {
    let is_wanted = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    let pairs = DIALECTS.into_iter().flat_map(|dialect| TRANSPORTS.map(|transport| (dialect, transport)));
    let pairs = pairs
        .filter(|(dialect, transport)| is_wanted(&filter.dialect, dialect) && is_wanted(&filter.transport, transport));
    // Of several obstacles the last one tells most: the pair has passed all checks before it.
    let mut most: Option<(usize, String)> = None;
    for (dialect, transport) in pairs {
        let Some(obstacle) = obstacle(kind, filter, schedule, dialect, transport) else { return Ok(()) };
        most = most.filter(|(place, _)| *place >= obstacle.0).or(Some(obstacle));
    }
    Err(most.map_or_else(String::new, |(_, why)| why))
}

/// Returns why the rule strikes no client of this dialect over this transport, with the place of the check that found it.
fn obstacle(
    kind: &Kind,
    filter: &Filter,
    schedule: &Schedule,
    dialect: &str,
    transport: &str,
) -> Option<(usize, String)> {
    let is_native = dialect == NATIVE;
    let names_key_later = dialect == "massive" && transport == "websocket";
    let is_refusal = matches!(kind, Kind::Refuse { .. });
    let is_crossing = matches!(kind, Kind::BadPrice(BadPrice::Crossed));
    let waits = schedule.after_messages > 0 || !schedule.after.is_zero();
    let checks = [
        (!kind.transports().contains(&transport), {
            let only = kind.transports().join(" or ");
            format!("{} is a fault of {only}, not of {transport}", kind.name())
        }),
        (
            if is_native { transport == "rest" } else { matches!(transport, "stream" | "poll") },
            format!("the dialect {dialect} has no transport {transport}"),
        ),
        (
            is_native && matches!(kind, Kind::AuthError { .. }),
            "clients of the native protocol do not authenticate".into(),
        ),
        (is_crossing && dialect == "finnhub", "the stream of finnhub has no quotes to cross".into()),
        (filter.key.is_some() && is_native, "clients of the native protocol have no key".into()),
        (
            filter.key.is_some() && is_refusal && names_key_later,
            "a handshake of massive names no key, which comes later by message".into(),
        ),
        (
            filter.session.is_some() && (is_refusal || transport == "poll"),
            "a request that is refused, and a poll, have no session to name".into(),
        ),
        (
            transport == "poll" && waits && kind.manner() == Manner::Once,
            "over poll it strikes at once: without after_ms and after_messages".into(),
        ),
    ];
    let found = checks.into_iter().enumerate().find(|(_, (is_obstacle, _))| *is_obstacle);
    found.map(|(place, (_, why))| (place, why))
}

#[cfg(test)]
mod tests {
    use crate::faults::Rule;

    fn parse(keys: &str) -> Result<Rule, String> {
        serde_json::from_str(&format!("{{{keys}}}")).map_err(|err| err.to_string())
    }

    #[test]
    fn a_rule_that_can_never_strike_is_refused_and_the_text_says_why() {
        for (keys, why) in [
            (r#""kind":"mute","transport":"rest""#, "mute is a fault of websocket or stream, not of rest"),
            (r#""kind":"gap","transport":"poll""#, "gap is a fault of websocket or stream, not of poll"),
            (r#""kind":"stall","transport":"stream""#, "stall is a fault of websocket, not of stream"),
            (r#""kind":"close","transport":"poll""#, "close is a fault of websocket, not of poll"),
            (r#""kind":"garbage","transport":"stream""#, "garbage is a fault of websocket, not of stream"),
            (r#""kind":"drop","transport":"rest""#, "not of rest"),
            (r#""kind":"auth_error","transport":"rest""#, "auth_error is a fault of websocket, not of rest"),
            (r#""kind":"drop","dialect":"alpaca","transport":"poll""#, "the dialect alpaca has no transport poll"),
            (
                r#""kind":"mute","dialect":"finnhub","transport":"stream""#,
                "the dialect finnhub has no transport stream",
            ),
            (r#""kind":"refuse","dialect":"native","transport":"rest""#, "the dialect native has no transport rest"),
            (r#""kind":"auth_error","dialect":"native""#, "clients of the native protocol do not authenticate"),
            (r#""kind":"bad_price","price":"crossed","dialect":"finnhub""#, "finnhub has no quotes"),
            (r#""kind":"drop","key":"a","dialect":"native""#, "clients of the native protocol have no key"),
            (r#""kind":"mute","key":"a","transport":"stream""#, "clients of the native protocol have no key"),
            (r#""kind":"refuse","key":"a","dialect":"massive","transport":"websocket""#, "massive names no key"),
            (r#""kind":"refuse","session":"00000000000000ff""#, "have no session"),
            (r#""kind":"drop","transport":"poll","session":"00000000000000ff""#, "have no session"),
            (r#""kind":"drop","transport":"poll","after_ms":5"#, "over poll it strikes at once"),
            (r#""kind":"half_open","transport":"poll","after_messages":5"#, "over poll it strikes at once"),
        ] {
            let err = parse(keys).expect_err(keys);
            assert!(err.contains("this rule can never strike: ") && err.contains(why), "{keys}: {err}");
        }
    }

    #[test]
    fn a_rule_that_can_strike_somewhere_is_accepted() {
        for keys in [
            r#""kind":"refuse","transport":"rest""#,
            r#""kind":"refuse","key":"a","dialect":"massive""#,
            r#""kind":"refuse","key":"a","dialect":"finnhub","transport":"websocket""#,
            r#""kind":"refuse","dialect":"native","transport":"poll""#,
            r#""kind":"auth_error","session":"00000000000000ff""#,
            r#""kind":"drop","transport":"poll""#,
            r#""kind":"drop","after_ms":5"#,
            r#""kind":"half_open","session":"00000000000000ff""#,
            r#""kind":"bad_price","price":"crossed""#,
            r#""kind":"bad_price","price":"zero","dialect":"finnhub""#,
            r#""kind":"mute","dialect":"alpaca""#,
            r#""kind":"garbage","dialect":"native","transport":"websocket""#,
        ] {
            assert!(parse(keys).is_ok(), "{keys}: {:?}", parse(keys));
        }
    }
}
