//! Certificates made for one test run, and one of version 1 from a file, since no library makes those any more.

use std::sync::Arc;

use ironhub_transport::tls::{CertificateChain, Certificates};
use rcgen::SignatureAlgorithm;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A self-signed identity with these names.
pub(crate) fn identity(names: &[&str], algorithm: &'static SignatureAlgorithm) -> Identity {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let cert = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    Identity {
        certificate: cert.der().clone(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    }
}

/// X.509 version 1 and expired, as `openssl x509 -req` makes it without extensions.
pub(crate) fn version_1() -> Identity {
    Identity {
        certificate: CertificateDer::from_pem_slice(include_bytes!("v1/cert.pem")).unwrap(),
        key: PrivateKeyDer::from_pem_slice(include_bytes!("v1/key.pem")).unwrap(),
    }
}

impl Identity {
    pub(crate) fn chain(&self) -> CertificateChain {
        CertificateChain {
            certificates: vec![self.certificate.clone()],
            key: self.key.clone_key(),
        }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

pub(crate) fn server(identities: &[&Identity]) -> Arc<Certificates> {
    Certificates::new(identities.iter().map(|identity| identity.chain()).collect()).unwrap()
}
