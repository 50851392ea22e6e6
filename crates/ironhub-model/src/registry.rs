//! What callers ask of the identity registry, and what it answers.

mod connection;
mod spec;
mod view;

pub use connection::{ConnectionState, ConnectionView};
pub use spec::{AuthenticationSpec, BulkItem, DeviceSpec, ImportMode, ModuleSpec};
pub use view::{BulkError, BulkResult, DeviceStatistics, DeviceView, ModuleView, RegenerateResult, RotatedKeys};

use crate::identity::Etag;

/// What the caller expects of the record that it writes: `If-Match` as data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing. Writing an identity means to create it.
    #[default]
    None,
    /// It exists, in whatever version.
    Any,
    /// It exists in one of these versions.
    Match(Vec<Etag>),
}

impl Precondition {
    /// Does a record with this ETag satisfy it?
    pub fn allows(&self, current: &Etag) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Match(expected) => expected.contains(current),
        }
    }
}

/// Which keys to generate anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChoice {
    /// `primaryKey`.
    Primary,
    /// `secondaryKey`.
    Secondary,
    /// `both`.
    Both,
}
