//! Names with `*` and `?`.

use std::convert::Infallible;
use std::str::FromStr;

/// A name, or a pattern in which `*` stands for any text and `?` for any one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<char>);

impl Wildcard {
    /// Does all of `name` match? Case counts.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        // After a `*`: where the pattern goes on, and what of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        let (mut at, mut seen) = (0, 0);
        while seen < name.len() {
            match self.0.get(at) {
                Some('*') => {
                    star = Some((at + 1, seen));
                    at += 1;
                }
                Some('?') => (at, seen) = (at + 1, seen + 1),
                Some(wanted) if name.get(seen) == Some(wanted) => (at, seen) = (at + 1, seen + 1),
                _ => match star {
                    Some((after, taken)) => {
                        star = Some((after, taken + 1));
                        (at, seen) = (after, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0.iter().skip(at).all(|rest| *rest == '*')
    }
}

impl FromStr for Wildcard {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.chars().collect()))
    }
}

impl std::fmt::Display for Wildcard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|c| write!(f, "{c}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        let Ok(pattern) = pattern.parse::<Wildcard>();
        assert_eq!(pattern.matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn names() {
        check("wind-1", "wind-1", true);
        check("wind-1", "Wind-1", false);
        check("wind-1", "wind-10", false);
        check("wind-*", "wind-", true);
        check("*", "", true);
        check("wind-?", "wind-", false);
        check("wind-?", "wind-é", true);
        check("w*-1*", "wind-north-21-1", true);
        check("w*-1", "wind-1-2", false);
        check("*a*a*a*b", &"a".repeat(128), false);
        check("wind.1", "wind-1", false);
        check("", "wind-1", false);
    }
}
