//! Answers of the registry. Errors are the caller's own kind: the hub's, or what a dialect made of them.

use super::connection::ConnectionView;
use super::spec::ImportMode;
use crate::identity::{DeviceIdentity, IdentityId, ModuleIdentity};
use crate::symmetric_key::SymmetricKey;

/// A device as the registry shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView {
    /// The record.
    pub identity: DeviceIdentity,
    /// Its connection.
    pub connection: ConnectionView,
    /// Messages in its cloud-to-device queue.
    pub c2d_count: u32,
}

/// A module as the registry shows it; modules have no cloud-to-device queue.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleView {
    /// The record.
    pub identity: ModuleIdentity,
    /// Its connection.
    pub connection: ConnectionView,
}

/// What became of a bulk call. Items are independent: some may have succeeded beside errors.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkResult<E> {
    /// Items that failed, in the order of the call.
    pub errors: Vec<BulkError<E>>,
    /// Devices whose identity was written but whose twin was not, with the reason.
    pub warnings: Vec<(IdentityId, E)>,
}

/// An item of a bulk call that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkError<E> {
    /// Which.
    pub id: IdentityId,
    /// Why.
    pub error: E,
    /// What was asked for.
    pub operation: ImportMode,
}

impl<E> BulkResult<E> {
    /// Did every item succeed?
    pub fn is_successful(&self) -> bool {
        self.errors.is_empty()
    }
}

impl<E> Default for BulkResult<E> {
    fn default() -> Self {
        Self {
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl<E> Default for RegenerateResult<E> {
    fn default() -> Self {
        Self {
            rotated: Vec::new(),
            errors: Vec::new(),
        }
    }
}

/// What became of a key regeneration.
#[derive(Debug, Clone, PartialEq)]
pub struct RegenerateResult<E> {
    /// New keys, in the order of the call.
    pub rotated: Vec<RotatedKeys>,
    /// Identities whose keys stay, with the reason.
    pub errors: Vec<(IdentityId, E)>,
}

/// The keys of one identity that are new; the others are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct RotatedKeys {
    /// Whose.
    pub id: IdentityId,
    /// The new primary key.
    pub primary: Option<SymmetricKey>,
    /// The new secondary key.
    pub secondary: Option<SymmetricKey>,
}

/// How many devices there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceStatistics {
    /// All.
    pub total: u64,
    /// Those that may connect.
    pub enabled: u64,
    /// Those that may not.
    pub disabled: u64,
}

impl<E> BulkResult<E> {
    /// The same with another kind of errors.
    pub fn map_errors<F>(self, mut error: impl FnMut(E) -> F) -> BulkResult<F> {
        let failures = self.errors.into_iter().map(|failed| BulkError {
            id: failed.id,
            error: error(failed.error),
            operation: failed.operation,
        });
        let errors = failures.collect();
        BulkResult {
            errors,
            warnings: self
                .warnings
                .into_iter()
                .map(|(id, warning)| (id, error(warning)))
                .collect(),
        }
    }
}

impl<E> RegenerateResult<E> {
    /// The same with another kind of errors.
    pub fn map_errors<F>(self, mut error: impl FnMut(E) -> F) -> RegenerateResult<F> {
        RegenerateResult {
            rotated: self.rotated,
            errors: self
                .errors
                .into_iter()
                .map(|(id, failed)| (id, error(failed)))
                .collect(),
        }
    }
}
