//! The headers of proxies: `Forwarded` (RFC 7239), `X-Forwarded-For`, and addresses as both have them.

use std::net::IpAddr;

use actix_web::http::header::HeaderValue;

/// The words of one proxy about the request that it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// The node that has sent it, as written.
    pub(super) client: Option<String>,
    pub(super) host: Option<String>,
    pub(super) scheme: Option<String>,
}

/// The header breaks the grammar of RFC 7239 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Parses an address: with a port or without, and with a zone, which is dropped. One of IPv6 has brackets where a port follows. An IPv4
/// address within IPv6 is one of IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let is_port = |port: &str| !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match (text.strip_prefix('['), text.split_once(':')) {
        (Some(rest), _) => {
            let (host, port) = rest.split_once(']')?;
            let is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            is_good.then_some(host).filter(|host| host.contains(':'))?
        }
        (None, Some((host, port))) if !port.contains(':') => is_port(port).then_some(host)?,
        _ => text,
    };
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    let is_good = bare.len() == host.len() || bare.contains(':');
    bare.parse::<IpAddr>().ok().filter(|_| is_good).map(|address| address.to_canonical())
}

/// Returns the elements of a list that may be spread over several headers, the last one first; `None` for one that is no ASCII text. Each
/// is read for itself: such bytes of a client must not hide what proxies have added to the same header.
pub(super) fn last_first<'a>(headers: &[&'a HeaderValue]) -> impl Iterator<Item = Option<&'a str>> {
    let elements = headers.iter().rev().flat_map(|header| header.as_bytes().rsplit(|byte| *byte == b','));
    elements.map(|bytes| std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(str::trim))
}

/// Parses headers `Forwarded`, the first proxy first.
///
/// # Errors
///
/// Returns an error if one of them breaks the grammar: a quotation mark that a client has put there may swallow what a proxy has added,
/// so nothing of the header can be believed then.
pub(super) fn elements<'a>(headers: impl Iterator<Item = &'a HeaderValue>) -> Result<Vec<Element>, Malformed> {
    let mut elements = Vec::new();
    for header in headers {
        let mut rest = header.to_str().map_err(|_| Malformed)?;
        let mut element = Element::default();
        let mut is_empty = true;
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            match rest.chars().next() {
                Some(';') => rest = &rest[1..],
                Some(',') | None => {
                    if !std::mem::replace(&mut is_empty, true) {
                        elements.push(std::mem::take(&mut element));
                    }
                    if rest.is_empty() {
                        break;
                    }
                    rest = &rest[1..];
                }
                Some(_) => {
                    rest = take_pair(rest, &mut element)?;
                    is_empty = false;
                }
            }
        }
    }
    Ok(elements)
}

/// Takes `name=value` from the beginning of the text into the element. Returns the rest, which begins with a separator or is empty.
fn take_pair<'a>(text: &'a str, element: &mut Element) -> Result<&'a str, Malformed> {
    let (name, rest) = text.split_once('=').ok_or(Malformed)?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Malformed);
    }
    let (value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
        take_quoted(quoted)?
    } else {
        let end = rest.bytes().position(|byte| !is_token(byte)).unwrap_or(rest.len());
        (rest[..end].to_owned(), &rest[end..])
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    if value.is_empty() || !(rest.is_empty() || rest.starts_with([';', ','])) {
        return Err(Malformed);
    }
    let place = match name.to_ascii_lowercase().as_str() {
        "for" => &mut element.client,
        "host" => &mut element.host,
        "proto" => &mut element.scheme,
        _ => return Ok(rest),
    };
    // Each parameter comes once (section 4).
    if place.replace(value).is_some() { Err(Malformed) } else { Ok(rest) }
}

/// Takes the rest of a quoted string (RFC 9110 section 5.6.4).
fn take_quoted(text: &str) -> Result<(String, &str), Malformed> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(chars.next().ok_or(Malformed)?.1),
            c => value.push(c),
        }
    }
    Err(Malformed)
}

/// Returns whether a byte may be in a token (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_have_ports_zones_and_brackets() {
        let parsed = |text: &str| address(text).map(|address| address.to_string()).unwrap_or_default();
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1:65535 ", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:DB8::1]:80", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "example.com",
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:123456",
            "192.0.2.256",
            "192.0.2.1%eth0",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "[2001:db8::1]:",
            "2001:db8::1]",
            "[]",
            "%",
            "127.1",
            "0x7f000001",
        ] {
            assert_eq!(parsed(text), "", "{text}");
        }
    }

    fn read(texts: &[&'static str]) -> Result<Vec<[Option<String>; 3]>, Malformed> {
        let headers: Vec<_> = texts.iter().map(|text| HeaderValue::from_static(text)).collect();
        Ok(elements(headers.iter())?
            .into_iter()
            .map(|element| [element.client, element.host, element.scheme])
            .collect())
    }

    #[test]
    fn elements_are_those_of_rfc_7239() {
        let some = |text: &str| Some(text.to_owned());
        // The examples of section 4.
        assert_eq!(read(&["for=\"_gazonk\""]), Ok(vec![[some("_gazonk"), None, None]]));
        assert_eq!(
            read(&["For=\"[2001:db8:cafe::17]:4711\""]),
            Ok(vec![[some("[2001:db8:cafe::17]:4711"), None, None]])
        );
        assert_eq!(
            read(&["for=192.0.2.60;proto=http;by=203.0.113.43"]),
            Ok(vec![[some("192.0.2.60"), None, some("http")]])
        );
        let two = vec![[some("192.0.2.43"), None, None], [some("198.51.100.17"), None, None]];
        assert_eq!(read(&["for=192.0.2.43, for=198.51.100.17"]), Ok(two.clone()));
        assert_eq!(read(&["for=192.0.2.43", "for=198.51.100.17"]), Ok(two.clone()));
        assert_eq!(read(&[" ,; for=192.0.2.43 ,, for=198.51.100.17 ; ,"]), Ok(two), "empty elements are permitted");
        assert_eq!(read(&["host=\"a\\\"b,c;d\";for=unknown"]), Ok(vec![[some("unknown"), some("a\"b,c;d"), None]]));
        assert_eq!(read(&["", ","]), Ok(vec![]));
        for text in [
            "for",
            "for=",
            "=a",
            "for=\"",
            "for=\"a",
            "for=\"a\\",
            "for=\"\"",
            "for=a b",
            "for=\"a\"b",
            "for=a;for=b",
            "f or=a",
            "for=[::1]",
            // A client's quotation mark that swallows what the proxy has added.
            "for=\"evil, for=203.0.113.5",
            "for=\"evil, for=\"[2001:db8::1]\"",
        ] {
            assert_eq!(read(&[text]), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parsers(text in "[ -~]{0,200}", syntax in "[for=\";, \\\\\\[\\]:.0-9a]{0,200}") {
            for text in [text, syntax] {
                let header = HeaderValue::from_str(&text).unwrap();
                let _ = (address(&text), elements([&header].into_iter()));
                prop_assert_eq!(last_first(&[&header]).count(), text.matches(',').count() + 1);
            }
        }

        /// The element that a proxy adds on a line of its own is the last one, or nothing is believed, for any elements of the client before it.
        #[test]
        fn an_element_on_its_own_line_is_the_last_one_or_nothing_is_believed(forged in "[ -~]{0,100}") {
            let headers = [HeaderValue::from_str(&forged).unwrap(), HeaderValue::from_static("for=203.0.113.5")];
            if let Ok(elements) = elements(headers.iter()) {
                prop_assert_eq!(elements.last().unwrap().client.as_deref(), Some("203.0.113.5"));
            }
        }

        /// The same on one line, as nginx adds it with a comma.
        #[test]
        fn an_element_on_the_same_line_is_the_last_one_or_nothing_is_believed(forged in "[ -~]{0,100}") {
            for added in ["for=203.0.113.5", "for=\"[2001:db8::5]\";proto=https"] {
                let header = HeaderValue::from_str(&format!("{forged}, {added}")).unwrap();
                if let Ok(elements) = elements([&header].into_iter()) {
                    let last = elements.last().unwrap().client.as_deref();
                    prop_assert!(matches!(last, Some("203.0.113.5" | "[2001:db8::5]")), "{:?}", last);
                }
            }
        }
    }
}
