use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A server's certificates, its own first, and the key to the first.
pub struct CertificateChain {
    /// As sent in the handshake.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

/// Why a chain cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum InvalidChain {
    /// There is no chain at all.
    #[error("no certificate is configured")]
    None,
    /// The first certificate cannot be read.
    #[error("a certificate cannot be read: {0}")]
    Certificate(String),
    /// The key cannot be read, or is not the certificate's.
    #[error("a key does not fit its certificate: {0}")]
    Key(#[from] rustls::Error),
}

/// The chains of a server, chosen by the name that a client asks for (SNI) and by the signatures it can check.
///
/// A client that names none, or a name that no chain has, gets the first chain that it can check: devices connect by
/// address too.
pub struct Certificates(RwLock<Arc<[Entry]>>);

/// Chains that can serve: each key fits its certificate.
pub struct CheckedChains(Arc<[Entry]>);

struct Entry {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// At least one chain; the order is that of preference.
    pub fn new(chains: Vec<CertificateChain>) -> Result<Arc<Self>, InvalidChain> {
        Ok(Arc::new(Self(RwLock::new(CheckedChains::new(chains)?.0))))
    }

    /// Takes other chains from the next handshake on.
    pub fn replace(&self, chains: CheckedChains) {
        *self.0.write() = chains.0;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let entries = Arc::clone(&self.0.read());
        let usable = |entry: &&Entry| entry.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = hello.server_name().and_then(|name| {
            let mut named = entries.iter().filter(|entry| entry.has_name(name));
            named.find(usable)
        });
        let entry = named.or_else(|| entries.iter().find(usable)).or(entries.first())?;
        Some(Arc::clone(&entry.key))
    }
}

impl Entry {
    /// A wildcard stands for one label (RFC 6125, section 6.4.3).
    fn has_name(&self, asked: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            None => name.eq_ignore_ascii_case(asked),
            Some(domain) => asked
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        })
    }
}

impl CheckedChains {
    /// At least one chain; the order is that of preference.
    pub fn new(chains: Vec<CertificateChain>) -> Result<Self, InvalidChain> {
        if chains.is_empty() {
            return Err(InvalidChain::None);
        }
        let entries: Result<_, _> = chains.into_iter().map(entry).collect();
        entries.map(Self)
    }
}

fn entry(chain: CertificateChain) -> Result<Entry, InvalidChain> {
    let leaf = chain.certificates.first().ok_or(InvalidChain::None)?;
    let names = dns_names(leaf)?;
    let key = CertifiedKey::from_der(chain.certificates, chain.key, &super::provider())?;
    Ok(Entry {
        names,
        key: Arc::new(key),
    })
}

fn dns_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, InvalidChain> {
    let unreadable = |error: &dyn fmt::Display| InvalidChain::Certificate(error.to_string());
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| unreadable(&error))?;
    let alternatives = parsed.subject_alternative_name().map_err(|error| unreadable(&error))?;
    let Some(alternatives) = alternatives else {
        return Ok(Vec::new());
    };
    let names = alternatives.value.general_names.iter().filter_map(|name| {
        let GeneralName::DNSName(name) = name else { return None };
        Some((*name).to_owned())
    });
    Ok(names.collect())
}

impl fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.read().iter().map(|entry| entry.names.clone()).collect();
        formatter.debug_tuple("Certificates").field(&names).finish()
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificateChain")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}
