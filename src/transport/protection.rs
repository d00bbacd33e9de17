//! `Protection`: headers that restrict what browsers do with the responses of a listener. The pages have more of them (`page.rs`).

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

use crate::transport::gate;

/// The headers of one listener.
#[derive(Clone)]
pub(super) struct Protection {
    /// The value of `Strict-Transport-Security`.
    hsts: Option<HeaderValue>,
}

impl Protection {
    /// Returns the headers of a listener. `hsts_s` counts only over TLS (RFC 6797 section 7.2): seconds for which browsers use nothing
    /// but TLS with this host; 0 for none.
    pub(super) fn new(hsts_s: u32, is_tls: bool) -> Self {
        let hsts = (is_tls && hsts_s > 0).then(|| format!("max-age={hsts_s}"));
        Self { hsts: hsts.map(|text| text.try_into().expect("a number is a good header")) }
    }

    /// Adds the headers to a response.
    pub(super) fn add<B>(&self, mut answer: ServiceResponse<B>) -> ServiceResponse<B> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            // It has no content, and `/handshake` shows it byte for byte.
            return answer;
        }
        let is_personal = gate::has_key(answer.request());
        let headers = answer.headers_mut();
        // A browser takes no text or JSON for a script or a page.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !headers.contains_key(CROSS_ORIGIN_RESOURCE_POLICY) {
            // Not for images, scripts and frames of other origins. Browsers do not apply it to requests with CORS, by which the pages of
            // `server.allowed_origins` read answers (Fetch, section 3.7).
            headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        }
        let is_stored = |value: &HeaderValue| !value.as_bytes().starts_with(b"no-store");
        if is_personal && headers.get(CACHE_CONTROL).is_none_or(is_stored) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if let Some(hsts) = &self.hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        answer
    }
}
