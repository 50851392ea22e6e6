//! `renew-key`: new keys for identities, of the hub's own making, or the two keys in each other's place.

use clap::ValueEnum;
use ironhub_client::{DeviceAuthentication, KeyChoice, ServiceClient, service::RegeneratedKeys};
use ironhub_model::IdentityId;
use serde_json::json;

use super::answer::Form;
use super::failure::Failure;
use super::table::Column;
use super::version::Version;

/// As many identities as the hub takes at once.
const IDENTITIES_PER_REQUEST: usize = 100;

const COLUMNS: &[Column] = &[("DeviceId", "/id"), ("ModuleId", "/moduleId"), ("Error", "/errorCode")];

/// `--key-type` of `renew-key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyType {
    Primary,
    Secondary,
    /// Both; whoever holds an old one is locked out.
    Both,
    /// Nothing is new: the first becomes the second and the second the first.
    Swap,
}

impl KeyType {
    /// Which keys the hub has to make up; none for a swap, which alone can be meant for one version of a record.
    pub(super) fn choice(self, version: &Version) -> Result<Option<KeyChoice>, Failure> {
        let choice = match self {
            Self::Primary => KeyChoice::Primary,
            Self::Secondary => KeyChoice::Secondary,
            Self::Both => KeyChoice::Both,
            Self::Swap => return Ok(None),
        };
        if version.is_any() {
            return Ok(Some(choice));
        }
        Err(Failure::usage(
            "--etag goes with --key-type swap: the hub makes up new keys whatever the record is",
        ))
    }
}

/// What a renewal of many keys has done, also when it failed in the middle.
pub(super) struct Renewal {
    choice: KeyChoice,
    keys: RegeneratedKeys,
    failure: Option<Failure>,
}

impl Renewal {
    pub(super) async fn of(service: &ServiceClient, ids: &[IdentityId], choice: KeyChoice) -> Self {
        let mut renewal = Self {
            choice,
            keys: RegeneratedKeys {
                rotated_keys: Vec::new(),
                errors: Vec::new(),
            },
            failure: None,
        };
        for batch in ids.chunks(IDENTITIES_PER_REQUEST) {
            match service.regenerate_keys(batch, choice).await {
                Ok(done) => {
                    renewal.keys.rotated_keys.extend(done.rotated_keys);
                    renewal.keys.errors.extend(done.errors);
                }
                Err(error) => {
                    renewal.failure = Some(error.into());
                    break;
                }
            }
        }
        renewal
    }

    /// Fails when any identity has kept its keys.
    pub(super) fn check(self) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.keys.errors.as_slice() {
            [] => Ok(()),
            [error] => Err(Failure::refused(format!(
                "{}: {}",
                error.error_code, error.error_status
            ))),
            errors => Err(Failure::refused(format!(
                "{} identities have kept their keys",
                errors.len()
            ))),
        }
    }

    /// Prints which identities have new keys and which have not, and fails as [`check`](Self::check) does.
    pub(super) fn print(self, form: Form) -> Result<(), Failure> {
        let renewed = self.keys.rotated_keys.iter().map(|keys| json!(keys));
        let all: Vec<_> = renewed
            .chain(self.keys.errors.iter().map(|error| json!(error)))
            .collect();
        let keys = &self.keys;
        let answer = json!({"policyKey": self.choice, "errors": keys.errors, "rotatedKeys": keys.rotated_keys});
        form.print_as(&answer, &all, COLUMNS)?;
        self.check()
    }
}

/// Puts the two keys in each other's place.
pub(super) fn swap(authentication: &mut DeviceAuthentication) -> Result<(), Failure> {
    let keys = authentication.symmetric_key.as_mut();
    let Some(keys) = keys.filter(|keys| keys.primary_key.is_some()) else {
        return Err(Failure::usage(
            "there are no keys to swap: it proves itself by certificate",
        ));
    };
    std::mem::swap(&mut keys.primary_key, &mut keys.secondary_key);
    Ok(())
}
