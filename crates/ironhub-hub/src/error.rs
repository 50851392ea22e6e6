//! What can go wrong in the hub, in its own words. How each is said on a wire is one table in the transport.

use std::time::Duration;

use ironhub_model::{DeviceId, IdentityId, ModuleId};

use crate::ports::{BusError, CommitError, LogError, StoreError, SubmitError};

/// Why an operation did not happen. Nothing of it was done, unless the variant says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The caller did not prove who it is, or may not do this. The reason is for logs and metrics; peers are told
    /// nothing but that they are not authorized.
    #[error("unauthorized: {0}")]
    Unauthorized(#[from] Unauthorized),
    /// No such device.
    #[error("the device {0} is not registered")]
    DeviceNotFound(DeviceId),
    /// No such module; its device exists.
    #[error("the module {0} is not registered")]
    ModuleNotFound(IdentityId),
    /// A device with this ID exists.
    #[error("a device with ID {0} is already registered")]
    DeviceAlreadyExists(DeviceId),
    /// A module with this ID exists on the device.
    #[error("a module with ID {0} is already registered")]
    ModuleAlreadyExists(IdentityId),
    /// The device proved itself, but an operator has disabled it.
    #[error("the device {0} is disabled")]
    DeviceDisabled(DeviceId),
    /// A value is out of its bounds; the text names it.
    #[error("{0}")]
    InvalidArgument(String),
    /// A required value is missing; the text names it.
    #[error("{0} is required")]
    ArgumentNull(String),
    /// A value has the wrong form: a key that is no base64, a body that is no JSON.
    #[error("{0}")]
    Malformed(String),
    /// The ETag or version that the caller expects is not the current one.
    #[error("the precondition failed: the ETag in the request is not the current one")]
    PreconditionFailed,
    /// The device has all the modules it may have.
    #[error("the device has the largest number of modules already")]
    TooManyModules,
    /// Too many items in one call, or the hub holds all the identities it may hold.
    #[error("too many devices")]
    TooManyDevices,
    /// One call names the same identity twice.
    #[error("{0} is named more than once")]
    DefinedMultipleTimes(String),
    /// System modules of IoT Edge belong to their device.
    #[error("the system module {0} cannot be created, changed or deleted by itself")]
    SystemModule(ModuleId),
    /// The scope belongs to no registered edge device.
    #[error("the device scope {0} is not known")]
    InvalidScope(String),
    /// A message, payload or body is over its limit.
    #[error("the message is larger than {bytes_max} bytes")]
    MessageTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The device's cloud-to-device queue holds all it may hold.
    #[error("the queue of the device {0} is full")]
    QueueFull(DeviceId),
    /// The expiry of a message lies in the past or too far ahead.
    #[error("the expiry time of the message is not valid")]
    InvalidExpiry,
    /// The lock on a message has ended, or never was.
    #[error("the lock on the message is lost")]
    LockLost,
    /// The device is not connected, or does not listen for methods.
    #[error("the device is not online")]
    NotOnline {
        /// How long the call waited for it.
        connect_timeout: Duration,
    },
    /// The device did not answer in time.
    #[error("the device did not answer within {} s", timeout.as_secs())]
    MethodTimedOut {
        /// How long the call waited.
        timeout: Duration,
    },
    /// The device's connection ended before its answer.
    #[error("the connection of the device ended")]
    Disconnected,
    /// Too many calls are in flight to one device.
    #[error("too many calls are in flight to the device")]
    TooManyInFlight,
    /// The device's answer to a method is not JSON.
    #[error("the answer of the device is not JSON")]
    InvalidMethodResponse,
    /// The query cannot be understood; the text says why and where.
    #[error("{0}")]
    QueryInvalid(String),
    /// No such consumer group.
    #[error("the consumer group {0} does not exist")]
    ConsumerGroupNotFound(String),
    /// No such partition.
    #[error("the partition does not exist")]
    PartitionNotFound,
    /// Not now: storage has no room or contention is too high. Asking again later helps.
    #[error("the hub is busy")]
    Busy,
    /// The caller goes too fast.
    #[error("throttled")]
    Throttled,
    /// The hub is stopping; whether a write that was under way took place is not known.
    #[error("the hub is shutting down")]
    ShuttingDown,
    /// A defect or damaged storage; the text is for the operator.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a caller was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unauthorized {
    /// Neither a token nor a certificate.
    #[error("no credentials")]
    NoCredentials,
    /// The token cannot be read.
    #[error("malformed token")]
    MalformedToken,
    /// The token's time is over.
    #[error("expired token")]
    ExpiredToken,
    /// The token is for another host.
    #[error("token for another host")]
    WrongHost,
    /// The token's resource does not cover what is asked for.
    #[error("token for another resource")]
    WrongResource,
    /// No such policy.
    #[error("unknown policy")]
    UnknownPolicy,
    /// The policy lacks the right.
    #[error("missing permission")]
    MissingPermission,
    /// Neither key made the signature.
    #[error("wrong signature")]
    WrongSignature,
    /// No such identity; said like any other refusal.
    #[error("unknown identity")]
    UnknownIdentity,
    /// The identity proves itself by another kind of credentials.
    #[error("wrong kind of credentials")]
    WrongKind,
    /// An operator has turned such tokens off.
    #[error("tokens of this kind are turned off")]
    TokensDisabled,
    /// The certificate cannot be read.
    #[error("malformed certificate")]
    MalformedCertificate,
    /// The certificate is not valid yet, or no longer.
    #[error("certificate outside its validity")]
    ExpiredCertificate,
    /// Neither registered thumbprint is the certificate's.
    #[error("unknown thumbprint")]
    UnknownThumbprint,
    /// The certificate's common name is not the identity's.
    #[error("certificate for another name")]
    WrongCommonName,
    /// No chain leads from the certificate to a verified authority of the hub.
    #[error("untrusted issuer")]
    UntrustedIssuer,
    /// The credentials were good when the connection began and are no longer.
    #[error("revoked")]
    Revoked,
}

impl Unauthorized {
    /// A label for metrics: one lowercase word per reason.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::MalformedToken => "malformed_token",
            Self::ExpiredToken => "expired_token",
            Self::WrongHost => "wrong_host",
            Self::WrongResource => "wrong_resource",
            Self::UnknownPolicy => "unknown_policy",
            Self::MissingPermission => "missing_permission",
            Self::WrongSignature => "wrong_signature",
            Self::UnknownIdentity => "unknown_identity",
            Self::WrongKind => "wrong_kind",
            Self::TokensDisabled => "tokens_disabled",
            Self::MalformedCertificate => "malformed_certificate",
            Self::ExpiredCertificate => "expired_certificate",
            Self::UnknownThumbprint => "unknown_thumbprint",
            Self::WrongCommonName => "wrong_common_name",
            Self::UntrustedIssuer => "untrusted_issuer",
            Self::Revoked => "revoked",
        }
    }
}

impl HubError {
    /// The identity, device or module, is not registered.
    pub(crate) fn not_found(id: &IdentityId) -> Self {
        match id.module {
            None => Self::DeviceNotFound(id.device.clone()),
            Some(_) => Self::ModuleNotFound(id.clone()),
        }
    }

    /// Stored JSON does not parse: damage, or a newer version's data.
    pub(crate) fn damaged(what: &str, error: &serde_json::Error) -> Self {
        Self::Internal(format!("the stored {what} cannot be read: {error}"))
    }
}

impl From<StoreError> for HubError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace(_) => Self::Busy,
            StoreError::Damaged(text) => Self::Internal(text),
            StoreError::Stopped => Self::ShuttingDown,
        }
    }
}

impl From<CommitError> for HubError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(_) => Self::Busy,
            CommitError::NoMail(_) | CommitError::MailboxFull(_) => Self::Internal(error.to_string()),
            CommitError::Store(error) => error.into(),
        }
    }
}

impl From<LogError> for HubError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NoPartition(_) => Self::PartitionNotFound,
            LogError::Damaged(text) => Self::Internal(text),
            LogError::Stopped => Self::ShuttingDown,
        }
    }
}

impl From<SubmitError> for HubError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Full => Self::Busy,
            SubmitError::TooLarge { .. } => Self::Internal(error.to_string()),
            SubmitError::NoPartition(_) => Self::PartitionNotFound,
            SubmitError::Stopped => Self::ShuttingDown,
        }
    }
}

impl From<BusError> for HubError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::NoNode | BusError::TimedOut => Self::Busy,
        }
    }
}
