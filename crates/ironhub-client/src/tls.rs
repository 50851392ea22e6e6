//! Whom to trust, and how to prove oneself by certificate.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::client::{ClientConfig, Resumption};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, RootCertStore};

use crate::error::Error;

/// What a memory of its own keeps: as many sessions as rustls does for one hub.
const SESSIONS_MAX: usize = 8;

/// The authorities whose hubs this client talks to. Made once and shared: cloning costs nothing.
///
/// ```no_run
/// use ironhub_client::Trust;
///
/// let public = Trust::system()?; // Azure IoT Hub, or an authority that this machine knows.
/// let own = Trust::ca_file("ca.pem")?; // An IronHub with its own authority: only that one.
/// # Ok::<(), ironhub_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    /// Without a client certificate: shared, so that sessions of all connections can be resumed.
    anonymous: Arc<ClientConfig>,
    resumes: bool,
}

/// A certificate with its key: how an X.509 device proves itself.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Trust {
    /// The authorities of this machine's certificate store, or only those of the file that the variable `SSL_CERT_FILE`
    /// names.
    pub fn system() -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(Error::Configuration(
                "this machine's certificate store holds no authority; name one by its file".to_owned(),
            ));
        }
        Self::of(roots)
    }

    /// The authorities of this machine's certificate store, which may be empty, and those in these PEM files.
    pub fn system_and_ca_files(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for path in paths {
            add_pem(&mut roots, &read(path.as_ref())?)?;
        }
        Self::of(roots)
    }

    /// Only the authorities in this PEM text.
    pub fn ca_pem(pem: &[u8]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        add_pem(&mut roots, pem)?;
        if roots.is_empty() {
            return Err(Error::Configuration(
                "there is no certificate in the PEM text".to_owned(),
            ));
        }
        Self::of(roots)
    }

    /// Only the authorities in this PEM file.
    pub fn ca_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::ca_pem(&read(path)?).map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))
    }

    /// The same authorities without resumption: each connection makes a full handshake, as a device does that comes
    /// for the first time.
    pub fn without_resumption(&self) -> Self {
        Self {
            resumes: false,
            ..self.remembering(Resumption::disabled())
        }
    }

    /// The same authorities with a memory of its own for the TLS sessions of one hub: it and its clones resume only what
    /// they began. A program that plays many devices gives one to each: clones share a memory of eight sessions a hub,
    /// and a session is resumed once, so that devices who come and go together find none left.
    pub fn with_own_sessions(&self) -> Self {
        self.remembering(Resumption::in_memory_sessions(SESSIONS_MAX))
    }

    fn remembering(&self, resumption: Resumption) -> Self {
        let mut anonymous = ClientConfig::clone(&self.anonymous);
        anonymous.resumption = resumption;
        Self {
            roots: Arc::clone(&self.roots),
            anonymous: Arc::new(anonymous),
            resumes: true,
        }
    }

    fn of(roots: RootCertStore) -> Result<Self, Error> {
        let roots = Arc::new(roots);
        let anonymous = Arc::new(config(Arc::clone(&roots), None)?);
        Ok(Self {
            roots,
            anonymous,
            resumes: true,
        })
    }

    pub(crate) fn tls_config(&self, certificate: Option<&ClientCertificate>) -> Result<Arc<ClientConfig>, Error> {
        if certificate.is_none() {
            return Ok(Arc::clone(&self.anonymous));
        }
        let mut own = config(Arc::clone(&self.roots), certificate)?;
        if !self.resumes {
            own.resumption = Resumption::disabled();
        }
        Ok(Arc::new(own))
    }
}

impl ClientCertificate {
    /// From PEM texts: the leaf and what leads up to the authority that the hub knows, and the leaf's key (PKCS #8,
    /// PKCS #1 or SEC 1).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Configuration(format!("the certificate is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(Error::Configuration(
                "there is no certificate in the PEM text".to_owned(),
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| Error::Configuration(format!("the certificate's key is not PEM: {error}")))?;
        Ok(Self { chain, key })
    }

    /// From PEM files.
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, Error> {
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), Error> {
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|reason| Error::Configuration(format!("the authority's certificate is not one: {reason}")))?;
    }
    Ok(())
}

fn config(roots: Arc<RootCertStore>, certificate: Option<&ClientCertificate>) -> Result<ClientConfig, Error> {
    let failed = |error: rustls::Error| Error::Configuration(format!("cannot set up TLS: {error}"));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    match certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(own) => builder
            .with_client_auth_cert(own.chain.clone(), own.key.clone_key())
            .map_err(|error| Error::Configuration(format!("the certificate and its key do not fit: {error}"))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::Configuration(format!("cannot read {}: {error}", path.display())))
}
