//! SPDX licence expressions: `(MIT OR Apache-2.0) AND Unicode-3.0`, and the older `MIT/Apache-2.0`.

/// Whether the allowed licences satisfy the expression. One that cannot be read is not allowed.
pub(crate) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader {
        words: spaced.split_whitespace().collect(),
        allowed,
    };
    reader.words.reverse();
    reader.either() == Some(true) && reader.words.is_empty()
}

/// Reads words from the end of the reversed expression. AND binds tighter than OR.
struct Reader<'a> {
    words: Vec<&'a str>,
    allowed: &'a [String],
}

impl Reader<'_> {
    fn either(&mut self) -> Option<bool> {
        let mut is_allowed = self.both()?;
        while self.take("OR") {
            is_allowed |= self.both()?;
        }
        Some(is_allowed)
    }

    fn both(&mut self) -> Option<bool> {
        let mut is_allowed = self.term()?;
        while self.take("AND") {
            is_allowed &= self.term()?;
        }
        Some(is_allowed)
    }

    /// A licence, one `WITH` an exception (which is another licence), or an expression in parentheses.
    fn term(&mut self) -> Option<bool> {
        let license = self.words.pop()?;
        if license == "(" {
            let inner = self.either()?;
            return self.take(")").then_some(inner);
        }
        if self.take("WITH") {
            let exception = self.words.pop()?;
            return Some(self.allowed.contains(&format!("{license} WITH {exception}")));
        }
        Some(self.allowed.iter().any(|allowed| allowed == license))
    }

    fn take(&mut self, word: &str) -> bool {
        self.words.pop_if(|next| *next == word).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "ISC", "Unicode-3.0"].map(str::to_owned);
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn expressions() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("MIT OR GPL-3.0", true);
        check("GPL-3.0/MIT", true);
        check("MIT AND GPL-3.0", false);
        check("ISC AND MIT", true);
        check("(GPL-3.0 OR MIT) AND Unicode-3.0", true);
        check("GPL-3.0 OR MIT AND GPL-2.0", false);
        check("MIT WITH X-exception", false);
        check("MIT WITH X-exception OR ISC", true);
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        for expression in ["", "(MIT", "MIT)", "MIT MIT", "MIT OR", "WITH"] {
            check(expression, false);
        }
    }
}
