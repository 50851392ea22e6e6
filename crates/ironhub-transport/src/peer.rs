//! Who is at the other end of a connection, before it has said so.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::listener::Admission;

/// The other end. In HTTP handlers it is a request extension.
#[derive(Debug, Clone)]
pub struct Peer {
    address: SocketAddr,
    certificates: Arc<[CertificateDer<'static>]>,
    admission: Arc<Admission>,
}

impl Peer {
    pub(crate) fn new(
        address: SocketAddr,
        certificates: Option<&[CertificateDer<'static>]>,
        admission: Arc<Admission>,
    ) -> Self {
        Self {
            address,
            certificates: certificates.unwrap_or_default().into(),
            admission,
        }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificates that it presented, its own first, each as DER; none without TLS. TLS has proved that it holds
    /// the key of the first, and nothing else: names, validity and issuer are the hub's to judge.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.certificates.iter().map(AsRef::as_ref).collect()
    }

    /// The peer has proved who it is: from now on it counts no longer among the strangers of its address.
    pub fn authenticated(&self) {
        self.admission.authenticated();
    }
}
