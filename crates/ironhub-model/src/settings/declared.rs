//! Settings that the configuration of the node fixes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::HubSettings;
use crate::event::ConsumerGroup;

/// An entry of the settings that the configuration declares: whoever wants it otherwise changes it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Which entry.
    #[serde(flatten)]
    pub setting: SettingName,
    /// Where it is declared, for people: a flag, a variable, or a key and its file.
    pub by: String,
}

/// The name of an entry of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "setting", content = "name")]
pub enum SettingName {
    /// The policy of this name.
    Policies(String),
    /// This group.
    ConsumerGroups(ConsumerGroup),
    /// The route of this name.
    Routes(String),
    /// [`HubSettings::fallback_route`].
    FallbackRoute,
    /// The authority of this name.
    CaCertificates(String),
    /// [`HubSettings::c2d`], as a whole.
    C2d,
    /// [`HubSettings::sas_clock_skew_s`].
    SasClockSkewS,
    /// [`HubSettings::disable_local_auth`].
    DisableLocalAuth,
    /// [`HubSettings::disable_device_sas`].
    #[serde(rename = "disableDeviceSAS")]
    DisableDeviceSas,
    /// [`HubSettings::disable_module_sas`].
    #[serde(rename = "disableModuleSAS")]
    DisableModuleSas,
}

impl SettingName {
    /// Do both say the same about this entry?
    pub fn is_same_in(&self, one: &HubSettings, other: &HubSettings) -> bool {
        match self {
            Self::Policies(name) => one.policy(name) == other.policy(name),
            Self::ConsumerGroups(group) => one.consumer_groups.contains(group) == other.consumer_groups.contains(group),
            Self::Routes(name) => {
                let of = |settings: &HubSettings| settings.routes.iter().find(|route| route.name == *name).cloned();
                of(one) == of(other)
            }
            Self::FallbackRoute => one.fallback_route == other.fallback_route,
            Self::CaCertificates(name) => {
                let of = |settings: &HubSettings| {
                    let mut certificates = settings.ca_certificates.iter();
                    certificates.find(|certificate| certificate.name == *name).cloned()
                };
                of(one) == of(other)
            }
            Self::C2d => one.c2d == other.c2d,
            Self::SasClockSkewS => one.sas_clock_skew_s == other.sas_clock_skew_s,
            Self::DisableLocalAuth => one.disable_local_auth == other.disable_local_auth,
            Self::DisableDeviceSas => one.disable_device_sas == other.disable_device_sas,
            Self::DisableModuleSas => one.disable_module_sas == other.disable_module_sas,
        }
    }
}

impl fmt::Display for SettingName {
    /// As the settings' JSON names it: `routes "twins"`, `c2d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policies(name) => write!(f, "policies {name:?}"),
            Self::ConsumerGroups(group) => write!(f, "consumerGroups {:?}", group.as_str()),
            Self::Routes(name) => write!(f, "routes {name:?}"),
            Self::FallbackRoute => f.write_str("fallbackRoute"),
            Self::CaCertificates(name) => write!(f, "caCertificates {name:?}"),
            Self::C2d => f.write_str("c2d"),
            Self::SasClockSkewS => f.write_str("sasClockSkewS"),
            Self::DisableLocalAuth => f.write_str("disableLocalAuth"),
            Self::DisableDeviceSas => f.write_str("disableDeviceSAS"),
            Self::DisableModuleSas => f.write_str("disableModuleSAS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventSource;
    use crate::settings::{C2dSettings, CaCertificate, Route};
    use crate::{AccessPolicy, Permissions, SymmetricKey};

    fn settings() -> HubSettings {
        let key = SymmetricKey::from_bytes(&[7; 16]).unwrap();
        let mut settings = HubSettings::with_policies(vec![AccessPolicy {
            name: "a".into(),
            permissions: Permissions::ALL,
            primary_key: key.clone(),
            secondary_key: key,
        }]);
        settings.consumer_groups = vec![ConsumerGroup::parse("a").unwrap()];
        settings.routes = vec![Route {
            name: "a".into(),
            source: EventSource::TwinChangeEvents,
            condition: true,
            is_enabled: true,
        }];
        settings.ca_certificates = vec![CaCertificate {
            name: "a".into(),
            pem: String::new(),
            is_verified: true,
        }];
        settings
    }

    /// Does a change of one entry show under its name, and under no other?
    #[track_caller]
    fn check(expected: &SettingName, change: impl FnOnce(&mut HubSettings)) {
        use SettingName::{
            C2d, CaCertificates, ConsumerGroups, DisableDeviceSas, DisableLocalAuth, DisableModuleSas, FallbackRoute,
            Policies, Routes, SasClockSkewS,
        };
        let group = ConsumerGroup::parse("A").unwrap();
        let all = [
            Policies("a".into()),
            ConsumerGroups(group),
            Routes("a".into()),
            FallbackRoute,
            CaCertificates("a".into()),
            C2d,
            SasClockSkewS,
            DisableLocalAuth,
            DisableDeviceSas,
            DisableModuleSas,
        ];
        let mut changed = settings();
        change(&mut changed);
        let differ: Vec<_> = all
            .iter()
            .filter(|name| !name.is_same_in(&settings(), &changed))
            .collect();
        assert_eq!(differ, [expected]);
    }

    #[test]
    fn a_change_shows_under_the_name_of_its_entry_only() {
        check(&SettingName::Policies("a".into()), |s| {
            s.policies[0].permissions = Permissions::default();
        });
        check(&SettingName::Policies("a".into()), |s| s.policies.clear());
        check(&SettingName::ConsumerGroups(ConsumerGroup::parse("a").unwrap()), |s| {
            s.consumer_groups.clear();
        });
        check(&SettingName::Routes("a".into()), |s| s.routes[0].is_enabled = false);
        check(&SettingName::FallbackRoute, |s| s.fallback_route = false);
        check(&SettingName::CaCertificates("a".into()), |s| {
            s.ca_certificates[0].is_verified = false;
        });
        check(&SettingName::C2d, |s| {
            s.c2d = C2dSettings {
                default_ttl_s: 1,
                ..s.c2d
            };
        });
        check(&SettingName::SasClockSkewS, |s| s.sas_clock_skew_s = 1);
        check(&SettingName::DisableLocalAuth, |s| s.disable_local_auth = true);
        check(&SettingName::DisableDeviceSas, |s| s.disable_device_sas = true);
        check(&SettingName::DisableModuleSas, |s| s.disable_module_sas = true);
    }

    #[test]
    fn neighbours_may_come_and_go() {
        let mut more = settings();
        more.routes.insert(
            0,
            Route {
                name: "b".into(),
                ..more.routes[0].clone()
            },
        );
        more.consumer_groups.insert(0, ConsumerGroup::parse("b").unwrap());
        for name in [
            SettingName::Routes("a".into()),
            SettingName::ConsumerGroups(ConsumerGroup::parse("a").unwrap()),
        ] {
            assert!(name.is_same_in(&settings(), &more), "{name}");
        }
    }

    #[test]
    fn json_form() {
        let declared = |setting| Declared {
            setting,
            by: "--c2d".into(),
        };
        for (setting, expected) in [
            (
                SettingName::Policies("a".into()),
                r#"{"setting":"policies","name":"a","by":"--c2d"}"#,
            ),
            (SettingName::C2d, r#"{"setting":"c2d","by":"--c2d"}"#),
            (
                SettingName::DisableDeviceSas,
                r#"{"setting":"disableDeviceSAS","by":"--c2d"}"#,
            ),
        ] {
            let json = serde_json::to_string(&declared(setting.clone())).unwrap();
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_str::<Declared>(&json).unwrap(), declared(setting));
        }
    }
}
