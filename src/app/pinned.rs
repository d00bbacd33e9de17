//! TLS from this server to itself, for the page `/handshake` when there is no plain HTTP: a client that accepts only
//! the certificate that the server presents (certificate pinning).
//!
//! The client does not check an authority's signature or the host name: equality of the certificate, byte by byte, is
//! the stricter condition. It checks as always that the server has the private key.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::app::tls::Certificate;

/// Accepts only the certificate of this server.
#[derive(Debug)]
struct Pinned(Arc<Certificate>);

/// Returns a client for a server that presents this certificate.
pub(super) fn connector(certificate: &Arc<Certificate>) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(certificate.provider().clone());
    let builder = builder.with_safe_default_protocol_versions().expect("the provider speaks both versions");
    let pinned = Arc::new(Pinned(certificate.clone()));
    let config = builder.dangerous().with_custom_certificate_verifier(pinned).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.current().cert.first() {
            Some(own) if own == end_entity => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.provider().signature_verification_algorithms.supported_schemes()
    }
}
