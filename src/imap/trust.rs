//! Which certificates are trusted.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::Error;

/// Certificates to trust, read once and shared by all connections.
#[derive(Default)]
pub struct TrustStore {
    configs: Mutex<HashMap<Option<PathBuf>, Arc<ClientConfig>>>,
}

impl TrustStore {
    /// Forgets what was read, so that a renewed CA file is read again.
    pub fn forget(&self) {
        self.held().clear();
    }

    pub(super) fn config(&self, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
        let key = ca_file.map(Path::to_owned);
        if let Some(known) = self.held().get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut roots = RootCertStore::empty();
        let mut own = Vec::new();
        // A system without certificates can still trust the configured CA.
        for certificate in rustls_native_certs::load_native_certs().certs {
            drop(roots.add(certificate));
        }
        if let Some(path) = ca_file {
            let bad =
                |why: String| Error::Blocked(format!("imap.ca_file {}: {why}", path.display()));
            let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<_, _>>)
                .map_err(|error| bad(error.to_string()))?;
            if certificates.is_empty() {
                return Err(bad("no certificate in it".to_owned()));
            }
            for certificate in &certificates {
                roots.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
            }
            own = certificates;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| Error::Blocked(format!("no certificate to trust: {error}")))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Blocked(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { by_chain, own }))
            .with_no_client_auth();
        // Reconnections are rare; remembered sessions would cost memory in every mailbox.
        config.resumption = rustls::client::Resumption::disabled();
        let config = Arc::new(config);
        self.held().insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Option<PathBuf>, Arc<ClientConfig>>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The usual verification, and besides it the server's own certificate as `imap.ca_file`.
///
/// `openssl req -x509`, with which many a private server's certificate is made, makes it a CA's,
/// and rustls takes no CA's for a server (`CaUsedAsEndEntity`).
#[derive(Debug)]
struct Verifier {
    by_chain: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let by_chain = self.by_chain.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match by_chain {
            // It comes after the look at the dates (rustls-webpki 0.103), which are other errors.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Other(_) | CertificateError::UnknownIssuer,
            )) if self.own.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    // Both by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650
    // -subj /CN=mail.example -addext subjectAltName=DNS:mail.example`.
    const OWN: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBnTCCAUKgAwIBAgIUdvxJymfzU9EtVutBs6hnidsYrtYwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMB4XDTI2MTEyMzE5MzQyNloXDTM2MTEy
MDE5MzQyNlowFzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEA5UMBrXAhCCNjMNC06XnWloAnwEGQDQnoO3GSR8pHd3UXqrR
cRxcVt1HzU8NBgMhXSMS2vs4uaylDBK5BESZDaNsMGowHQYDVR0OBBYEFFGEFkPR
mfU3zPjKZOL3BiHd4dIsMB8GA1UdIwQYMBaAFFGEFkPRmfU3zPjKZOL3BiHd4dIs
MA8GA1UdEwEB/wQFMAMBAf8wFwYDVR0RBBAwDoIMbWFpbC5leGFtcGxlMAoGCCqG
SM49BAMCA0kAMEYCIQDZMeL8S7T4ptlw1hPVdYkVEqjty3IGRYy0owUyDqEs9QIh
AKoqke6WiS7W/WSrgbrEpaCS9cqh6k/Yq92rxSvfoPyf
-----END CERTIFICATE-----
";
    const ANOTHER: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBmzCCAUKgAwIBAgIUBx4jF3f7VPwNidnJ/DODcG+AIM0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMB4XDTI2MTEyMzE5MzQyNloXDTM2MTEy
MDE5MzQyNlowFzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEUDzQNmaGGBs7tpMmnq35WN+aVwPjyJynFpBykAjxxUNAkmm8
lm8h7EmuBiAEG1AizFgNOBPvFqy+gnK0E2ElWaNsMGowHQYDVR0OBBYEFNlB0DEe
DgiPpvRzctgyNcRDDD9nMB8GA1UdIwQYMBaAFNlB0DEeDgiPpvRzctgyNcRDDD9n
MA8GA1UdEwEB/wQFMAMBAf8wFwYDVR0RBBAwDoIMbWFpbC5leGFtcGxlMAoGCCqG
SM49BAMCA0cAMEQCIE+WkRCzuEYLi4IpAdHlpHSc6j2ozfzH6qrHbPPEOOeqAiA1
7J8NG6dAdyQ/OZ3oNC09sZ75bjLH+myZmnbxr0mo4Q==
-----END CERTIFICATE-----
";
    /// A moment at which both are valid, Unix seconds.
    const NOW: u64 = 1_795_548_866;
    const YEAR: u64 = 366 * 86_400;

    #[test]
    fn own_certificate_is_trusted_under_its_name_and_in_its_time_only() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let own = CertificateDer::from_pem_slice(OWN).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let by_chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = Verifier { by_chain: by_chain.build().unwrap(), own: vec![own] };
        #[rustfmt::skip]
        let cases = &[
            ("as given",            OWN,     "mail.example",  NOW,             true),
            ("under another name",  OWN,     "other.example", NOW,             false),
            ("expired",             OWN,     "mail.example",  NOW + 11 * YEAR, false),
            ("not valid yet",       OWN,     "mail.example",  NOW - YEAR,      false),
            ("another, same name",  ANOTHER, "mail.example",  NOW,             false),
        ];
        for (case, shown, name, now, trusted) in cases {
            let shown = CertificateDer::from_pem_slice(shown).unwrap();
            let name = ServerName::try_from(*name).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(*now));
            let verdict = verifier.verify_server_cert(&shown, &[], &name, &[], now);
            assert_eq!(verdict.is_ok(), *trusted, "{case}: {verdict:?}");
        }
    }
}
