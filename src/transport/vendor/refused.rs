//! `Refused`: a request over HTTP that is refused, in the words and the shape of the vendor that its address belongs to.

use std::fmt;

use actix_web::http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::access::Vendor;
use crate::transport::vendor::request_id;

/// The time after which a client may try again if the server is too busy. Seconds.
const RETRY_AFTER_S: i64 = 1;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refused {
    vendor: Vendor,
    status: StatusCode,
    message: String,
    retry_after_s: Option<i64>,
}

impl Refused {
    /// Returns a refusal with this status.
    pub(super) fn new(vendor: Vendor, status: StatusCode, message: impl Into<String>) -> Self {
        Self { vendor, status, message: message.into(), retry_after_s: None }
    }

    /// Returns 400: a parameter is missing or wrong.
    pub(super) fn bad_request(vendor: Vendor, message: impl Into<String>) -> Self {
        Self::new(vendor, StatusCode::BAD_REQUEST, message)
    }

    /// Returns 404.
    pub(super) fn not_found(vendor: Vendor, message: impl Into<String>) -> Self {
        Self::new(vendor, StatusCode::NOT_FOUND, message)
    }

    /// Returns 405: the address is only read.
    pub(super) fn method_not_allowed(vendor: Vendor, method: &Method) -> Self {
        Self::new(vendor, StatusCode::METHOD_NOT_ALLOWED, format!("method not allowed: {method}"))
    }

    /// Returns 503: the server is too busy.
    pub(super) fn busy(vendor: Vendor) -> Self {
        Self::unavailable(vendor, "too many requests are in progress")
    }

    /// Returns 503: try again later.
    pub(super) fn unavailable(vendor: Vendor, message: impl Into<String>) -> Self {
        let refused = Self::new(vendor, StatusCode::SERVICE_UNAVAILABLE, message);
        Self { retry_after_s: Some(RETRY_AFTER_S), ..refused }
    }

    /// Returns 429: the key has used its requests of this minute.
    pub(super) fn too_many(vendor: Vendor, retry_after_s: i64) -> Self {
        let message = match vendor {
            Vendor::Alpaca => "too many requests.",
            Vendor::Massive => "You've exceeded the maximum requests per minute.",
            Vendor::Finnhub => "API limit reached. Please try again later. Remaining Limit: 0",
        };
        let refused = Self::new(vendor, StatusCode::TOO_MANY_REQUESTS, message);
        Self { retry_after_s: Some(retry_after_s), ..refused }
    }

    fn document(&self) -> Value {
        let message = &self.message;
        match self.vendor {
            Vendor::Alpaca => json!({"message": message}),
            Vendor::Finnhub => json!({"error": message}),
            Vendor::Massive if self.status == StatusCode::NOT_FOUND => {
                json!({"status": "NOT_FOUND", "request_id": request_id(), "message": message})
            }
            Vendor::Massive => json!({"status": "ERROR", "request_id": request_id(), "error": message}),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        // RFC 9110 section 15.5.6.
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.insert_header((ALLOW, "GET, HEAD"));
        }
        response
            .content_type("application/json")
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(self.document().to_string())
    }
}
