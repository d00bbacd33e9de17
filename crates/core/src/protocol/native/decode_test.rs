//! Tests of the decoder of requests.

use proptest::prelude::*;

use crate::domain::{Channel, ChannelSet, Timestamp};
use crate::protocol::native::decode;
use crate::protocol::{
    ClientMessage, Cursor, DecodeError, ErrorCode, Mode, OnLag, Rate, ReplayOrder, Request, RequestId, Selector,
    Subscribe, Token,
};

fn decode(text: &str) -> Result<ClientMessage, DecodeError> {
    decode::decode(text.as_bytes())
}

fn code(text: &str) -> ErrorCode {
    decode(text).unwrap_err().mistake.code
}

#[test]
fn the_orders_to_a_replay_are_decoded_and_bad_ones_refused() {
    let order = |text: &str| match decode(text).unwrap().request {
        Request::Replay(order) => order,
        other => panic!("{other:?}"),
    };
    for (text, expected) in [
        (r#"{"action":"pause","id":1}"#, ReplayOrder::Pause),
        (r#"{"action":"resume"}"#, ReplayOrder::Resume),
        (r#"{"action":"step"}"#, ReplayOrder::Step(1)),
        (r#"{"action":"step","events":1000000}"#, ReplayOrder::Step(1_000_000)),
        (r#"{"action":"step","events":2.0}"#, ReplayOrder::Step(2)),
        (r#"{"action":"speed","x":0.01}"#, ReplayOrder::Speed(0.01)),
        (r#"{"action":"speed","x":1000}"#, ReplayOrder::Speed(1_000.0)),
        (r#"{"action":"speed","x":"max"}"#, ReplayOrder::Speed(0.0)),
        (r#"{"action":"seek","ts":-5}"#, ReplayOrder::Seek(Timestamp::from_micros(-5))),
    ] {
        assert_eq!(order(text), expected, "{text}");
    }
    for wrong in [
        r#"{"action":"pause","ts":1}"#,
        r#"{"action":"step","events":0}"#,
        r#"{"action":"step","events":1000001}"#,
        r#"{"action":"step","events":-1}"#,
        r#"{"action":"step","events":"2"}"#,
        r#"{"action":"speed"}"#,
        r#"{"action":"speed","x":0}"#,
        r#"{"action":"speed","x":0.009}"#,
        r#"{"action":"speed","x":1000.1}"#,
        r#"{"action":"speed","x":"min"}"#,
        r#"{"action":"seek"}"#,
        r#"{"action":"seek","ts":null}"#,
        r#"{"action":"seek","ts":1.5}"#,
    ] {
        assert_eq!(code(wrong), ErrorCode::BadRequest, "{wrong}");
    }
}

#[test]
fn the_requests_in_the_documentation_are_decoded() {
    let text = r#"{"action":"subscribe","id":1,"symbols":["AAPL","*"],"channels":["trades","bars.1m"]}"#;
    let message = decode(text).unwrap();
    assert_eq!(message.id, Some(RequestId::Integer(1.into())));
    let Request::Subscribe(Subscribe { symbols, channels, mode, on_lag, after }) = message.request else { panic!() };
    assert_eq!((mode, on_lag, after), (Mode::All, None, None));
    assert_eq!(symbols, [Selector::Symbol("AAPL".into()), Selector::All]);
    assert_eq!(channels.iter().map(Channel::name).collect::<Vec<_>>(), ["trades", "bars.1m"]);

    let subscribe = |text| match decode(text).unwrap().request {
        Request::Subscribe(subscribe) => subscribe,
        other => panic!("{other:?}"),
    };
    let Subscribe { channels, .. } = subscribe(r#"{"action":"subscribe","symbols":["A"]}"#);
    assert_eq!(channels.iter().collect::<Vec<_>>(), [Channel::Trades], "the default");
    let latest = r#"{"action":"subscribe","symbols":["A"],"mode":"latest","max_hz":0.5,"on_lag":"close"}"#;
    let Subscribe { mode, on_lag, .. } = subscribe(latest);
    assert_eq!((mode, on_lag), (Mode::Latest(Rate::from_hz(0.5)), Some(OnLag::Close)));
    let after = r#"{"action":"subscribe","symbols":["A"],"after":{"epoch":"9c1f","offset":48211}}"#;
    assert_eq!(subscribe(after).after, Cursor::parse("9c1f:48211"));

    let Request::Unsubscribe { channels, .. } =
        decode(r#"{"action":"unsubscribe","id":"x","symbols":["A"]}"#).unwrap().request
    else {
        panic!()
    };
    assert_eq!(channels, ChannelSet::ALL);
    assert_eq!(decode(r#"{"action":"list"}"#).unwrap().request, Request::List);
    assert_eq!(decode(r#"{"action":"ping","ts":5}"#).unwrap().request, Request::Ping { ts: Some(5) });
    let auth = decode(r#"{"action":"auth","id":9,"token":"tcs_a"}"#).unwrap();
    assert_eq!(auth.request, Request::Auth { token: Token::new("tcs_a".into()) });
    assert!(!format!("{auth:?}").contains("tcs_a"), "a token is not shown");
}

#[test]
fn a_token_that_is_none_is_refused_without_being_quoted() {
    let long = format!("\"{}\"", "secret".repeat(2_000));
    for token in ["\"\"", "5", "[\"secret\"]", "{\"secret\":1}", &long] {
        let err = decode(&format!(r#"{{"action":"auth","token":{token}}}"#)).unwrap_err();
        assert_eq!(err.mistake.code, ErrorCode::BadRequest, "{token:.40}");
        assert!(!err.mistake.message.contains("secret"), "{}", err.mistake.message);
    }
    assert_eq!(code(r#"{"action":"auth"}"#), ErrorCode::BadRequest);
}

#[test]
fn an_id_may_be_any_integer_of_64_bits_also_written_as_a_whole_float() {
    for (id, echoed) in [
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("-2.50e1", "-25"),
        ("1e19", "10000000000000000000"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
    ] {
        let message = decode(&format!(r#"{{"action":"list","id":{id}}}"#)).unwrap();
        assert_eq!(message.id, Some(RequestId::Integer(echoed.parse().unwrap())), "{id}");
    }
}

#[test]
fn each_mistake_has_its_code() {
    for text in ["", "{", "nonsense", "{\"action\":\"list\"} {}", "\u{0}", &"[".repeat(10_000)] {
        assert_eq!(code(text), ErrorCode::BadJson, "{text:.20}");
    }
    for text in [
        "[]",
        "1",
        "null",
        "{}",
        r#"{"action":1}"#,
        r#"{"action":"list","id":1.5}"#,
        r#"{"action":"list","id":18446744073709551616}"#,
        r#"{"action":"list","id":-9223372036854775809}"#,
        r#"{"action":"list","id":1e300}"#,
        r#"{"action":null}"#,
        r#"{"action":"list","id":[]}"#,
        r#"{"action":"list","extra":1}"#,
        r#"{"action":"ping","ts":"now"}"#,
        r#"{"action":"ping","ts":1.5}"#,
        r#"{"action":"subscribe"}"#,
        r#"{"action":"subscribe","symbols":[]}"#,
        r#"{"action":"subscribe","symbols":"AAPL"}"#,
        r#"{"action":"subscribe","symbols":[1]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":[]}"#,
        r#"{"action":"subscribe","symbols":["AAPL"],"channels":"trades"}"#,
        r#"{"action":"unsubscribe"}"#,
    ] {
        assert_eq!(code(text), ErrorCode::BadRequest, "{text}");
    }
    assert_eq!(code(r#"{"action":"dance"}"#), ErrorCode::UnknownAction);
    assert_eq!(code(r#"{"action":"subscribe","symbols":["A"],"channels":["bars"]}"#), ErrorCode::UnknownChannel);
    let err = decode(r#"{"action":"subscribe","id":"q","symbols":["AAPL"],"after":{}}"#).unwrap_err();
    assert_eq!((err.mistake.code, err.id), (ErrorCode::BadRequest, Some(RequestId::Text("q".into()))));
}

#[test]
fn an_invalid_mode_or_cursor_is_refused() {
    for keys in [
        r#""mode":"newest""#,
        r#""mode":1"#,
        r#""max_hz":4"#,
        r#""mode":"all","max_hz":4"#,
        r#""mode":"latest","max_hz":0"#,
        r#""mode":"latest","max_hz":-1"#,
        r#""mode":"latest","max_hz":1e99"#,
        r#""mode":"latest","max_hz":"4""#,
        r#""mode":"latest","channels":["trades","bars.1m"]"#,
        r#""on_lag":"explode""#,
        r#""on_lag":true"#,
        r#""after":"9c1f:5""#,
        r#""after":{"epoch":"9c1f"}"#,
        r#""after":{"offset":5}"#,
        r#""after":{"epoch":"9c1f","offset":-1}"#,
        r#""after":{"epoch":"9c1f","offset":1.5}"#,
        r#""after":{"epoch":"9c1f","offset":"5"}"#,
        r#""after":{"epoch":"","offset":5}"#,
        r#""after":{"epoch":5,"offset":5}"#,
        r#""after":{"epoch":"9c1f","offset":5,"seq":1}"#,
    ] {
        assert_eq!(
            code(&format!(r#"{{"action":"subscribe","symbols":["A"],{keys}}}"#)),
            ErrorCode::BadRequest,
            "{keys}"
        );
    }
}

#[test]
fn deviations_of_serializers_in_other_languages_are_accepted() {
    let plain = decode(r#"{"action":"subscribe","symbols":["A"],"after":{"epoch":"9c1f","offset":5}}"#).unwrap();
    for text in [
        "\u{feff}{\"action\":\"subscribe\",\"symbols\":[\"A\"],\"after\":{\"epoch\":\"9c1f\",\"offset\":5}}",
        r#"{"action":"subscribe","symbols":["A"],"after":{"epoch":"9c1f","offset":5.0}}"#,
        r#"{"action":"subscribe","symbols":["A"],"after":{"epoch":"9c1f","offset":5},"id":null,"mode":null,"max_hz":null,"on_lag":null,"channels":null,"ts":null}"#,
    ] {
        assert_eq!(decode(text).unwrap(), plain, "{text}");
    }
    assert_eq!(decode(r#"{"action":"ping","ts":5.0}"#).unwrap().request, Request::Ping { ts: Some(5) });
    let none = decode(r#"{"action":"subscribe","symbols":["A"],"after":null}"#).unwrap().request;
    assert!(matches!(none, Request::Subscribe(Subscribe { after: None, .. })), "{none:?}");
}

#[test]
fn an_error_message_quotes_only_the_begin_of_a_long_text() {
    let err = decode(&format!(r#"{{"action":"{}"}}"#, "x".repeat(60_000))).unwrap_err();
    assert!(err.mistake.message.len() < 200);
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(text in ".{0,200}") {
        let _ = decode(&text);
    }

    #[test]
    fn no_json_causes_a_panic(
        action in "subscribe|unsubscribe|list|ping|auth|other",
        key in "id|symbols|channels|mode|ts|token|x",
        value in r#"null|-1|1e400|"x"|\[\]|\[null\]|\{\}|18446744073709551615"#,
    ) {
        let _ = decode(&format!(r#"{{"action":"{action}","{key}":{value}}}"#));
    }
}
