//! What a token's resource covers (Azure docs: "Control access to IoT Hub by using shared access signatures").
//!
//! A resource is `host`, `host/devices`, `host/devices/{d}`, `host/devices/{d}/modules/{m}` or, for back ends, any path.
//! It is decoded once as a whole. Some clients encode IDs twice (.NET, `SharedAccessSignatureBuilder.cs`), so an ID also
//! counts decoded a second time.

use std::borrow::Cow;

use ironhub_model::{DeviceId, IdentityId, ModuleId, percent};

/// A token's resource, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    host: String,
    /// Below the host; none is empty.
    segments: Vec<String>,
}

/// Does a policy's resource cover an identity?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Coverage {
    /// No.
    No,
    /// As it stands.
    Literal,
    /// Only with an ID decoded a second time. As it stands the resource names another identity, if there is one of
    /// that name: then the token is that one's.
    DecodedTwice(Option<IdentityId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Exact,
    AnyCase,
}

impl Scope {
    /// `None` when the resource is not UTF-8 once decoded.
    pub(super) fn parse(resource: &str) -> Option<Self> {
        let decoded = percent::decode(resource)?;
        // Event Hubs clients write a whole address: `sb://host/…`.
        let decoded = decoded.split_once("://").map_or(&*decoded, |(_, rest)| rest);
        let (host, path) = decoded.split_once('/').unwrap_or((decoded, ""));
        let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        // Tools of 2016 put the rest of the MQTT user name behind the device.
        if segments.last().is_some_and(|last| last.starts_with("api-version=")) {
            segments.pop();
        }
        while segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        Some(Self {
            host: host.to_owned(),
            segments,
        })
    }

    /// The host, perhaps with a port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Is this just this identity's resource? Letter case does not matter: the signature was made with the identity's
    /// own key, and some clients put the whole resource in lower case.
    pub(super) fn is(&self, id: &IdentityId) -> bool {
        let own = path_of(id);
        self.segments.len() == own.len()
            && self
                .segments
                .iter()
                .zip(own)
                .all(|(given, own)| is_same(given, own, Letters::AnyCase))
    }

    /// Does the resource, signed by a policy, cover this identity? IDs compare exactly.
    pub(super) fn covers(&self, id: &IdentityId) -> Coverage {
        let own = path_of(id);
        if self.segments.len() > own.len() {
            return Coverage::No;
        }
        let mut literal = true;
        for (index, (given, own)) in self.segments.iter().zip(own).enumerate() {
            let letters = letters_of(index);
            if !is_same(given, own, letters) {
                return Coverage::No;
            }
            literal &= is_literally(given, own, letters);
        }
        if literal {
            Coverage::Literal
        } else {
            Coverage::DecodedTwice(self.literal_identity())
        }
    }

    /// Does the resource, signed by a policy, cover this path of the service API? Segment by segment from the root.
    pub(super) fn covers_path(&self, path: &str) -> bool {
        let mut path = path.split('/').filter(|segment| !segment.is_empty());
        let mut given = self.segments.iter().enumerate();
        given.all(|(index, given)| {
            path.next()
                .is_some_and(|own| is_literally(given, own, letters_of(index)))
        })
    }

    /// Does the resource, signed by a policy, cover this entity of a back end's? Segment by segment from the root, and
    /// without letter case: an event hub, its consumer groups and partitions have none.
    pub(super) fn covers_entity(&self, path: &str) -> bool {
        let mut path = path.split('/').filter(|segment| !segment.is_empty());
        let mut given = self.segments.iter();
        given.all(|given| path.next().is_some_and(|own| given.eq_ignore_ascii_case(own)))
    }

    /// Everything of the hub.
    pub(super) fn everything() -> Self {
        Self {
            host: String::new(),
            segments: Vec::new(),
        }
    }

    /// What lies below the host.
    pub(super) fn path(&self) -> String {
        self.segments.join("/")
    }

    /// What lies below the host in an identity's own resource.
    pub(super) fn path_of_identity(id: &IdentityId) -> String {
        path_of(id).join("/")
    }

    /// The identities that the resource may name: as it stands, and with its IDs decoded a second time.
    pub(super) fn identities(&self) -> Vec<IdentityId> {
        let is_word = |at: usize, word: &str| {
            self.segments
                .get(at)
                .is_some_and(|given| given.eq_ignore_ascii_case(word))
        };
        let is_identity = match self.segments.len() {
            2 => is_word(0, "devices"),
            4 => is_word(0, "devices") && is_word(2, "modules"),
            _ => false,
        };
        if !is_identity {
            return Vec::new();
        }
        let twice = Self {
            host: self.host.clone(),
            segments: self.segments.iter().map(|segment| decoded(segment)).collect(),
        };
        let mut identities: Vec<IdentityId> = self.literal_identity().into_iter().collect();
        identities.extend(twice.literal_identity().filter(|id| !identities.contains(id)));
        identities
    }

    fn literal_identity(&self) -> Option<IdentityId> {
        let device = DeviceId::parse(self.segments.get(1)?).ok()?;
        match self.segments.get(3) {
            None => Some(IdentityId::device(device)),
            Some(module) => Some(IdentityId::module(device, ModuleId::parse(module).ok()?)),
        }
    }
}

/// Words at even places, IDs at odd ones: `devices/{d}/modules/{m}`.
fn path_of(id: &IdentityId) -> Vec<&str> {
    let mut path = vec!["devices", id.device.as_str()];
    if let Some(module) = &id.module {
        path.extend(["modules", module.as_str()]);
    }
    path
}

fn decoded(segment: &str) -> String {
    percent::decode(segment).map_or_else(|| segment.to_owned(), Cow::into_owned)
}

fn letters_of(index: usize) -> Letters {
    if index.is_multiple_of(2) {
        Letters::AnyCase
    } else {
        Letters::Exact
    }
}

fn is_same(given: &str, own: &str, letters: Letters) -> bool {
    is_literally(given, own, letters)
        || matches!(percent::decode(given), Some(Cow::Owned(decoded)) if is_literally(&decoded, own, letters))
}

fn is_literally(given: &str, own: &str, letters: Letters) -> bool {
    match letters {
        Letters::Exact => given == own,
        Letters::AnyCase => given.eq_ignore_ascii_case(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(resource: &str) -> Scope {
        Scope::parse(resource).unwrap()
    }

    fn id(text: &str) -> IdentityId {
        IdentityId::parse(text).unwrap()
    }

    #[track_caller]
    fn check_own(resource: &str, identity: &str, expected: bool) {
        assert_eq!(scope(resource).is(&id(identity)), expected, "{resource} for {identity}");
    }

    #[test]
    fn an_identity_opens_itself_only() {
        check_own("hub.example.test%2Fdevices%2FDev-01", "Dev-01", true);
        check_own("hub.example.test%2fdevices%2fDev-01", "Dev-01", true);
        check_own("hub.example.test/devices/Dev-01", "Dev-01", true);
        check_own("hub.example.test%2Fdevices%2Fdev-01", "Dev-01", true);
        check_own("hub.example.test%2Fdevices%2FDev%253A01", "Dev:01", true);
        check_own("hub.example.test%2Fdevices%2FDev%3A01", "Dev:01", true);
        check_own(
            "hub.example.test%2Fdevices%2FDev-01%2Fapi-version%3D2016-11-14",
            "Dev-01",
            true,
        );
        check_own("h/devices/d/", "d", true);
        check_own("h/devices/d+e", "d+e", true);
        check_own("h%2Fdevices%2Fd%2Fmodules%2Fm1", "d/m1", true);
        check_own("h%2Fdevices%2Fd%2Fmodules%2Fm1", "d", false);
        check_own("h%2Fdevices%2Fd", "d/m1", false);
        check_own("h%2Fdevices", "d", false);
        check_own("h", "d", false);
        check_own("h/devices/d/messages", "d", false);
        check_own("h/twins/d", "d", false);
        check_own("h/devices/d2", "d", false);
        // No encoding makes one ID a path of two.
        check_own("h%2Fdevices%2Fd%252Fmodules%252Fm1", "d/m1", false);
        check_own("h/devices/d/modules", "d", false);
    }

    #[track_caller]
    fn check_policy(resource: &str, identity: &str, expected: &Coverage) {
        assert_eq!(
            &scope(resource).covers(&id(identity)),
            expected,
            "{resource} for {identity}"
        );
    }

    #[test]
    fn a_policy_opens_what_its_resource_is_a_prefix_of() {
        use Coverage::{DecodedTwice, Literal, No};
        check_policy("h", "d", &Literal);
        check_policy("h", "d/m", &Literal);
        check_policy("h/", "d", &Literal);
        check_policy("h%2Fdevices", "d", &Literal);
        check_policy("h%2FDevices", "d", &Literal);
        check_policy("h%2Fdevices%2Fd", "d", &Literal);
        check_policy("h%2Fdevices%2Fd", "d/m", &Literal);
        check_policy("h%2Fdevices%2Fd%2Fmodules", "d/m", &Literal);
        check_policy("h%2Fdevices%2Fd%2Fmodules%2Fm", "d/m", &Literal);
        check_policy("h%2Fdevices%2Fd%2Fmodules%2Fm", "d/n", &No);
        check_policy("h%2Fdevices%2Fd%2Fmodules%2Fm", "d", &No);
        check_policy("h%2Fdevices%2FD", "d", &No);
        check_policy("h%2Fdevices%2Fd", "d2", &No);
        check_policy("h%2Fdevice", "d", &No);
        check_policy("h%2Ftwins", "d", &No);
        check_policy("h/devices/Dev%253A01", "Dev:01", &DecodedTwice(Some(id("Dev%3A01"))));
        check_policy("h/devices/a%2541", "a%41", &Literal);
        check_policy("h/devices/a%2541", "aA", &DecodedTwice(Some(id("a%41"))));
        check_policy("h/devices/d/modules/m%253A", "d/m:", &DecodedTwice(Some(id("d/m%3A"))));
    }

    #[test]
    fn a_policy_opens_paths_by_whole_segments() {
        for (resource, path, expected) in [
            ("h", "/devices/query", true),
            ("h", "/", true),
            ("h%2Fdevices", "/devices/query", true),
            ("h%2Fdevices", "/Devices/d", true),
            ("h%2Fdevices", "/devicesX/d", false),
            ("h%2Fdevices", "/twins/d", false),
            ("h%2Fdevices%2Fd", "/devices/d", true),
            ("h%2Fdevices%2Fd", "/devices/d/modules/m", true),
            ("h%2Fdevices%2Fd", "/devices/D", false),
            ("h%2Fdevices%2Fd", "/devices", false),
            ("h%2Fdevices%2Fd", "/", false),
        ] {
            assert_eq!(scope(resource).covers_path(path), expected, "{resource} for {path}");
        }
    }

    #[test]
    fn a_scheme_does_not_count() {
        assert_eq!(scope("sb%3A%2F%2Fh%2Feh"), scope("h/eh"));
        assert_eq!(scope("amqps://h:5671/").host(), "h:5671");
        assert_eq!(scope("amqps://h:5671/").path(), "");
    }

    #[test]
    fn a_policy_opens_entities_in_any_letter_case() {
        for (resource, path, expected) in [
            ("h", "messages/devicebound", true),
            ("sb://h/eh", "EH/ConsumerGroups/$Default/Partitions/0", true),
            (
                "sb://h/eh/consumergroups/$default",
                "eh/ConsumerGroups/$Default/Partitions/0",
                true,
            ),
            (
                "sb://h/eh/ConsumerGroups/g/Partitions/1",
                "eh/ConsumerGroups/g/Partitions/0",
                false,
            ),
            ("sb://h/eh", "eh2/$management", false),
            ("h/devices/d", "messages/devicebound", false),
        ] {
            assert_eq!(scope(resource).covers_entity(path), expected, "{resource} for {path}");
        }
    }

    #[test]
    fn a_resource_names_an_identity_in_one_way_or_two() {
        for (resource, expected) in [
            ("h/devices/d", &["d"][..]),
            ("h%2FDevices%2Fd%2FModules%2Fm", &["d/m"]),
            ("h%2Fdevices%2FDev%253A01", &["Dev%3A01", "Dev:01"]),
            ("h%2Fdevices%2Fa%252Fb", &["a%2Fb"]),
            ("h", &[]),
            ("h/devices", &[]),
            ("h/twins/d", &[]),
            ("h/devices/d/modules", &[]),
        ] {
            let expected: Vec<IdentityId> = expected.iter().map(|text| id(text)).collect();
            assert_eq!(scope(resource).identities(), expected, "{resource}");
        }
    }

    #[test]
    fn a_resource_that_is_no_text_has_no_scope() {
        assert_eq!(Scope::parse("h%2Fdevices%2F%FF"), None);
    }
}
