//! What a session sends to subscribe: texts with placeholders, filled in for each session.

use std::fmt::Write;
use std::str::FromStr;

/// The subscription of our own protocol.
pub(crate) const NATIVE: &str = r#"{"action":"subscribe","id":{session},"symbols":{symbols},"channels":{channels}}"#;

/// The most messages that one template makes for one session.
const MESSAGES_MAX: usize = 10_000;

/// One message to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `{symbols}`: a JSON list.
    Symbols,
    /// `{symbols_csv}`: with commas between.
    SymbolsCsv,
    /// `{symbol}`: one; the message is sent once for each.
    Symbol,
    /// `{channels}`: a JSON list.
    Channels,
    /// `{session}`: the session's number from 0.
    Session,
}

impl FromStr for Template {
    type Err = String;

    /// Reads a template. A placeholder is a lower-case word in braces, so that the braces of JSON stand for themselves.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let word = after.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default();
            if word.is_empty() || !after[word.len()..].starts_with('}') {
                plain.push('{');
                rest = after;
                continue;
            }
            let part = match word {
                "symbols" => Part::Symbols,
                "symbols_csv" => Part::SymbolsCsv,
                "symbol" => Part::Symbol,
                "channels" => Part::Channels,
                "session" => Part::Session,
                _ => return Err(format!("unknown placeholder {{{word}}}: --help lists them")),
            };
            parts.extend([Part::Text(std::mem::take(&mut plain)), part]);
            rest = &after[word.len() + 1..];
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts })
    }
}

impl Template {
    /// Returns whether the template needs to know symbols.
    pub(crate) fn names_symbols(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Symbols | Part::SymbolsCsv | Part::Symbol))
    }

    /// Returns the messages of one session; none for an empty template.
    pub(crate) fn render(&self, session: usize, symbols: &[&str], channels: &[&str]) -> Vec<String> {
        if self.parts.is_empty() {
            return Vec::new();
        }
        if self.parts.contains(&Part::Symbol) {
            let each = symbols.iter().take(MESSAGES_MAX);
            return each.map(|symbol| self.render_one(session, symbols, channels, symbol)).collect();
        }
        vec![self.render_one(session, symbols, channels, "")]
    }

    fn render_one(&self, session: usize, symbols: &[&str], channels: &[&str], symbol: &str) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Symbols => out.push_str(&json_list(symbols)),
                Part::SymbolsCsv => out.push_str(&symbols.join(",")),
                Part::Symbol => out.push_str(symbol),
                Part::Channels => out.push_str(&json_list(channels)),
                Part::Session => write!(out, "{session}").expect("a string takes everything"),
            }
        }
        out
    }
}

fn json_list(texts: &[&str]) -> String {
    serde_json::to_string(texts).expect("strings always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Vec<String> {
        text.parse::<Template>().unwrap().render(7, &["AAPL", "BRK.B"], &["trades"])
    }

    #[test]
    fn our_own_subscription_is_what_the_protocol_says() {
        let expected = r#"{"action":"subscribe","id":7,"symbols":["AAPL","BRK.B"],"channels":["trades"]}"#;
        assert_eq!(render(NATIVE), [expected]);
    }

    #[test]
    fn placeholders_are_filled_in_and_other_braces_stay() {
        assert_eq!(render("{symbols_csv}|{}|{ session }|{\"a\":{session}}"), ["AAPL,BRK.B|{}|{ session }|{\"a\":7}"]);
        assert_eq!(render(r#"{"s":"{symbol}"}"#), [r#"{"s":"AAPL"}"#, r#"{"s":"BRK.B"}"#]);
        assert_eq!(render("{"), ["{"]);
        assert_eq!(render(""), [""; 0]);
        assert!(!"hello {session}".parse::<Template>().unwrap().names_symbols());
        assert!(NATIVE.parse::<Template>().unwrap().names_symbols());
    }

    #[test]
    fn an_unknown_placeholder_is_refused_by_name() {
        let err = r#"{"symbols":{symbol_list}}"#.parse::<Template>().unwrap_err();
        assert!(err.contains("{symbol_list}"), "{err}");
    }
}
