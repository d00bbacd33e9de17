//! The origins of pages (RFC 6454), as browsers send them.

use url::{Origin, Url};

/// Parses `scheme://host[:port]` of a website, and nothing else.
pub fn web_origin(text: &str) -> Option<Origin> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path() == "/" && !text.ends_with('/') && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    // A wildcard pattern would never match, so it is refused.
    let is_web = matches!(url.scheme(), "http" | "https") && !text.contains('*');
    (is_web && is_bare && is_anonymous).then(|| url.origin())
}
