//! Hub settings that the configuration declares: put in force at each start and reload, read-only in the API.
//!
//! Each entry is one table: a `[[route]]` of the configuration file, or the same as an inline table in a flag or
//! variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ironhub_model::limits::KEY_BYTES_GENERATED;
use ironhub_model::settings::{C2dSettings, CaCertificate, Declared, Route, SettingName};
use ironhub_model::{AccessPolicy, ConsumerGroup, EventSource, HubSettings, Permissions, SymmetricKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::config::ConfigError;
use crate::dev_keys;

/// What the configuration says of the hub's settings, and where it says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeclaredSettings {
    /// Key `policy`.
    pub policies: Vec<DeclaredPolicy>,
    /// Key `consumer-group`.
    pub consumer_groups: Vec<ConsumerGroup>,
    /// Key `route`.
    pub routes: Vec<Route>,
    /// Key `fallback-route`.
    pub fallback_route: Option<bool>,
    /// Key `ca-certificate`.
    pub ca_certificates: Vec<CaCertificate>,
    /// Key `c2d`; members that are left out have their defaults.
    pub c2d: Option<C2dSettings>,
    /// Key `sas-clock-skew-s`.
    pub sas_clock_skew_s: Option<u64>,
    /// Key `disable-local-auth`.
    pub disable_local_auth: Option<bool>,
    /// Key `disable-device-sas`.
    pub disable_device_sas: Option<bool>,
    /// Key `disable-module-sas`.
    pub disable_module_sas: Option<bool>,
    /// Where each key is given, for people; a key that is not in here is called by its name.
    pub sources: BTreeMap<String, String>,
}

/// A policy; what it leaves out stays as it is, or is made up when the policy is new.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeclaredPolicy {
    /// Its name.
    pub name: String,
    /// What holders of a key may do; only the five default policies can go without.
    pub permissions: Option<Permissions>,
    /// Generated when left out.
    pub primary_key: Option<SymmetricKey>,
    /// Generated when left out.
    pub secondary_key: Option<SymmetricKey>,
}

impl DeclaredSettings {
    /// Adds the policies of a table or list of tables. Errors do not repeat the text: it holds keys.
    pub fn add_policies(&mut self, text: &str) -> Result<(), ConfigError> {
        let tables = entries("policy", text);
        // The reason quotes names and kinds of members, and values of `permissions`; keys are not quoted.
        let policies = tables.map_err(|error| ConfigError {
            value: "…".into(),
            ..error
        })?;
        self.policies.extend(policies);
        Ok(())
    }

    /// Adds the routes of a table or list of tables.
    pub fn add_routes(&mut self, text: &str) -> Result<(), ConfigError> {
        let routes = entries::<RouteTable>("route", text)?;
        self.routes.extend(routes.into_iter().map(|route| route.0));
        Ok(())
    }

    /// Adds the authorities of a table or list of tables, and reads their files.
    pub fn add_ca_certificates(&mut self, text: &str) -> Result<(), ConfigError> {
        for table in entries::<CaCertificateTable>("ca-certificate", text)? {
            self.ca_certificates.push(table.read()?);
        }
        Ok(())
    }

    /// Sets the cloud-to-device settings from a table.
    pub fn set_c2d(&mut self, text: &str) -> Result<(), ConfigError> {
        let tables = entries::<C2dTable>("c2d", text)?;
        let [table] = <[C2dTable; 1]>::try_from(tables).map_err(|_| ConfigError::new("c2d", text, "one table"))?;
        self.c2d = Some(table.0);
        Ok(())
    }

    /// Does a declared policy have a key that everyone knows? Gives its name.
    pub(crate) fn public_policy(&self) -> Option<&str> {
        let is_public = |key: &Option<SymmetricKey>| key.as_ref().is_some_and(dev_keys::is_public);
        let mut policies = self.policies.iter();
        let public = policies.find(|policy| is_public(&policy.primary_key) || is_public(&policy.secondary_key));
        public.map(|policy| policy.name.as_str())
    }

    /// Puts everything declared into `settings` and lists it. `new_keys` makes the keys of a policy that has none.
    pub(crate) fn apply<E: From<ConfigError>>(
        &self,
        settings: &mut HubSettings,
        new_keys: impl Fn(&str) -> Result<(SymmetricKey, SymmetricKey), E>,
    ) -> Result<Vec<Declared>, E> {
        for policy in &self.policies {
            policy.put_into(settings, &new_keys)?;
        }
        for group in &self.consumer_groups {
            put(&mut settings.consumer_groups, group, |known| known == group);
        }
        for route in &self.routes {
            put(&mut settings.routes, route, |known| known.name == route.name);
        }
        for certificate in &self.ca_certificates {
            put(&mut settings.ca_certificates, certificate, |known| {
                known.name == certificate.name
            });
        }
        settings.fallback_route = self.fallback_route.unwrap_or(settings.fallback_route);
        settings.c2d = self.c2d.unwrap_or(settings.c2d);
        settings.sas_clock_skew_s = self.sas_clock_skew_s.unwrap_or(settings.sas_clock_skew_s);
        settings.disable_local_auth = self.disable_local_auth.unwrap_or(settings.disable_local_auth);
        settings.disable_device_sas = self.disable_device_sas.unwrap_or(settings.disable_device_sas);
        settings.disable_module_sas = self.disable_module_sas.unwrap_or(settings.disable_module_sas);
        Ok(self.list())
    }

    fn list(&self) -> Vec<Declared> {
        use SettingName::{CaCertificates, ConsumerGroups, Policies, Routes};
        let policies = self
            .policies
            .iter()
            .map(|policy| ("policy", Policies(policy.name.clone())));
        let groups = self
            .consumer_groups
            .iter()
            .map(|group| ("consumer-group", ConsumerGroups(group.clone())));
        let routes = self.routes.iter().map(|route| ("route", Routes(route.name.clone())));
        let certificates = self.ca_certificates.iter();
        let certificates = certificates.map(|one| ("ca-certificate", CaCertificates(one.name.clone())));
        policies
            .chain(groups)
            .chain(routes)
            .chain(certificates)
            .chain(self.single().into_iter().flatten())
            .map(|(key, setting)| Declared {
                setting,
                by: self.sources.get(key).map_or(key, String::as_str).to_owned(),
            })
            .collect()
    }

    /// Of the settings that have one value.
    fn single(&self) -> [Option<(&'static str, SettingName)>; 6] {
        use SettingName::{C2d, DisableDeviceSas, DisableLocalAuth, DisableModuleSas, FallbackRoute, SasClockSkewS};
        [
            self.fallback_route.map(|_| ("fallback-route", FallbackRoute)),
            self.c2d.map(|_| ("c2d", C2d)),
            self.sas_clock_skew_s.map(|_| ("sas-clock-skew-s", SasClockSkewS)),
            self.disable_local_auth
                .map(|_| ("disable-local-auth", DisableLocalAuth)),
            self.disable_device_sas
                .map(|_| ("disable-device-sas", DisableDeviceSas)),
            self.disable_module_sas
                .map(|_| ("disable-module-sas", DisableModuleSas)),
        ]
    }
}

impl DeclaredPolicy {
    fn put_into<E: From<ConfigError>>(
        &self,
        settings: &mut HubSettings,
        new_keys: impl Fn(&str) -> Result<(SymmetricKey, SymmetricKey), E>,
    ) -> Result<(), E> {
        let stored = settings.policy(&self.name).cloned();
        let (primary_key, secondary_key) = match (&stored, &self.primary_key, &self.secondary_key) {
            (_, Some(primary), Some(secondary)) => (primary.clone(), secondary.clone()),
            (Some(stored), primary, secondary) => (
                primary.as_ref().unwrap_or(&stored.primary_key).clone(),
                secondary.as_ref().unwrap_or(&stored.secondary_key).clone(),
            ),
            (None, primary, secondary) => {
                let (first, second) = new_keys(&self.name)?;
                (primary.clone().unwrap_or(first), secondary.clone().unwrap_or(second))
            }
        };
        let known = stored.map(|stored| stored.permissions);
        let permissions = self.permissions.or(known).ok_or_else(|| {
            let expected = "permissions: a list of RegistryRead, RegistryWrite, ServiceConnect and DeviceConnect";
            ConfigError::new("policy", &self.name, expected)
        })?;
        let policy = AccessPolicy {
            name: self.name.clone(),
            permissions,
            primary_key,
            secondary_key,
        };
        put(&mut settings.policies, &policy, |known| known.name == self.name);
        Ok(())
    }
}

/// Replaces the entry that is the same, or adds it.
fn put<T: Clone>(entries: &mut Vec<T>, entry: &T, is_same: impl Fn(&T) -> bool) {
    match entries.iter_mut().find(|known| is_same(known)) {
        Some(known) => known.clone_from(entry),
        None => entries.push(entry.clone()),
    }
}

/// Fresh keys from the system.
pub(crate) fn generated_key() -> Option<SymmetricKey> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; KEY_BYTES_GENERATED];
    SystemRandom::new().fill(&mut bytes).ok()?;
    SymmetricKey::from_bytes(&bytes).ok()
}

/// The entries in the text of one flag or variable: an inline table of TOML, or a list of them.
fn entries<T: DeserializeOwned>(key: &'static str, text: &str) -> Result<Vec<T>, ConfigError> {
    let wrong = |reason: &str| {
        ConfigError::new(
            key,
            text,
            format!("an inline table of TOML or a list of them; {reason}"),
        )
    };
    let document: toml::Table = toml::from_str(&format!("value = {text}")).map_err(|error| wrong(error.message()))?;
    let mut members = document.into_iter();
    let values = match (members.next(), members.next()) {
        (Some((_, toml::Value::Array(values))), None) => values,
        (Some((_, value)), None) => vec![value],
        _ => return Err(wrong("it is more than one value")),
    };
    let parsed = values.into_iter().map(|value| {
        value
            .try_into()
            .map_err(|error: toml::de::Error| wrong(error.message()))
    });
    parsed.collect()
}

/// [`Route`] with the spelling of the configuration file.
#[derive(Deserialize)]
#[serde(remote = "Route", deny_unknown_fields, rename_all = "kebab-case")]
struct RouteMembers {
    name: String,
    source: EventSource,
    #[serde(default = "enabled")]
    condition: bool,
    #[serde(default = "enabled")]
    is_enabled: bool,
}

const fn enabled() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct RouteTable(#[serde(with = "RouteMembers")] Route);

/// Routes of a seed file.
pub(crate) fn routes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Route>, D::Error> {
    let tables = Vec::<RouteTable>::deserialize(deserializer)?;
    Ok(tables.into_iter().map(|table| table.0).collect())
}

/// [`C2dSettings`] with the spelling of the configuration file.
#[derive(Deserialize)]
#[serde(
    remote = "C2dSettings",
    default = "C2dSettings::default",
    deny_unknown_fields,
    rename_all = "kebab-case"
)]
struct C2dMembers {
    queue_messages_max: u32,
    default_ttl_s: u64,
    max_delivery_count: u32,
    lock_duration_s: u64,
    feedback_ttl_s: u64,
    feedback_max_delivery_count: u32,
    feedback_lock_duration_s: u64,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct C2dTable(#[serde(with = "C2dMembers")] C2dSettings);

/// One authority: its name, and its certificate in a file or as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CaCertificateTable {
    name: String,
    file: Option<PathBuf>,
    pem: Option<String>,
}

impl CaCertificateTable {
    fn read(self) -> Result<CaCertificate, ConfigError> {
        let wrong = |expected: String| ConfigError::new("ca-certificate", &self.name, expected);
        let pem = match (&self.file, self.pem) {
            (Some(file), None) => read(file).map_err(wrong)?,
            (None, Some(pem)) => pem,
            (Some(_), Some(_)) | (None, None) => return Err(wrong("either file or pem".into())),
        };
        Ok(CaCertificate {
            name: self.name,
            pem,
            is_verified: true,
        })
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("a readable file, but {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use ironhub_model::Permission;

    use super::*;

    fn key(byte: u8) -> SymmetricKey {
        SymmetricKey::from_bytes(&[byte; 16]).unwrap()
    }

    /// Puts them in force; new keys are 8 and 9.
    fn apply(declared: &DeclaredSettings, settings: &mut HubSettings) -> Result<Vec<Declared>, ConfigError> {
        declared.apply(settings, |_| Ok((key(8), key(9))))
    }

    /// A hub with the policy `service`, whose keys are 1 and 2.
    fn stored() -> HubSettings {
        HubSettings::with_policies(vec![AccessPolicy {
            name: "service".into(),
            permissions: Permissions::of(&[Permission::ServiceConnect]),
            primary_key: key(1),
            secondary_key: key(2),
        }])
    }

    #[track_caller]
    fn check_policy(table: &str, expected: &[(&str, usize, u8, u8)]) {
        let mut declared = DeclaredSettings::default();
        declared.add_policies(table).unwrap();
        let mut settings = stored();
        apply(&declared, &mut settings).unwrap();
        let policies: Vec<_> = settings
            .policies
            .iter()
            .map(|policy| {
                let rights = Vec::from(policy.permissions).len();
                let (primary, secondary) = (policy.primary_key.bytes()[0], policy.secondary_key.bytes()[0]);
                (policy.name.as_str(), rights, primary, secondary)
            })
            .collect();
        assert_eq!(policies, expected);
    }

    #[test]
    fn a_policy_keeps_or_gets_what_is_not_said() {
        let service = ("service", 1, 1, 2);
        let six = key(6).expose().to_owned();
        check_policy("[]", &[service]);
        check_policy("{ name = 'service' }", &[service]);
        check_policy(
            &format!("{{ name = 'service', secondary-key = '{six}' }}"),
            &[("service", 1, 1, 6)],
        );
        check_policy(
            "{ name = 'service', permissions = ['RegistryWrite'] }",
            &[("service", 2, 1, 2)],
        );
        check_policy("{ name = 'new', permissions = [] }", &[service, ("new", 0, 8, 9)]);
        check_policy(
            &format!(
                "[{{ name = 'new', permissions = ['DeviceConnect'], primary-key = '{six}' }}, {{ name = 'service' }}]"
            ),
            &[service, ("new", 1, 6, 9)],
        );
    }

    #[test]
    fn declared_entries_replace_their_namesakes_and_leave_the_rest() {
        let route = |name: &str, is_enabled| Route {
            name: name.into(),
            source: EventSource::TwinChangeEvents,
            condition: true,
            is_enabled,
        };
        let group = |name| ConsumerGroup::parse(name).unwrap();
        let mut settings = stored();
        settings.routes = vec![route("a", false), route("b", false)];
        settings.consumer_groups = vec![group("mine")];
        let mut declared = DeclaredSettings {
            consumer_groups: vec![group("MINE"), group("billing")],
            fallback_route: Some(false),
            sas_clock_skew_s: Some(7),
            disable_module_sas: Some(true),
            sources: [("route", "--route"), ("c2d", "IRONHUB_C2D")]
                .map(|(key, place)| (key.to_owned(), place.to_owned()))
                .into(),
            ..DeclaredSettings::default()
        };
        declared
            .add_routes("{ name = 'b', source = 'TwinChangeEvents' }")
            .unwrap();
        declared.set_c2d("{ lock-duration-s = 9 }").unwrap();
        declared.add_ca_certificates("{ name = 'ca', pem = 'PEM' }").unwrap();
        let listed = apply(&declared, &mut settings).unwrap();

        assert_eq!(settings.routes, [route("a", false), route("b", true)]);
        assert_eq!(settings.consumer_groups, [group("mine"), group("billing")]);
        assert_eq!((settings.fallback_route, settings.sas_clock_skew_s), (false, 7));
        assert!(settings.disable_module_sas && !settings.disable_device_sas && !settings.disable_local_auth);
        let lock_duration_s = 9;
        assert_eq!(
            settings.c2d,
            C2dSettings {
                lock_duration_s,
                ..C2dSettings::default()
            }
        );
        assert!(settings.ca_certificates[0].is_verified);
        let listed: Vec<String> = listed
            .iter()
            .map(|one| format!("{} by {}", one.setting, one.by))
            .collect();
        assert_eq!(
            listed,
            [
                "consumerGroups \"MINE\" by consumer-group",
                "consumerGroups \"billing\" by consumer-group",
                "routes \"b\" by --route",
                "caCertificates \"ca\" by ca-certificate",
                "fallbackRoute by fallback-route",
                "c2d by IRONHUB_C2D",
                "sasClockSkewS by sas-clock-skew-s",
                "disableModuleSAS by disable-module-sas",
            ]
        );
    }

    #[test]
    fn mistakes_name_key_value_and_what_was_expected() {
        type Add = fn(&mut DeclaredSettings, &str) -> Result<(), ConfigError>;
        let cases: [(Add, &str, &str, &str); 10] = [
            (
                DeclaredSettings::add_routes,
                "{ name = 'a' }",
                "route = \"{ name = 'a' }\" is not possible",
                "missing field `source`",
            ),
            (
                DeclaredSettings::add_routes,
                "{ name = 'a', source = 'Twins' }",
                "route",
                "unknown variant `Twins`",
            ),
            (
                DeclaredSettings::add_routes,
                "a",
                "route = \"a\"",
                "an inline table of TOML or a list of them",
            ),
            (
                DeclaredSettings::add_routes,
                "1\nx = 2",
                "route",
                "it is more than one value",
            ),
            (
                DeclaredSettings::add_ca_certificates,
                "{ name = 'a' }",
                "ca-certificate = \"a\"",
                "either file or pem",
            ),
            (
                DeclaredSettings::add_ca_certificates,
                "{ name = 'a', file = '/nowhere.pem' }",
                "ca-certificate = \"a\"",
                "/nowhere.pem",
            ),
            (DeclaredSettings::set_c2d, "{ ttl = 1 }", "c2d", "unknown field `ttl`"),
            (DeclaredSettings::set_c2d, "[{}, {}]", "c2d", "one table"),
            (
                DeclaredSettings::add_policies,
                "{ name = 'a', permissions = ['All'] }",
                "policy = \"…\"",
                "unknown variant `All`",
            ),
            (
                DeclaredSettings::add_policies,
                "{ name = 'a', primary-key = 'c2VjcmV0' }",
                "policy = \"…\"",
                "a symmetric key is base64",
            ),
        ];
        for (add, text, start, part) in cases {
            let error = add(&mut DeclaredSettings::default(), text).unwrap_err().to_string();
            assert!(error.starts_with(start) && error.contains(part), "{text}: {error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
    }

    #[test]
    fn a_new_policy_needs_rights() {
        let mut declared = DeclaredSettings::default();
        declared.add_policies("{ name = 'new' }").unwrap();
        let error = apply(&declared, &mut stored()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("policy = \"new\" is not possible: permissions: a list of"),
            "{error}"
        );
    }

    #[test]
    fn public_keys_are_recognised() {
        let mut declared = DeclaredSettings::default();
        let public = dev_keys::secondary("service").unwrap();
        declared
            .add_policies(&format!("{{ name = 'a', secondary-key = '{}' }}", public.expose()))
            .unwrap();
        assert_eq!(declared.public_policy(), Some("a"));
    }
}
