//! Certificates of devices and modules.

use ironhub_hub::auth::X509Issuer;
use ironhub_hub::{AuthKind, HubError};
use ironhub_model::registry::{AuthenticationSpec, DeviceSpec, ModuleSpec, Precondition};
use ironhub_model::{AuthenticationType, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::harness::{HOST, NOW_S, Stage, check, device_id, id, key, own_token};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A certificate's parameters: its common name, and valid for the years 2025 to 2026.
fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority_params(common_name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut params = params(common_name);
    let constraints = path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(common_name: &str) -> Issuer {
    CertifiedIssuer::self_signed(authority_params(common_name, None), KeyPair::generate().unwrap()).unwrap()
}

fn below(issuer: &Issuer, params: CertificateParams) -> Issuer {
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

fn leaf(issuer: &Issuer, params: &CertificateParams) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, issuer).unwrap().der().to_vec()
}

fn alone(params: &CertificateParams) -> Vec<u8> {
    params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .to_vec()
}

fn hex(algorithm: &'static ring::digest::Algorithm, der: &[u8]) -> String {
    let digest = ring::digest::digest(algorithm, der);
    let hex = format!("{:02X?}", digest.as_ref());
    hex.chars().filter(char::is_ascii_hexdigit).collect()
}

async fn present(stage: &Stage, name: &str, chain: &[&[u8]]) -> Result<AuthKind, HubError> {
    let principal = stage.hub.auth.connect_device(&id(name), HOST, None, chain).await?;
    assert_eq!(principal.expires_at, None);
    Ok(principal.kind)
}

async fn put(stage: &Stage, name: &str, authentication: AuthenticationSpec) {
    let registry = &stage.hub.registry;
    match id(name).module {
        None => {
            let mut spec = DeviceSpec::new(device_id(name));
            spec.authentication = authentication;
            registry.put_device(spec, Precondition::None).await.map(drop)
        }
        Some(module) => {
            let mut spec = ModuleSpec::new(id(name).device, module);
            spec.authentication = authentication;
            registry.put_module(spec, Precondition::None).await.map(drop)
        }
    }
    .unwrap();
}

fn by_authority() -> AuthenticationSpec {
    AuthenticationSpec {
        kind: Some(AuthenticationType::CertificateAuthority),
        ..AuthenticationSpec::default()
    }
}

#[tokio::test]
async fn thumbprints_of_either_hash_in_either_place() {
    let stage = Stage::new().await;
    let der = alone(&params("whatever"));
    let other = alone(&params("whatever"));
    let sha1 = hex(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
    let sha256 = hex(&ring::digest::SHA256, &der);
    for (name, primary, secondary) in [
        ("a", Some(sha1.clone()), None),
        ("b", None, Some(sha1.to_lowercase())),
        ("c", Some(sha256.clone()), None),
        ("e", Some("0".repeat(64)), Some(sha256)),
    ] {
        let authentication = AuthenticationSpec {
            primary_thumbprint: primary,
            secondary_thumbprint: secondary,
            ..AuthenticationSpec::default()
        };
        put(&stage, name, authentication).await;
        let kind = present(&stage, name, &[&der]).await;
        let issuer = X509Issuer::SelfSigned;
        assert_eq!(kind, Ok(AuthKind::X509 { issuer }), "{name}");
        check(
            name,
            present(&stage, name, &[&other]).await,
            "Unauthorized(UnknownThumbprint)",
        );
        check(name, present(&stage, name, &[]).await, "Unauthorized(NoCredentials)");
    }
    let token = own_token(&id("a"), &key(1), NOW_S + 60);
    let by_token = stage
        .hub
        .auth
        .connect_device(&id("a"), HOST, Some(&token), &[&der])
        .await;
    check("a token instead", by_token, "Unauthorized(WrongKind)");
    stage.device("keys").await;
    check(
        "keys instead",
        present(&stage, "keys", &[&der]).await,
        "Unauthorized(WrongKind)",
    );
    check(
        "unknown",
        present(&stage, "nobody", &[&der]).await,
        "Unauthorized(UnknownIdentity)",
    );
    stage.clock.set(Timestamp::parse("2027-01-02T00:00:00Z").unwrap());
    check(
        "expired",
        present(&stage, "a", &[&der]).await,
        "Unauthorized(ExpiredCertificate)",
    );
    stage.clock.set(Timestamp::parse("2024-12-31T00:00:00Z").unwrap());
    check(
        "too early",
        present(&stage, "a", &[&der]).await,
        "Unauthorized(ExpiredCertificate)",
    );
}

#[tokio::test]
async fn what_is_no_certificate_is_refused() {
    let stage = Stage::new().await;
    let authority = root("Root");
    stage
        .hub
        .settings
        .add_ca_certificate("root", &authority.pem(), true)
        .await
        .unwrap();
    put(&stage, "d", by_authority()).await;
    let der = leaf(&authority, &params("d"));
    check("whole", present(&stage, "d", &[&der]).await, "Ok");
    for length in 0..der.len() {
        let outcome = present(&stage, "d", &[&der[..length]]).await;
        check(
            &format!("cut at {length}"),
            outcome,
            "Unauthorized(MalformedCertificate)",
        );
    }
    let mut longer = der.clone();
    longer.push(0);
    check(
        "longer",
        present(&stage, "d", &[&longer]).await,
        "Unauthorized(MalformedCertificate)",
    );
    // Of what is outside the signed part only the form is left to check.
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let part: &[u8] = certificate.tbs_certificate.as_ref();
    let begin = der.windows(part.len()).position(|window| window == part).unwrap();
    let signed = begin..begin + part.len();
    for position in 0..der.len() {
        let mut flipped = der.clone();
        flipped[position] ^= 0x20;
        let outcome = present(&stage, "d", &[&flipped]).await;
        let is_refused = outcome.is_err() || !signed.contains(&position);
        assert!(is_refused, "a flipped bit at {position} must not pass");
    }
}

#[tokio::test]
async fn a_chain_leads_to_a_verified_authority() {
    let stage = Stage::new().await;
    let top = root("Root");
    let middle = below(&top, authority_params("Middle", None));
    let low = below(&middle, authority_params("Low", Some(0)));
    let too_low = below(&low, authority_params("Too low", None));
    let no_authority = below(&top, params("d"));
    let unverified = root("Unverified");
    // The same name as the root's, another key.
    let impostor = root("Root");
    let settings = &stage.hub.settings;
    settings.add_ca_certificate("root", &top.pem(), true).await.unwrap();
    settings
        .add_ca_certificate("unverified", &unverified.pem(), false)
        .await
        .unwrap();
    put(&stage, "d", by_authority()).await;
    put(&stage, "d/m", by_authority()).await;
    let own = params("d");
    let mut old = params("d");
    old.not_after = date_time_ymd(2025, 6, 1);
    let mut two_names = params("d");
    two_names.distinguished_name.push(DnType::OrganizationName, "d");
    let (middle, low_der) = (&middle, low.der().to_vec());
    let middle_der = middle.der().to_vec();
    let root_der = top.der().to_vec();
    let cases: Vec<(&str, &str, Vec<Vec<u8>>, &str)> = vec![
        ("by the root", "d", vec![leaf(&top, &own)], "Ok"),
        ("a module", "d/m", vec![leaf(&top, &params("d/m"))], "Ok"),
        (
            "the device's for the module",
            "d/m",
            vec![leaf(&top, &own)],
            "Unauthorized(WrongCommonName)",
        ),
        (
            "another letter case",
            "d",
            vec![leaf(&top, &params("D"))],
            "Unauthorized(WrongCommonName)",
        ),
        (
            "no name",
            "d",
            vec![leaf(&top, &params(""))],
            "Unauthorized(WrongCommonName)",
        ),
        ("with its organization", "d", vec![leaf(&top, &two_names)], "Ok"),
        ("with the root presented", "d", vec![leaf(&top, &own), root_der], "Ok"),
        (
            "by one between",
            "d",
            vec![leaf(middle, &own), middle_der.clone()],
            "Ok",
        ),
        (
            "by two between",
            "d",
            vec![leaf(&low, &own), low_der.clone(), middle_der.clone()],
            "Ok",
        ),
        (
            "in any order",
            "d",
            vec![leaf(&low, &own), middle_der.clone(), low_der.clone()],
            "Ok",
        ),
        (
            "with rubbish between",
            "d",
            vec![leaf(middle, &own), vec![1, 2, 3], middle_der.clone()],
            "Ok",
        ),
        (
            "a gap",
            "d",
            vec![leaf(&low, &own), low_der.clone()],
            "Unauthorized(UntrustedIssuer)",
        ),
        (
            "nothing between",
            "d",
            vec![leaf(middle, &own)],
            "Unauthorized(UntrustedIssuer)",
        ),
        (
            "beyond the length of a path",
            "d",
            vec![
                leaf(&too_low, &own),
                too_low.der().to_vec(),
                low_der.clone(),
                middle_der.clone(),
            ],
            "Unauthorized(UntrustedIssuer)",
        ),
        (
            "by a certificate that may not sign",
            "d",
            vec![leaf(&no_authority, &own), no_authority.der().to_vec()],
            "Unauthorized(UntrustedIssuer)",
        ),
        (
            "expired",
            "d",
            vec![leaf(&top, &old)],
            "Unauthorized(ExpiredCertificate)",
        ),
        (
            "by an unverified one",
            "d",
            vec![leaf(&unverified, &own)],
            "Unauthorized(UntrustedIssuer)",
        ),
        (
            "by an impostor",
            "d",
            vec![leaf(&impostor, &own)],
            "Unauthorized(UntrustedIssuer)",
        ),
        ("by itself", "d", vec![alone(&own)], "Unauthorized(UntrustedIssuer)"),
    ];
    for (what, name, chain, expected) in cases {
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        check(what, present(&stage, name, &chain).await, expected);
    }
    let many: Vec<Vec<u8>> = (0..20).map(|_| low_der.clone()).collect();
    let mut chain = vec![leaf(&low, &own)];
    chain.extend(many);
    chain.push(middle_der);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    check(
        "too many to look at",
        present(&stage, "d", &chain).await,
        "Unauthorized(UntrustedIssuer)",
    );
}

#[tokio::test]
async fn a_registered_authority_may_be_an_intermediate_one() {
    let stage = Stage::new().await;
    let top = root("Root");
    let middle = below(&top, authority_params("Middle", None));
    stage
        .hub
        .settings
        .add_ca_certificate("middle", &middle.pem(), true)
        .await
        .unwrap();
    put(&stage, "d", by_authority()).await;
    let der = leaf(&middle, &params("d"));
    check("its own", present(&stage, "d", &[&der]).await, "Ok");
    let der = leaf(&top, &params("d"));
    check(
        "its issuer's",
        present(&stage, "d", &[&der]).await,
        "Unauthorized(UntrustedIssuer)",
    );
    // Its time ends the trust in what it signed.
    stage.clock.set(Timestamp::parse("2027-01-02T00:00:00Z").unwrap());
    let mut long = params("d");
    long.not_after = date_time_ymd(2030, 1, 1);
    let der = leaf(&middle, &long);
    check(
        "expired",
        present(&stage, "d", &[&der]).await,
        "Unauthorized(UntrustedIssuer)",
    );
}

#[tokio::test]
async fn an_authority_that_goes_takes_its_devices_along() {
    let stage = Stage::new().await;
    let top = root("Root");
    stage
        .hub
        .settings
        .add_ca_certificate("root", &top.pem(), true)
        .await
        .unwrap();
    put(&stage, "d", by_authority()).await;
    let der = leaf(&top, &params("d"));
    let principal = stage
        .hub
        .auth
        .connect_device(&id("d"), HOST, None, &[&der])
        .await
        .unwrap();
    check("while it is there", stage.hub.auth.recheck(&principal).await, "Ok");
    let mut settings = (*stage.hub.settings.current()).clone();
    settings.ca_certificates.clear();
    stage.hub.settings.replace(settings, Precondition::Any).await.unwrap();
    check(
        "gone",
        stage.hub.auth.recheck(&principal).await,
        "Unauthorized(Revoked)",
    );
    check(
        "gone",
        present(&stage, "d", &[&der]).await,
        "Unauthorized(UntrustedIssuer)",
    );
}

#[tokio::test]
async fn possession_is_proved_by_a_certificate_with_the_code() {
    let stage = Stage::new().await;
    let top = root("Root");
    let settings = &stage.hub.settings;
    settings.add_ca_certificate("root", &top.pem(), false).await.unwrap();
    put(&stage, "d", by_authority()).await;
    let der = leaf(&top, &params("d"));
    check(
        "before",
        present(&stage, "d", &[&der]).await,
        "Unauthorized(UntrustedIssuer)",
    );

    let signed_by = |issuer: &Issuer, name: &str| {
        params(name)
            .signed_by(&KeyPair::generate().unwrap(), issuer)
            .unwrap()
            .pem()
    };
    let early = settings
        .verify_ca_certificate("root", &signed_by(&top, "x"))
        .await
        .unwrap_err();
    assert!(early.to_string().contains("no verification code"), "{early}");
    let first = settings.ca_verification_code("root").await.unwrap();
    let code = settings.ca_verification_code("root").await.unwrap();
    assert_ne!(first, code);
    for (what, pem, expected) in [
        ("an older code", signed_by(&top, &first), "common name"),
        ("no certificate", "-----BEGIN".to_owned(), "not one PEM certificate"),
        (
            "two of them",
            format!("{0}{0}", signed_by(&top, &code)),
            "not one PEM certificate",
        ),
        (
            "another signer",
            signed_by(&root("Root"), &code),
            "not signed by the authority",
        ),
    ] {
        let error = settings.verify_ca_certificate("root", &pem).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
    settings
        .verify_ca_certificate("root", &signed_by(&top, &code))
        .await
        .unwrap();
    check("after", present(&stage, "d", &[&der]).await, "Ok");
    let again = settings
        .verify_ca_certificate("root", &signed_by(&top, &code))
        .await
        .unwrap_err();
    assert!(again.to_string().contains("no verification code"), "{again}");
    assert!(settings.ca_verification_code("other").await.is_err());
}
