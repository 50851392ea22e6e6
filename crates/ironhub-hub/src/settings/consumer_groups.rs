//! Consumer groups one by one: entries of the settings that need nobody to send all the others back.

use ironhub_model::settings::{Declared, SettingName};
use ironhub_model::{ConsumerGroup, HubSettings};

use super::{Settings, validate};
use crate::error::HubError;
use crate::ports::{Commit, Ports};
use crate::store::settings::SettingsDocument;

/// What an addition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    Created,
    /// It was there, perhaps in another letter case, and stays as it is.
    Existed,
}

impl<P: Ports> Settings<P> {
    /// Makes a consumer group that exists at once.
    pub async fn add_consumer_group(&self, name: &str) -> Result<Added, HubError> {
        let group = ConsumerGroup::parse(name)
            .map_err(|expected| HubError::InvalidArgument(format!("consumerGroups: {name}: {expected}")))?;
        let (settings, _) = self.get().await?;
        if has(&settings, &group) {
            return Ok(Added::Existed);
        }
        let decide = move |old: &SettingsDocument| {
            let mut settings = old.settings.clone();
            if !has(&settings, &group) {
                settings.consumer_groups.push(group.clone());
            }
            validate::settings(&settings)?;
            Ok((settings, Commit::new()))
        };
        self.change(decide).await.map(|_| Added::Created)
    }

    /// Removes a consumer group, which ends its readers. `$Default` stays, and so do those that the configuration
    /// declares.
    pub async fn remove_consumer_group(&self, name: &str) -> Result<(), HubError> {
        if name.eq_ignore_ascii_case(ConsumerGroup::DEFAULT) {
            let text = format!("consumerGroups: {name}: it always exists");
            return Err(HubError::InvalidArgument(text));
        }
        let name = name.to_owned();
        let decide = move |old: &SettingsDocument| {
            let mut settings = old.settings.clone();
            settings.consumer_groups.retain(|group| !group.is_named(&name));
            if settings.consumer_groups.len() == old.settings.consumer_groups.len() {
                return Err(HubError::ConsumerGroupNotFound(name.clone()));
            }
            Ok((settings, Commit::new()))
        };
        self.change(decide).await.map(drop)
    }

    /// All groups, `$Default` first, each with where the configuration declares it.
    pub fn consumer_groups(&self) -> Vec<(ConsumerGroup, Option<String>)> {
        let (settings, declared) = (self.current(), self.declared());
        let default = ConsumerGroup::parse(ConsumerGroup::DEFAULT).ok();
        let all = default.into_iter().chain(settings.consumer_groups.iter().cloned());
        all.map(|group| {
            let by = declared_by(&declared, &group);
            (group, by)
        })
        .collect()
    }
}

fn has(settings: &HubSettings, group: &ConsumerGroup) -> bool {
    group.is_named(ConsumerGroup::DEFAULT) || settings.consumer_groups.contains(group)
}

fn declared_by(declared: &[Declared], group: &ConsumerGroup) -> Option<String> {
    let is_it = |declared: &&Declared| declared.setting == SettingName::ConsumerGroups(group.clone());
    declared.iter().find(is_it).map(|declared| declared.by.clone())
}
