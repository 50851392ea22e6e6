//! Typed access to the documents in the state store; one file per feature.
