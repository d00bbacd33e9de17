//! Checks the opening handshake of a WebSocket (RFC 6455 section 4.2.1), and accepts it.
//!
//! The session on the socket belongs to `mod.rs`.

use actix_http::ws::hash_key;
use actix_web::dev::RequestHead;
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{Method, Version};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::transport::Problem;

/// Begins the response that opens the WebSocket of a checked request (RFC 6455 section 4.2.2).
pub(super) fn accept(request: &HttpRequest) -> HttpResponseBuilder {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket").insert_header((SEC_WEBSOCKET_ACCEPT, hash_key(key).as_slice()));
    response
}

/// Checks the request by RFC 6455 section 4.2.1, and that it has no body before the first frame. actix-web-actors reads only
/// the first of several headers, and accepts other versions and any key. Its origin was checked at the entrance (`gate`).
///
/// # Errors
///
/// Returns a problem document if it does not open a WebSocket.
pub(in crate::transport) fn check(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    if !opens_websocket(request.head()) || !has_token(request.head(), CONNECTION, "upgrade") {
        return Err(Problem::upgrade_required("this address speaks WebSocket: send Connection: Upgrade"));
    }
    if request.method() != Method::GET {
        return Err(Problem::bad_request("a WebSocket is opened by GET"));
    }
    if request.version() < Version::HTTP_11 {
        return Err(Problem::bad_request("a WebSocket is opened by HTTP/1.1"));
    }
    if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err(Problem::bad_request("a WebSocket handshake has no body"));
    }
    // Neither header may be repeated (RFC 6455 sections 11.3.1 and 11.3.5).
    if [SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_KEY].into_iter().any(|name| headers.get_all(name).count() > 1) {
        return Err(Problem::bad_request("Sec-WebSocket-Key and Sec-WebSocket-Version may come once"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Problem::upgrade_required("only version 13 of the WebSocket protocol is spoken here"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    // 16 bytes in Base64: 22 characters and two of padding.
    if key.len() != 24 || !key.ends_with(b"==") || !key[..22].iter().all(base64) {
        return Err(Problem::bad_request("Sec-WebSocket-Key must be 16 bytes in Base64"));
    }
    Ok(())
}

/// Returns whether the request asks for a WebSocket, well or badly.
pub(in crate::transport) fn opens_websocket(head: &RequestHead) -> bool {
    has_token(head, UPGRADE, "websocket")
}

/// Returns whether a header has this token, in any case.
fn has_token(head: &RequestHead, name: HeaderName, token: &str) -> bool {
    lists(head, name, |part| part.eq_ignore_ascii_case(token))
}

/// Returns whether `is` holds for an element of a header. A list may be split over several headers (RFC 9110 section 5.3).
pub(super) fn lists(head: &RequestHead, name: HeaderName, is: impl Fn(&str) -> bool) -> bool {
    let texts = head.headers().get_all(name).filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| is(part.trim()))
}
