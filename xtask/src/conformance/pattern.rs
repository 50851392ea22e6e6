//! Names of cases with `*` in them.

use std::{convert::Infallible, str::FromStr};

/// A case name in which `*` stands for any run of characters and every other character for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// The pattern of one name.
    pub(crate) fn exactly(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(name) = name.strip_prefix(first) else {
            return false;
        };
        let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The leftmost place of each part leaves the most room for those after it.
        let after = between
            .split('*')
            .try_fold(name, |name, part| name.split_once(part).map(|(_, after)| after));
        after.is_some_and(|name| name.ends_with(last))
    }
}

impl FromStr for Pattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::exactly(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(Pattern(pattern.to_owned()).matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn patterns() {
        check("twin[py-mqtt]", "twin[py-mqtt]", true);
        check("twin[py-mqtt]", "twin[py-mqtt-ws]", false);
        check("*", "", true);
        check("twin*", "twin_get", true);
        check("*get", "twin_get", true);
        check("t*get", "twin_get", true);
        check("a*a", "a", false);
        check("*twin*", "a_twin_b", true);
        check("*t*w*n", "twin", true);
        check("*x*", "twin", false);
        check("a*b*c", "a_c_b", false);
    }
}
