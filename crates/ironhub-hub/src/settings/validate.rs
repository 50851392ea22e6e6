//! What settings may be. A mistake is told with its key, its value and what was expected.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use ironhub_model::limits::{
    C2D_DELIVERY_COUNT_MAX, C2D_LOCK_MAX, C2D_LOCK_MIN, C2D_QUEUE_MESSAGES_CONFIGURED_MAX, C2D_TTL_MAX, C2D_TTL_MIN,
    CA_CERTIFICATES_MAX, CONSUMER_GROUPS_MAX, NAME_CHARS_MAX, POLICIES_MAX, POLICY_NAME_CHARS_MAX, ROUTES_MAX,
    SAS_CLOCK_SKEW_MAX,
};
use ironhub_model::settings::C2dSettings;
use ironhub_model::{AccessPolicy, ConsumerGroup, HubSettings};

use super::authority::Authority;
use crate::error::HubError;

/// Checks everything that the types of the settings leave open; the first mistake is the error.
pub(super) fn settings(settings: &HubSettings) -> Result<(), HubError> {
    policies(&settings.policies)?;
    consumer_groups(&settings.consumer_groups)?;
    let routes = settings.routes.iter().map(|route| route.name.as_str());
    names("routes", routes, ROUTES_MAX)?;
    let authorities = settings.ca_certificates.iter();
    names(
        "caCertificates",
        authorities.map(|certificate| certificate.name.as_str()),
        CA_CERTIFICATES_MAX,
    )?;
    for (index, certificate) in settings.ca_certificates.iter().enumerate() {
        if Authority::parse(&certificate.pem).is_none() {
            return Err(invalid(
                &format!("caCertificates[{index}].pem"),
                "…",
                "exactly one X.509 certificate in PEM",
            ));
        }
    }
    c2d(&settings.c2d)?;
    within(
        "sasClockSkewS",
        settings.sas_clock_skew_s,
        0..=SAS_CLOCK_SKEW_MAX.as_secs(),
    )
}

fn policies(policies: &[AccessPolicy]) -> Result<(), HubError> {
    at_most("policies", policies.len(), POLICIES_MAX)?;
    let mut seen = HashSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let key = format!("policies[{index}].name");
        if !AccessPolicy::is_name(&policy.name) {
            let expected = format!("1 to {POLICY_NAME_CHARS_MAX} characters of A–Z a–z 0–9 _ - @ .");
            return Err(invalid(&key, &policy.name, &expected));
        }
        if !seen.insert(&policy.name) {
            return Err(invalid(&key, &policy.name, "a name that no other policy has"));
        }
    }
    Ok(())
}

fn consumer_groups(groups: &[ConsumerGroup]) -> Result<(), HubError> {
    // `$Default` always exists and counts.
    at_most("consumerGroups", groups.len(), CONSUMER_GROUPS_MAX - 1)?;
    let mut seen = HashSet::from([ConsumerGroup::DEFAULT.to_ascii_lowercase()]);
    for (index, group) in groups.iter().enumerate() {
        if !seen.insert(group.as_str().to_ascii_lowercase()) {
            let key = format!("consumerGroups[{index}]");
            return Err(invalid(
                &key,
                group.as_str(),
                "a name that no other group has, $Default included",
            ));
        }
    }
    Ok(())
}

fn names<'a>(key: &str, names: impl Iterator<Item = &'a str>, count_max: usize) -> Result<(), HubError> {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        at_most(key, index + 1, count_max)?;
        let key = format!("{key}[{index}].name");
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.chars().all(legal) {
            let expected = format!("1 to {NAME_CHARS_MAX} characters of A–Z a–z 0–9 - _ .");
            return Err(invalid(&key, name, &expected));
        }
        if !seen.insert(name) {
            return Err(invalid(&key, name, "a name that is not used twice"));
        }
    }
    Ok(())
}

fn c2d(c2d: &C2dSettings) -> Result<(), HubError> {
    let ttl = C2D_TTL_MIN.as_secs()..=C2D_TTL_MAX.as_secs();
    let lock = C2D_LOCK_MIN.as_secs()..=C2D_LOCK_MAX.as_secs();
    within(
        "c2d.queueMessagesMax",
        c2d.queue_messages_max,
        1..=C2D_QUEUE_MESSAGES_CONFIGURED_MAX,
    )?;
    within("c2d.defaultTtlS", c2d.default_ttl_s, ttl.clone())?;
    within(
        "c2d.maxDeliveryCount",
        c2d.max_delivery_count,
        1..=C2D_DELIVERY_COUNT_MAX,
    )?;
    within("c2d.lockDurationS", c2d.lock_duration_s, lock.clone())?;
    within("c2d.feedbackTtlS", c2d.feedback_ttl_s, ttl)?;
    within(
        "c2d.feedbackMaxDeliveryCount",
        c2d.feedback_max_delivery_count,
        1..=C2D_DELIVERY_COUNT_MAX,
    )?;
    within("c2d.feedbackLockDurationS", c2d.feedback_lock_duration_s, lock)
}

fn within<N: PartialOrd + Display>(key: &str, value: N, range: RangeInclusive<N>) -> Result<(), HubError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(key, value, &format!("{} to {}", range.start(), range.end())))
}

fn at_most(key: &str, count: usize, count_max: usize) -> Result<(), HubError> {
    if count <= count_max {
        return Ok(());
    }
    Err(invalid(
        key,
        format_args!("{count} entries"),
        &format!("at most {count_max}"),
    ))
}

fn invalid(key: &str, value: impl Display, expected: &str) -> HubError {
    HubError::InvalidArgument(format!("{key}: {value}: expected {expected}"))
}
