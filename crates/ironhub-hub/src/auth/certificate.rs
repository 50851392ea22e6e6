//! X.509 certificates of devices (Azure docs: "Authenticate identities with X.509 certificates").
//!
//! That the peer holds the private key has been proved by TLS; here is checked whom the certificate is for and who
//! vouches for it. There are no revocation lists: an operator disables or deletes the identity.

use std::sync::Arc;

use ironhub_model::limits::CERTIFICATE_CHAIN_MAX;
use ironhub_model::{IdentityId, Thumbprint, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::time::ASN1Time;

use crate::error::Unauthorized;
use crate::settings::authority::{Authority, common_name, parse_der};

/// Checks a self-signed identity's certificate: it has one of the thumbprints and is within its validity.
pub(super) fn has_thumbprint<'t>(
    leaf_der: &[u8],
    registered: impl IntoIterator<Item = &'t Thumbprint>,
    now: Timestamp,
) -> Result<&'t Thumbprint, Unauthorized> {
    let mut registered = registered.into_iter();
    let known = registered.find(|thumbprint| thumbprint.matches(leaf_der));
    let known = known.ok_or(Unauthorized::UnknownThumbprint)?;
    let leaf = parse_der(leaf_der).ok_or(Unauthorized::MalformedCertificate)?;
    if !is_valid_at(&leaf, now) {
        return Err(Unauthorized::ExpiredCertificate);
    }
    Ok(known)
}

/// Checks a certificate that an authority signed: the leaf names the identity, and a chain of the certificates that the
/// peer presented leads to one of the hub's authorities, all within their validity. The authority may itself be an
/// intermediate one. Returns which it is.
pub(super) fn is_vouched_for(
    presented_der: &[&[u8]],
    id: &IdentityId,
    authorities: &[Authority],
    now: Timestamp,
) -> Result<Arc<[u8]>, Unauthorized> {
    let mut presented = presented_der
        .iter()
        .take(CERTIFICATE_CHAIN_MAX)
        .map(|der| parse_der(der));
    let leaf = presented.next().flatten().ok_or(Unauthorized::MalformedCertificate)?;
    if common_name(&leaf) != Some(id.to_string().as_str()) {
        return Err(Unauthorized::WrongCommonName);
    }
    if !is_valid_at(&leaf, now) {
        return Err(Unauthorized::ExpiredCertificate);
    }
    // What cannot be read cannot be part of the chain, and need not be.
    let mut unused: Vec<X509Certificate<'_>> = presented.flatten().collect();
    let mut subject = leaf;
    for authorities_below in 0_u32.. {
        if let Some(found) = issuer_among(authorities, &subject, authorities_below, now) {
            return Ok(found);
        }
        let issuer = unused
            .iter()
            .position(|candidate| is_issuer(candidate, &subject, now) && may_issue(candidate, authorities_below));
        subject = unused.swap_remove(issuer.ok_or(Unauthorized::UntrustedIssuer)?);
    }
    Err(Unauthorized::UntrustedIssuer)
}

/// The hub's authority that signed this certificate. An operator vouches for it, so that it need not say itself that it
/// is one; what it says about the length of chains holds.
fn issuer_among(
    authorities: &[Authority],
    subject: &X509Certificate<'_>,
    authorities_below: u32,
    now: Timestamp,
) -> Option<Arc<[u8]>> {
    let mut candidates = authorities.iter();
    let issuer = candidates.find(|authority| {
        parse_der(&authority.der).is_some_and(|certificate| {
            is_issuer(&certificate, subject, now) && allows_length(&certificate, authorities_below)
        })
    });
    issuer.map(|authority| Arc::clone(&authority.der))
}

fn is_issuer(issuer: &X509Certificate<'_>, subject: &X509Certificate<'_>, now: Timestamp) -> bool {
    issuer.subject().as_raw() == subject.issuer().as_raw()
        && is_valid_at(issuer, now)
        && subject.verify_signature(Some(issuer.public_key())).is_ok()
}

/// May this presented certificate issue others? RFC 5280 §4.2.1.9, §4.2.1.3; and it has no critical extension that
/// is not looked at here (§4.2).
fn may_issue(certificate: &X509Certificate<'_>, authorities_below: u32) -> bool {
    let is_authority = matches!(certificate.basic_constraints(), Ok(Some(basic)) if basic.value.ca);
    let may_sign = match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    let is_understood = certificate.extensions().iter().all(|extension| {
        !extension.critical
            || matches!(
                extension.parsed_extension(),
                ParsedExtension::BasicConstraints(_)
                    | ParsedExtension::KeyUsage(_)
                    | ParsedExtension::ExtendedKeyUsage(_)
                    | ParsedExtension::SubjectAlternativeName(_)
            )
    });
    is_authority && may_sign && is_understood && allows_length(certificate, authorities_below)
}

/// At most so many authorities may stand between this one and the leaf.
fn allows_length(certificate: &X509Certificate<'_>, authorities_below: u32) -> bool {
    match certificate.basic_constraints() {
        Ok(Some(basic)) => basic
            .value
            .path_len_constraint
            .is_none_or(|max| authorities_below <= max),
        Ok(None) => true,
        Err(_) => false,
    }
}

fn is_valid_at(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    ASN1Time::from_timestamp(now.as_secs()).is_ok_and(|now| certificate.validity().is_valid_at(now))
}
