//! `Protocol`: the words in which a server is asked for its stream, and the channels that each of them has.

use crate::domain::{Channel, ChannelSet, Interval, Symbol};
use crate::protocol::alpaca::{self, Json, Lists, MessagePack};
use crate::protocol::{Unreadable, VendorMessage, WILDCARD, massive};

/// The protocol of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// That of tickcast.
    #[default]
    Native,
    /// That of Alpaca's stock stream.
    Alpaca {
        /// Whether the messages are in MessagePack, not in JSON.
        is_packed: bool,
    },
    /// That of the stock stream of Massive (formerly Polygon).
    Massive,
}

/// A request in the form of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// The channels of Alpaca, and the stream that has each. Corrections and cancellations come with trades.
const OF_ALPACA: [(Channel, alpaca::Stream); 7] = [
    (Channel::Trades, alpaca::Stream::Trades),
    (Channel::Quotes, alpaca::Stream::Quotes),
    (Channel::Bars(Interval::M1), alpaca::Stream::Bars),
    (Channel::Corrections, alpaca::Stream::Trades),
    (Channel::Cancels, alpaca::Stream::Trades),
    (Channel::UpdatedBars, alpaca::Stream::UpdatedBars),
    (Channel::DailyBars, alpaca::Stream::DailyBars),
];
/// The channels of Massive, and the topic of each.
const OF_MASSIVE: [(Channel, massive::Topic); 4] = [
    (Channel::Trades, massive::Topic::Trades),
    (Channel::Quotes, massive::Topic::Quotes),
    (Channel::Bars(Interval::S1), massive::Topic::SecondBars),
    (Channel::Bars(Interval::M1), massive::Topic::MinuteBars),
];

impl Protocol {
    /// Returns the name: `native`, `alpaca` or `massive`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Alpaca { .. } => "alpaca",
            Self::Massive => "massive",
        }
    }

    /// Returns the channels that the protocol has.
    pub fn channels(self) -> ChannelSet {
        match self {
            Self::Native => ChannelSet::ALL,
            Self::Alpaca { .. } => OF_ALPACA.iter().map(|(channel, _)| *channel).collect(),
            Self::Massive => OF_MASSIVE.iter().map(|(channel, _)| *channel).collect(),
        }
    }

    /// Returns the form of a token: `KEY:SECRET` or `KEY`.
    pub(super) const fn token_form(self) -> &'static str {
        if matches!(self, Self::Alpaca { .. }) { "KEY:SECRET" } else { "KEY" }
    }

    /// Returns the reason why events may be missing when another stream begins: the server has another one, or each connection is one.
    pub(super) const fn blamed(self) -> &'static str {
        if matches!(self, Self::Native) { "restarted" } else { "reconnected" }
    }

    /// Returns the request that shows a key, whose form is [`Self::token_form`].
    pub(super) fn auth(self, token: &str) -> Frame {
        let Self::Alpaca { is_packed } = self else {
            return Frame::Text(massive::Request::Auth(token.to_owned()).to_text());
        };
        let (key, secret) = token.split_once(':').unwrap_or((token, ""));
        framed(&alpaca::Request::Auth { key: key.to_owned(), secret: secret.to_owned() }, is_packed)
    }

    /// Returns the request for these channels of these symbols, `None` for all.
    pub(super) fn subscription(self, channels: ChannelSet, symbols: &[Option<Symbol>]) -> Frame {
        if let Self::Alpaca { is_packed } = self {
            let mut lists = Lists::default();
            let wanted = OF_ALPACA.iter().filter(|(channel, _)| channels.contains(*channel));
            for (_, stream) in wanted {
                lists.names[*stream as usize] = symbols.to_vec();
            }
            return framed(&alpaca::Request::Subscribe(lists), is_packed);
        }
        let topics = OF_MASSIVE.iter().filter(|(channel, _)| channels.contains(*channel)).map(|(_, topic)| *topic);
        let ticker = |symbol: &Option<Symbol>| symbol.map_or_else(|| WILDCARD.to_owned(), |symbol| symbol.to_string());
        let items =
            topics.flat_map(|topic| symbols.iter().map(move |symbol| massive::Item { topic, ticker: ticker(symbol) }));
        Frame::Text(massive::Request::Subscribe(items.collect()).to_text())
    }

    /// Reads the messages of a frame of the server, each in its turn.
    pub(super) fn listen(
        self,
        frame: &[u8],
        is_text: bool,
        each: impl FnMut(Result<VendorMessage, Unreadable>),
    ) -> Result<(), Unreadable> {
        if self == Self::Massive { massive::listen(frame, each) } else { alpaca::listen(frame, is_text, each) }
    }
}

fn framed(request: &alpaca::Request, is_packed: bool) -> Frame {
    if is_packed {
        return Frame::Binary(request.to_bytes::<MessagePack>());
    }
    Frame::Text(String::from_utf8(request.to_bytes::<Json>()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_vendors_documentation() {
        let symbols = [Some("AAPL".parse().unwrap()), None];
        let channels = |channels: &[Channel]| channels.iter().copied().collect::<ChannelSet>();
        let alpaca = Protocol::Alpaca { is_packed: false };
        let text = |frame: Frame| if let Frame::Text(text) = frame { text } else { panic!("{frame:?}") };
        assert_eq!(text(alpaca.auth("K:S:T")), r#"{"action":"auth","key":"K","secret":"S:T"}"#);
        let cancels = channels(&[Channel::Cancels, Channel::DailyBars]);
        assert_eq!(
            text(alpaca.subscription(cancels, &symbols)),
            r#"{"action":"subscribe","trades":["AAPL","*"],"dailyBars":["AAPL","*"]}"#
        );
        assert_eq!(text(Protocol::Massive.auth("K:S")), r#"{"action":"auth","params":"K:S"}"#);
        let bars = channels(&[Channel::Quotes, Channel::Bars(Interval::M1)]);
        assert_eq!(
            text(Protocol::Massive.subscription(bars, &symbols)),
            r#"{"action":"subscribe","params":"Q.AAPL,Q.*,AM.AAPL,AM.*"}"#
        );
        assert!(matches!(Protocol::Alpaca { is_packed: true }.auth("K:S"), Frame::Binary(_)));
    }
}
