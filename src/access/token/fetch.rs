//! Reads the set of keys at `auth.jwt.jwks_url`, on a thread of its own: [`Schedule`] decides when, [`run`] does it.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use crate::access::file::{self, KeyFileError};
use crate::access::token::config::JwtConfig;
use crate::access::token::jwks;
use crate::access::token::key::FILE_BYTES_MAX;
use crate::domain::{Clock, Timestamp};

/// Longest time for a read, from the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two looks at the schedule.
const CHECK: Duration = Duration::from_millis(250);
/// Least time between two reads for tokens with an unknown `kid`, which everybody can make up.
const WANTED_MICROS: i64 = 30_000_000;
/// The first delay after a failure; each further one is twice as long, up to the longest.
const RETRY_MICROS: i64 = 1_000_000;
const RETRY_MICROS_MAX: i64 = 60_000_000;

/// When the set is read, by the server's clock.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh_micros: i64,
    /// The begin of the last read.
    begun_at: Option<Timestamp>,
    /// Reads that have failed since the last good one.
    failures: u32,
    is_wanted: bool,
    is_running: bool,
}

impl Schedule {
    fn new(config: &JwtConfig) -> Self {
        let refresh_micros = i64::try_from(config.jwks_refresh_ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000));
        Self { refresh_micros, begun_at: None, failures: 0, is_wanted: false, is_running: false }
    }

    /// Asks for a read before its time. Returns whether one is running or is about to.
    fn want(&mut self, now: Timestamp) -> bool {
        self.is_wanted |= self.since(now).is_none_or(|micros| micros >= WANTED_MICROS);
        self.is_wanted || self.is_running
    }

    /// Returns the time since the last read began; of a clock that was set back, the time by which it was.
    fn since(&self, now: Timestamp) -> Option<i64> {
        self.begun_at.map(|begun| now.micros().saturating_sub(begun.micros()).saturating_abs())
    }

    /// Returns whether a read is due, and begins it.
    fn begin(&mut self, now: Timestamp) -> bool {
        let wait = match self.failures {
            0 => self.refresh_micros,
            failures => (RETRY_MICROS << (failures - 1).min(16)).min(RETRY_MICROS_MAX).min(self.refresh_micros),
        };
        let is_due = self.is_wanted || self.since(now).is_none_or(|micros| micros >= wait);
        if is_due {
            (self.begun_at, self.is_wanted, self.is_running) = (Some(now), false, true);
        }
        is_due
    }

    fn end(&mut self, is_good: bool) {
        self.is_running = false;
        self.failures = if is_good { 0 } else { self.failures.saturating_add(1) };
    }
}

/// A schedule that the worker threads and the thread that reads share.
pub(super) struct Reads(Mutex<Schedule>);

impl Reads {
    /// Returns a schedule by these settings; the first read is due at once.
    pub(super) fn new(config: &JwtConfig) -> Self {
        Self(Mutex::new(Schedule::new(config)))
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a read due at once: the operator asks for it.
    pub(super) fn demand(&self) {
        self.lock().is_wanted = true;
    }

    /// Asks for a read before its time, at most once in 30 s. Returns whether one is running or is about to.
    pub(super) fn want(&self, now: Timestamp) -> bool {
        self.lock().want(now)
    }
}

/// The client of one issuer.
pub(super) struct Issuer {
    agent: Agent,
    url: String,
}

impl Issuer {
    /// Returns the client for `auth.jwt.jwks_url`.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no certificates to trust.
    pub(super) fn new(config: &JwtConfig) -> Result<Self, KeyFileError> {
        let roots = if config.jwks_ca_file.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            let complaint = "the system has no certificates of authorities: set auth.jwt.jwks_ca_file";
            let found = Some(found.certs).filter(|certs| !certs.is_empty());
            found.ok_or_else(|| KeyFileError::new("auth.jwt.jwks_url", &config.jwks_url, complaint))?
        } else {
            let path = Path::new(&config.jwks_ca_file);
            let certificates = file::read(path, FILE_BYTES_MAX).and_then(|text| certificates(&text));
            certificates.map_err(|complaint| KeyFileError::new("auth.jwt.jwks_ca_file", path, complaint))?
        };
        let roots = roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect::<Vec<_>>();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::from(roots)).unversioned_rustls_crypto_provider(provider);
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .https_only(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent("tickcast")
            .accept("application/json");
        Ok(Self { agent: agent.build().new_agent(), url: config.jwks_url.clone() })
    }

    /// Reads the set.
    ///
    /// # Errors
    ///
    /// Returns the reason in words: another status than 200, too many bytes, or an error of the connection.
    fn read(&self) -> Result<Vec<u8>, String> {
        let mut answer: http::Response<Body> = self.agent.get(&self.url).call().map_err(|err| err.to_string())?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        answer.body_mut().with_config().limit(jwks::BYTES_MAX).read_to_vec().map_err(|err| err.to_string())
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    certificates.ok().filter(|all| !all.is_empty()).ok_or_else(|| "it has no certificate in PEM".into())
}

/// Reads the set of the issuer whenever it is due, until the other end of `stopped` is dropped. Gives the bytes to `accept`, which says
/// whether they are a good set.
pub(super) fn run(
    issuer: &Issuer,
    reads: &Reads,
    clock: &dyn Clock,
    stopped: &Receiver<()>,
    mut accept: impl FnMut(Result<Vec<u8>, String>) -> bool,
) {
    loop {
        if reads.lock().begin(clock.now()) {
            let is_good = accept(issuer.read());
            reads.lock().end(is_good);
        }
        if stopped.recv_timeout(CHECK) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_due_each_hour_sooner_after_failures_and_on_demand_once_in_thirty_seconds() {
        let mut schedule = Schedule::new(&JwtConfig::default());
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut step = |seconds: i64, is_good: bool| {
            let is_due = schedule.begin(at(seconds));
            if is_due {
                schedule.end(is_good);
            }
            is_due
        };
        let due: Vec<_> = (0..200).filter(|seconds| step(*seconds, false)).collect();
        assert_eq!(due, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        assert!(step(243, true) && !step(3_842, true) && step(3_843, true));
        assert!(!step(3_844, true));
        assert!(schedule.begin(at(3_843 - 3_600)), "the clock was set back");
        assert!(schedule.want(at(243)), "one is running");
        schedule.end(true);
        assert!(!schedule.want(at(243 + 29)) && !schedule.begin(at(243 + 29)));
        assert!(schedule.want(at(243 + 30)) && schedule.want(at(243 + 30)));
        assert!(schedule.begin(at(243 + 30)));
        schedule.end(true);
        assert!(!schedule.want(at(243 + 31)));
    }
}
