//! A correct HTTP client. Each request has its own connection, so that successive requests reach successive workers.

use std::net::SocketAddr;

use awc::http::Method;
use awc::http::header::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

use crate::patience::{PATIENCE, patiently};

/// Longest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// An HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Returns the value of a header, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Returns the body of a successful response as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.status, self.header("content-type")), (200, "application/json"), "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the body of a problem document (RFC 9457).
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text());
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        problem
    }
}

/// Sends `GET` for this path and query.
pub(crate) async fn get(server: SocketAddr, path: &str) -> Answer {
    request(server, Method::GET, path, &[]).await
}

/// Sends a request.
pub(crate) async fn request(server: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(server, method, path, headers, String::new()).await
}

/// Sends a request with a body.
pub(crate) async fn send(
    server: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Answer {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let mut request = client.request(method, format!("http://{server}{path}")).force_close();
    for header in headers {
        request = request.insert_header(*header);
    }
    let mut response =
        patiently("an answer", if body.is_empty() { request.send() } else { request.send_body(body) }).await.unwrap();
    let body = patiently("the body", response.body().limit(BODY_BYTES_MAX)).await.unwrap();
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
}
