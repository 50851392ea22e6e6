//! Consumer groups as IronHub's own API says them.

use ironhub_model::ConsumerGroup;
use serde::Serialize;

use super::error::print;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    name: &'a str,
    declared_by: Option<&'a str>,
}

impl<'a> From<&'a (ConsumerGroup, Option<String>)> for Told<'a> {
    fn from((group, by): &'a (ConsumerGroup, Option<String>)) -> Self {
        Self {
            name: group.as_str(),
            declared_by: by.as_deref(),
        }
    }
}

/// One group, with where the configuration declares it.
pub fn consumer_group_json(group: &(ConsumerGroup, Option<String>)) -> String {
    print(&Told::from(group))
}

/// Several of them.
pub fn consumer_groups_json(groups: &[(ConsumerGroup, Option<String>)]) -> String {
    print(&groups.iter().map(Told::from).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_and_free() {
        let group = |name| ConsumerGroup::parse(name).unwrap();
        let all = [(group("$Default"), None), (group("Billing"), Some("hub.toml".into()))];
        assert_eq!(
            consumer_groups_json(&all),
            r#"[{"name":"$Default","declaredBy":null},{"name":"Billing","declaredBy":"hub.toml"}]"#
        );
        assert_eq!(consumer_group_json(&all[0]), r#"{"name":"$Default","declaredBy":null}"#);
    }
}
