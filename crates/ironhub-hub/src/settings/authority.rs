//! Certificate authorities as operators upload them.

use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

/// A certificate authority's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) der: Arc<[u8]>,
}

impl Authority {
    /// Reads PEM text that holds exactly one X.509 certificate.
    pub(crate) fn parse(pem: &str) -> Option<Self> {
        let der = der_of(pem)?;
        Some(Self { der: der.into() })
    }
}

/// The DER bytes of the one certificate in a PEM text.
pub(crate) fn der_of(pem: &str) -> Option<Vec<u8>> {
    let mut blocks = Pem::iter_from_buffer(pem.as_bytes());
    let (Some(Ok(block)), None) = (blocks.next(), blocks.next()) else {
        return None;
    };
    (block.label == "CERTIFICATE" && parse_der(&block.contents).is_some()).then_some(block.contents)
}

/// A certificate and nothing after it.
pub(crate) fn parse_der(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

/// The certificate's only common name. Of several none is taken: which one counts would be anyone's guess.
pub(crate) fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    let mut names = certificate.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok(),
        _ => None,
    }
}
