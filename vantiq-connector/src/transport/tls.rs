//! The TLS settings of a connector set: whom to trust.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls_platform_verifier::Verifier;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{
            CertificateDer, ServerName, UnixTime,
            pem::{self, PemObject},
        },
    },
};

use super::{TransportError, TransportErrorKind};

/// The key `caCertificateFile`: certificates to trust besides those of the system. `Debug` shows the path.
#[derive(Clone)]
pub(crate) struct CertificateFile {
    path: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
}

/// A `caCertificateFile` that is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateFileError {
    #[error("names {path}, which cannot be read ({error})", path = path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("names {path}, which is not a PEM file with certificates", path = .0.display())]
    NoCertificate(PathBuf),
}

impl CertificateFile {
    /// Reads the certificates: at least one, or the file is a mistake.
    pub(crate) fn read(path: &Path) -> Result<Self, CertificateFileError> {
        let no_certificate = || CertificateFileError::NoCertificate(path.to_owned());
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = read.map_err(|error| match error {
            pem::Error::Io(error) => CertificateFileError::Unreadable { path: path.to_owned(), error },
            _ => no_certificate(),
        })?;
        let (usable, useless) =
            RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
        if usable == 0 || useless > 0 {
            return Err(no_certificate());
        }
        Ok(Self { path: path.to_owned(), certificates })
    }
}

impl fmt::Debug for CertificateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// Trusts what the operating system trusts, and the certificates of `ca_file`; or, with
/// `disable_verification`, anybody.
pub(super) fn connector(
    ca_file: Option<&CertificateFile>,
    disable_verification: bool,
) -> Result<TlsConnector, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if disable_verification {
        Arc::new(NoVerification(Arc::clone(&provider)))
    } else {
        let extra = ca_file.map(|file| file.certificates.clone()).unwrap_or_default();
        Arc::new(Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(settings)?)
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(settings)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn settings(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransportError {
    TransportError::new(TransportErrorKind::Settings, source)
}

/// Accepts every certificate: `connectKWArgs={"disableSslVerification": true}`, as the Python SDK has it.
/// Signatures are still checked, so the peer holds the key of whatever certificate it shows.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
