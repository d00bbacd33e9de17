//! The first lines of the log: where the server listens.

use crate::app::Settings;
use crate::app::listen::Listener;
use crate::app::serve::Listeners;
use crate::feed::{FeedConfig, FeedKind};

/// Returns the source of prices.
fn feed(feed: &FeedConfig) -> String {
    match feed.kind {
        FeedKind::Simulated => format!("seed={} events_per_second={}", feed.seed, feed.events_per_second),
        FeedKind::Publish => "feed=publish".into(),
        FeedKind::Replay => format!("feed=replay files={} speed={}", feed.replay.files.len(), feed.speed),
    }
}

/// Logs the addresses of the server, the reduced number of sessions if descriptors are short, who may come in, whether its key is
/// public, and which secrets are.
pub(super) fn announce(
    settings: &Settings,
    symbols: usize,
    listeners: &Listeners,
    shortage: Option<String>,
    access: Option<String>,
) {
    let https = listeners.https.as_ref().map(|(listener, _)| listener);
    let urls = [("url=http", listeners.http.as_ref()), ("tls_url=https", https)];
    let url = |(name, listener): (&str, Option<&Listener>)| {
        listener.map_or(String::new(), |listener| format!("{name}://{}/ ", listener.address))
    };
    // One line for both, because the second part qualifies the first.
    let level = if shortage.is_some() { log::Level::Warn } else { log::Level::Info };
    log::log!(
        level,
        "listening {}workers={} symbols={symbols} {}{}",
        urls.map(url).concat(),
        settings.server.worker_threads(),
        feed(&settings.feed),
        shortage.unwrap_or_default(),
    );
    if let Some(access) = access {
        log::info!("access {access}");
    }
    if !settings.auth.required && settings.keys.is_public(listeners.are_loopback()) {
        log::warn!(
            "keys.pairs has the secret tickcast, which everybody knows, and the server listens beyond loopback: other machines may \
             use the streams and addresses of vendors; list keys of your own"
        );
    }
    if !settings.auth.required && !listeners.are_loopback() {
        log::warn!("access is open: whoever reaches this server may use it without a key (auth.open)");
    }
    for (setting, path) in settings.auth.jwt.open_secrets() {
        log::warn!(
            "everybody on this machine may read {setting} {path:?} (chmod o-r), and make tokens with its secret"
        );
    }
    for (name, listener) in urls {
        for address in listener.map(|listener| listener.others.clone()).unwrap_or_default() {
            log::info!("listening also {name}://{address}/");
        }
    }
    if let Some((listener, tls)) = &listeners.admin {
        let scheme = if tls.is_some() { "https" } else { "http" };
        log::info!("listening for operators admin_url={scheme}://{}/admin", listener.address);
    }
}
