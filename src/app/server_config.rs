//! The section `[server]` of the configuration: addresses, connections, HTTP.

use std::time::Duration;

use serde::Deserialize;

use crate::access::Networks;
use crate::app::tls::TlsConfig;
use crate::transport::{AllowedHosts, AllowedOrigins, ProxyHeaders};

/// The section `[server]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on: a host name or an IP address.
    pub host: String,
    /// The TCP port; 0 takes a free one.
    pub port: u16,
    /// Prefix of every address, for a proxy that does not strip it: `/tickcast`; empty for none. Letters, digits, `-`,
    /// `.`, `_` and `~` between slashes.
    pub base_path: String,
    /// Worker threads, at most 512; 0 starts one per core.
    pub workers: usize,
    /// Longest time for a shutdown. Milliseconds, at most 600,000.
    pub shutdown_grace_ms: u64,
    /// Time over which a shutdown closes the sessions, so that their clients do not all reconnect at once.
    /// Milliseconds; limited to half of `shutdown_grace_ms`.
    pub drain_ms: u64,
    /// Most sessions at the same time, fewer if the limit of open files is too low. 1 to 1,000,000.
    pub connections_max: usize,
    /// Connections beyond `connections_max` for each worker, so that refused clients get an answer, and probes and
    /// plain requests are served. 1 to 100,000.
    pub connections_spare_max: usize,
    /// Longest time for a request to arrive, from its first byte; for the first request of a connection, from the
    /// accept. Milliseconds, 10 to 600,000.
    pub request_timeout_ms: u64,
    /// Longest time of a connection without a request. Milliseconds, 10 to 3,600,000.
    pub keep_alive_ms: u64,
    /// Longest head of a request. Bytes, 1,024 to 65,536.
    pub request_head_bytes_max: usize,
    /// Silence after which the kernel probes the peer (TCP keepalive). Milliseconds, 1,000 to 3,600,000.
    pub tcp_keepalive_ms: u64,
    /// Bytes buffered in the server for one socket before its outbox begins to fill. 1,024 to 16 MiB.
    pub write_buffer_bytes: usize,
    /// Unsent bytes in the kernel beyond which a socket is not writable (`TCP_NOTSENT_LOWAT`). 1,024 to 16 MiB.
    pub unsent_bytes_max: u32,
    /// Connections that begin or end in one turn of a worker thread, before its sessions have their turn. 1 to
    /// 1,000,000.
    pub turn_connections_max: usize,
    /// Answers over HTTP that begin, or pieces of 16 KiB of long answers, in one turn of a worker thread; in a series
    /// of turns each lasts at least a millisecond. 1 to 1,000,000.
    pub turn_answers_max: usize,
    /// Reads of bars that each worker may have running or waiting. 1 to 1,000,000.
    pub bars_reads_max: usize,
    /// Time for which a part of the server may be behind before `/readyz` answers 503. Milliseconds, 10 to 600,000.
    pub behind_max_ms: u64,
    /// Most traffic accounts. 1 to 100,000.
    pub traffic_clients_max: usize,
    /// Proxies that are believed; in the environment a list with commas.
    pub trusted_proxies: Networks,
    /// Headers in which they report the client.
    pub proxy_headers: ProxyHeaders,
    /// Whether their connections begin with a header of the PROXY protocol, version 2.
    pub proxy_protocol: bool,
    /// Names and addresses under which the server may be addressed; none means `localhost`, IP addresses and `host`, and `*` all. In the
    /// environment a list with commas.
    pub hosts: AllowedHosts,
    /// Origins whose pages may open sessions; in the environment a list with commas.
    pub allowed_origins: AllowedOrigins,
    /// Origins whose pages may show `/embed` in a frame; in the environment a list with commas.
    pub embed_origins: AllowedOrigins,
    /// How long browsers that have come over HTTPS use nothing else for this host (HSTS). Seconds, at most 63,072,000 (two years);
    /// 0 leaves it to them. Only with TLS.
    pub hsts_s: u32,
    /// HTTPS.
    pub tls: TlsConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            base_path: String::new(),
            workers: 0,
            shutdown_grace_ms: 5_000,
            drain_ms: 2_000,
            connections_max: 20_000,
            connections_spare_max: 256,
            request_timeout_ms: 5_000,
            keep_alive_ms: 75_000,
            request_head_bytes_max: 16_384,
            tcp_keepalive_ms: 60_000,
            write_buffer_bytes: 32_768,
            unsent_bytes_max: 16_384,
            turn_connections_max: 8,
            turn_answers_max: 4,
            bars_reads_max: 1_024,
            behind_max_ms: 3_000,
            traffic_clients_max: 256,
            trusted_proxies: Networks::default(),
            proxy_headers: ProxyHeaders::default(),
            proxy_protocol: false,
            hosts: AllowedHosts::default(),
            allowed_origins: AllowedOrigins::default(),
            embed_origins: AllowedOrigins::default(),
            hsts_s: 0,
            tls: TlsConfig::default(),
        }
    }
}

impl ServerConfig {
    /// Most worker threads: a limit of actix.
    const WORKERS_MAX: usize = 512;

    /// Returns the number of worker threads.
    pub(super) fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(Self::WORKERS_MAX),
            workers => workers,
        }
    }

    /// Returns the time over which a shutdown closes the sessions.
    pub(super) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms.min(self.shutdown_grace_ms / 2))
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub(super) fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { host, .. } if host.is_empty() => Err(("server.host", "must not be empty")),
            Self { base_path, .. } if !is_base_path(base_path) => {
                Err(("server.base_path", "must be empty, or begin with / and not end with it, as in /tickcast"))
            }
            Self { workers, .. } if *workers > Self::WORKERS_MAX => Err(("server.workers", "must be at most 512")),
            Self { shutdown_grace_ms: 600_001.., .. } => Err(("server.shutdown_grace_ms", "must be at most 600000")),
            Self { drain_ms: 600_001.., .. } => Err(("server.drain_ms", "must be at most 600000")),
            Self { connections_max: 0 | 1_000_001.., .. } => Err(("server.connections_max", "must be 1 to 1000000")),
            Self { connections_spare_max: 0 | 100_001.., .. } => {
                Err(("server.connections_spare_max", "must be 1 to 100000"))
            }
            Self { write_buffer_bytes: ..1_024 | 16_777_217.., .. } => {
                Err(("server.write_buffer_bytes", "must be 1024 to 16777216"))
            }
            Self { unsent_bytes_max: ..1_024 | 16_777_217.., .. } => {
                Err(("server.unsent_bytes_max", "must be 1024 to 16777216"))
            }
            Self { turn_connections_max: 0 | 1_000_001.., .. } => {
                Err(("server.turn_connections_max", "must be 1 to 1000000"))
            }
            Self { turn_answers_max: 0 | 1_000_001.., .. } => Err(("server.turn_answers_max", "must be 1 to 1000000")),
            Self { bars_reads_max: 0 | 1_000_001.., .. } => Err(("server.bars_reads_max", "must be 1 to 1000000")),
            Self { behind_max_ms: ..10 | 600_001.., .. } => Err(("server.behind_max_ms", "must be 10 to 600000")),
            Self { traffic_clients_max: 0 | 100_001.., .. } => {
                Err(("server.traffic_clients_max", "must be 1 to 100000"))
            }
            Self { request_timeout_ms: 0..10 | 600_001.., .. } => {
                Err(("server.request_timeout_ms", "must be 10 to 600000"))
            }
            Self { keep_alive_ms: 0..10 | 3_600_001.., .. } => Err(("server.keep_alive_ms", "must be 10 to 3600000")),
            Self { request_head_bytes_max: 0..1_024 | 65_537.., .. } => {
                Err(("server.request_head_bytes_max", "must be 1024 to 65536"))
            }
            Self { tcp_keepalive_ms: 0..1_000 | 3_600_001.., .. } => {
                Err(("server.tcp_keepalive_ms", "must be 1000 to 3600000"))
            }
            Self { hsts_s: 63_072_001.., .. } => Err(("server.hsts_s", "must be at most 63072000")),
            Self { hsts_s: 1.., tls, .. } if tls.cert.is_empty() => {
                Err(("server.hsts_s", "needs server.tls.cert: browsers ignore it without TLS"))
            }
            Self { proxy_protocol: true, trusted_proxies, .. } if trusted_proxies.is_empty() => {
                Err(("server.proxy_protocol", "needs server.trusted_proxies: the proxies that send the header"))
            }
            Self { tls, .. } => tls.validate(),
        }
    }
}

/// Unreserved characters of RFC 3986 section 2.3 between slashes, so that no part of a URL needs percent-encoding.
fn is_base_path(path: &str) -> bool {
    let is_plain = |segment: &str| {
        let mut bytes = segment.bytes();
        !segment.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain))
}
