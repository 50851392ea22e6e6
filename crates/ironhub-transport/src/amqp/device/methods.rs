//! Direct methods: calls to the device and its answers.
