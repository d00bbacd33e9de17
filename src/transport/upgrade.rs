//! Whether a request opens a WebSocket (RFC 6455 section 4.2.1), and comes from a page that may.
//!
//! What is opened then is `websocket`'s business.

use actix_web::HttpRequest;
use actix_web::http::Version;
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
    UPGRADE,
};

use crate::transport::{Problem, Worker};

/// Checks that the request opens a WebSocket, and comes from a page that may.
///
/// # Errors
///
/// Returns a problem document when it does not.
pub(super) fn check(worker: &Worker, request: &HttpRequest) -> Result<(), Problem> {
    check_handshake(request)?;
    worker.check_origin(request)
}

/// Checks what actix-web-actors is lenient about: the version (RFC 6455 section 4.4) and the key (section 4.1, item 7); and that
/// no body stands between the handshake and the first frame.
fn check_handshake(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let has = |name, token: &str| lists(request, name, |part| part.eq_ignore_ascii_case(token));
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err(Problem::upgrade_required("this address speaks WebSocket: send Connection: Upgrade"));
    }
    if request.version() < Version::HTTP_11 {
        return Err(Problem::bad_request("a WebSocket is opened by HTTP/1.1"));
    }
    if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err(Problem::bad_request("a WebSocket handshake has no body"));
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

/// Returns whether one of the parts of a header is such. A list may be cut into several headers (RFC 9110 section 5.3).
pub(super) fn lists(request: &HttpRequest, name: HeaderName, is: impl Fn(&str) -> bool) -> bool {
    let texts = request.headers().get_all(name).filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| is(part.trim()))
}
