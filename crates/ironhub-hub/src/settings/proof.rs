//! Proof that an operator owns the authority that they uploaded (Azure docs: "Tutorial: Create and upload certificates
//! for testing", verification by a certificate that names a code).

use ironhub_model::settings::CaCertificate;

use super::authority::{common_name, der_of, parse_der};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Ports};
use crate::random;
use crate::store;
use crate::store::settings::AuthorityProof;

/// Gives out a fresh code for an uploaded authority; an older code is void.
pub(super) async fn begin<P: Ports>(core: &Core<P>, name: &str) -> Result<String, HubError> {
    let certificate = uploaded(core, name)?;
    let proof = AuthorityProof {
        code: random::hex_code()?,
        pem: certificate.pem,
    };
    core.commit(Commit::new().put_proof(name, &proof)?).await?;
    Ok(proof.code)
}

/// Checks a certificate against the code that was given out.
pub(super) async fn check<P: Ports>(core: &Core<P>, name: &str, leaf_pem: &str) -> Result<AuthorityProof, HubError> {
    let certificate = uploaded(core, name)?;
    let proof = store::settings::load_proof(&core.state, name).await?;
    let proof = proof.filter(|proof| proof.pem == certificate.pem).ok_or_else(|| {
        HubError::InvalidArgument(format!("no verification code was generated for the certificate {name}"))
    })?;
    let invalid = |why: &str| HubError::InvalidArgument(format!("the verification certificate {why}"));
    let leaf = der_of(leaf_pem).ok_or_else(|| invalid("is not one PEM certificate"))?;
    let authority = der_of(&certificate.pem).ok_or_else(|| unknown(name))?;
    let (Some(leaf), Some(authority)) = (parse_der(&leaf), parse_der(&authority)) else {
        return Err(invalid("cannot be read"));
    };
    if common_name(&leaf) != Some(proof.code.as_str()) {
        return Err(invalid("does not have the verification code as its common name"));
    }
    if leaf.verify_signature(Some(authority.public_key())).is_err() {
        return Err(invalid("is not signed by the authority"));
    }
    Ok(proof)
}

pub(super) fn unknown(name: &str) -> HubError {
    HubError::InvalidArgument(format!("there is no CA certificate named {name}"))
}

fn uploaded<P: Ports>(core: &Core<P>, name: &str) -> Result<CaCertificate, HubError> {
    let settings = core.settings.current();
    let mut certificates = settings.ca_certificates.iter();
    let own = certificates.find(|certificate| certificate.name == name);
    own.cloned().ok_or_else(|| unknown(name))
}
