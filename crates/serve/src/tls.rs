//! Certificates, read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// The time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// Gives the certificate as the files have it.
#[derive(Debug)]
struct ReloadingCertificate {
    certificates: PathBuf,
    key: PathBuf,
    current: RwLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    certified: Arc<CertifiedKey>,
    stamps: [Option<SystemTime>; 2],
    looked: Instant,
}

/// Makes an acceptor of TLS connections that speak one of these protocols (`h2`, `http/1.1`).
///
/// # Errors
/// The files cannot be read, hold no certificate or no key, or the key is another certificate's.
pub(crate) fn acceptor(
    certificates: &Path,
    key: &Path,
    protocols: &[&[u8]],
) -> Result<TlsAcceptor, Error> {
    let resolver = ReloadingCertificate {
        current: RwLock::new(Loaded {
            certified: read(certificates, key)?,
            stamps: stamps(certificates, key),
            looked: Instant::now(),
        }),
        certificates: certificates.to_owned(),
        key: key.to_owned(),
    };
    let wrong = |error: rustls::Error| Error::Certificate {
        path: certificates.to_owned(),
        why: error.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn stamps(certificates: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificates, key].map(|path| std::fs::metadata(path).ok()?.modified().ok())
}

fn read(certificates: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let wrong = |path: &Path, why: String| Error::Certificate { path: path.to_owned(), why };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong(certificates, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificates, "there is no certificate in it, as PEM".to_owned()));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| wrong(certificates, error.to_string()))?;
    Ok(Arc::new(certified))
}

impl ReloadingCertificate {
    fn certified(&self) -> Arc<CertifiedKey> {
        {
            let current = self.current.read();
            if current.looked.elapsed() < LOOK {
                return current.certified.clone();
            }
        }
        let mut current = self.current.write();
        current.looked = Instant::now();
        let stamps = stamps(&self.certificates, &self.key);
        if stamps != current.stamps {
            match read(&self.certificates, &self.key) {
                Ok(certified) => {
                    current.certified = certified;
                    current.stamps = stamps;
                    tracing::info!(path = %self.certificates.display(), "the certificate was read again");
                }
                // The other of the two files may be about to be written: it is tried again.
                Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
            }
        }
        current.certified.clone()
    }
}

impl ResolvesServerCert for ReloadingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}
