//! Error conditions of Microsoft's own, beside the standard's in [`ironhub_amqp::performative::condition`].
//!
//! The SDKs turn each into an exception of their own: `Azure/azure-iot-sdk-node`, `amqp_common_errors.ts`;
//! `Azure/azure-sdk-for-js`, `core-amqp/src/errors.ts`; `Azure/azure-iot-sdk-csharp`, `AmqpIotErrorAdapter.cs`.

/// A value is wrong.
pub const ARGUMENT_ERROR: &str = "com.microsoft:argument-error";
/// A value is beyond what exists: a partition that the event hub does not have.
pub const ARGUMENT_OUT_OF_RANGE: &str = "com.microsoft:argument-out-of-range";
/// The lock on a message or feedback batch was lost before it was settled.
pub const MESSAGE_LOCK_LOST: &str = "com.microsoft:message-lock-lost";
