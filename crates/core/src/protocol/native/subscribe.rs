//! `Subscribe`: what a client asks for, the same on every transport, and the parts of it that are written as text.

use std::fmt;

use crate::domain::{Channel, ChannelSet};
use crate::protocol::{Mode, OnLag, Rate};

/// What a request names: one symbol, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `"*"`.
    All,
    /// A symbol's name, not yet looked up.
    Symbol(String),
}

/// A place in the stream of one process: `{"epoch":"9c1f…","offset":48211}` in JSON, elsewhere `9c1f…:48211`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The process that counted: letters and digits, at least one.
    pub epoch: String,
    /// The last event that was seen.
    pub offset: u64,
}

impl Cursor {
    /// Returns the cursor of these parts, or `None` when no process has such a name.
    pub fn new(epoch: &str, offset: u64) -> Option<Self> {
        let plain = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| Self { epoch: epoch.into(), offset })
    }

    /// Returns the cursor of no stream: whoever comes back with it begins anew.
    pub fn void() -> Self {
        Self { epoch: "void".into(), offset: 0 }
    }

    /// Returns the cursor that `epoch:offset` writes down, or `None` when the text is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once(':')?;
        let canonical = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
        Self::new(epoch, canonical.then(|| offset.parse().ok())??)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

/// A wish for some channels of some symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// At least one.
    pub symbols: Vec<Selector>,
    /// At least one.
    pub channels: ChannelSet,
    /// How they are to be served.
    pub mode: Mode,
    /// What happens when the whole session lags; unchanged when the client does not say.
    pub on_lag: Option<OnLag>,
    /// What the client knows already, and wants to go on from.
    pub after: Option<Cursor>,
}

/// Returns the mode of this name, which goes with a rate only when it is `latest`, which does not go with bars.
///
/// # Errors
///
/// Returns what does not go together.
pub fn parse_mode(name: &str, rate: Option<Rate>, channels: ChannelSet) -> Result<Mode, &'static str> {
    match (name, rate) {
        ("all", None) => Ok(Mode::All),
        ("all", Some(_)) => Err("'max_hz' goes only with the mode 'latest'"),
        ("latest", _) if channels.iter().any(|channel| matches!(channel, Channel::Bars(_))) => {
            Err("the mode 'latest' is not for bars: every bar is final")
        }
        ("latest", rate) => Ok(Mode::Latest(rate)),
        _ => Err("'mode' must be 'all' or 'latest'"),
    }
}

/// Returns what this name says of a session that lags.
///
/// # Errors
///
/// Returns the names there are.
pub fn parse_on_lag(name: &str) -> Result<OnLag, &'static str> {
    match name {
        "catch_up" => Ok(OnLag::CatchUp),
        "close" => Ok(OnLag::Close),
        _ => Err("'on_lag' must be 'catch_up' or 'close'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_an_epoch_a_colon_and_a_number() {
        let cursor = Cursor { epoch: "9c1f".into(), offset: 48_211 };
        assert_eq!(cursor.to_string(), "9c1f:48211");
        assert_eq!(Cursor::parse("9c1f:48211"), Some(cursor));
        for text in ["", ":", "9c1f", "9c1f:", ":5", "9c1f:-1", "9c1f:+1", "9c1f:99999999999999999999", "a b:1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
