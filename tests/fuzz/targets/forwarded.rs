//! The headers of proxies: whatever a client writes, its address is the one that the trusted proxy adds, or none is believed; elements
//! of `Forwarded` are the same when they are written and read again.

use std::net::IpAddr;
use std::sync::LazyLock;

use tickcast::access::Networks;
use tickcast::transport::fuzz::{Report, address, elements, report};
use tickcast::transport::{Proxies, ProxyHeaders};

use super::parts::flip;

const CLIENT: &str = "203.0.113.7";
static TRUSTED: LazyLock<IpAddr> = LazyLock::new(|| IpAddr::from([10, 0, 0, 1]));

pub(super) fn run(mut data: &[u8]) {
    let is_second_line = flip(&mut data);
    check_address(data);
    check_elements(data);
    let proxies = |headers| {
        let trusted = Networks::parse(&["10.0.0.0/8", "2001:db8:1::/48"]).expect("these are networks");
        Proxies { trusted, headers }
    };
    for kind in [ProxyHeaders::XForwarded, ProxyHeaders::Forwarded] {
        let (name, added) = match kind {
            ProxyHeaders::XForwarded => ("x-forwarded-for", format!("{CLIENT}, 10.0.0.2")),
            ProxyHeaders::Forwarded => ("forwarded", format!("for={CLIENT}, for=10.0.0.2")),
        };
        let line = [data, b", ", added.as_bytes()].concat();
        let headers =
            if is_second_line { vec![(name, data), (name, added.as_bytes())] } else { vec![(name, &line[..])] };
        let proxies = proxies(kind);
        let stranger = IpAddr::from([198, 51, 100, 1]);
        assert_eq!(report(&proxies, stranger, &headers), Some((Some(stranger.to_string()), None, None)));
        match report(&proxies, *TRUSTED, &headers) {
            // A line that is no header is left out; on one line with it, so is what the proxy has added.
            Some((address, ..)) if is_second_line || is_header(data) => assert_eq!(address.as_deref(), Some(CLIENT)),
            Some((address, ..)) => assert_eq!(address, Some(TRUSTED.to_string())),
            None => assert_eq!(kind, ProxyHeaders::Forwarded),
        }
        let _ = report(&proxies, *TRUSTED, &[(name, data), ("x-forwarded-host", data), ("x-forwarded-proto", data)]);
    }
}

/// Returns whether bytes are a value of a header (RFC 9110 section 5.5).
fn is_header(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t')
}

/// Checks that an address is read again as it is written, with a port and without.
fn check_address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(read) = address(text) else {
        assert!(text.parse::<IpAddr>().is_err(), "{text:?} is an address");
        return;
    };
    let with_port = if read.is_ipv6() { format!("[{read}]:80") } else { format!("{read}:80") };
    assert_eq!([address(&read.to_string()), address(&with_port)], [Some(read); 2], "{text:?}");
    assert!(!matches!(read, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()), "{text:?}");
}

fn check_elements(data: &[u8]) {
    let Some(read) = elements(&[data]) else { return };
    let written: Vec<_> = read.iter().map(written).collect();
    let again = elements(&[written.join(", ").as_bytes()]);
    assert_eq!(again, Some(read), "{written:?}");
}

/// Writes an element, every value as a quoted string (RFC 9110 section 5.6.4).
fn written((client, host, scheme): &Report) -> String {
    let quoted = |(name, value): (&str, &Option<String>)| {
        let value = value.as_ref()?;
        Some(format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
    };
    let pairs = [("for", client), ("host", host), ("proto", scheme), ("by", &Some("_x".to_owned()))];
    pairs.into_iter().filter_map(quoted).collect::<Vec<_>>().join(";")
}
