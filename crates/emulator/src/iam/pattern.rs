//! Patterns in policy documents, with the wildcards `*` and `?` and policy variables such as `${aws:username}`.
//!
//! The rules are those of the IAM User Guide, "IAM JSON policy elements: Resource" (wildcards, incomplete ARNs) and
//! "IAM policy elements: Variables and tags" (`${*}`, `${?}`, `${$}`, default values).

use thiserror::Error;

use super::context::ConditionContext;

/// Why a pattern cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// `${` without `}`.
    #[error("unclosed policy variable in `{0}`; write `${{name}}`")]
    OpenVariable(String),
    /// `${}`, or a name with characters that no context key has.
    #[error("invalid policy variable `{0}`; write `${{service:key}}`")]
    VariableName(String),
    /// A default value without single quotes.
    #[error("unquoted default value in `{0}`; write `${{key, 'value'}}`")]
    VariableDefault(String),
}

/// A piece of a pattern whose variables are not substituted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternPiece {
    /// Text that matches itself.
    Text(String),
    /// `?`: exactly one character.
    AnyOne,
    /// `*`: any number of characters, including none.
    AnyMany,
    /// `${name}` or `${name, 'default'}`.
    Variable { name: String, default: Option<String> },
}

/// A unit of a pattern after substitution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Exactly(char),
    AnyOne,
    AnyMany,
}

/// Text of a policy document, with wildcards and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyPattern {
    pieces: Vec<PatternPiece>,
}

/// Which characters of a pattern have a special meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Wildcards and variables: resources, `StringLike`, ARNs.
    WildcardsAndVariables,
    /// Variables alone: `StringEquals`.
    Variables,
    /// Wildcards alone: actions, and every element of a document older than `2012-10-17`.
    Wildcards,
    /// Nothing: `StringEquals` in a document older than `2012-10-17`.
    Literal,
}

impl Syntax {
    fn wildcards(self) -> bool {
        matches!(self, Self::WildcardsAndVariables | Self::Wildcards)
    }

    fn variables(self) -> bool {
        matches!(self, Self::WildcardsAndVariables | Self::Variables)
    }
}

impl PolicyPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A malformed policy variable.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        loop {
            if syntax.variables()
                && let Some(after) = rest.strip_prefix("${")
            {
                let Some((inside, behind)) = after.split_once('}') else {
                    return Err(PatternError::OpenVariable(text.to_owned()));
                };
                rest = behind;
                match inside {
                    "*" | "?" | "$" => literal.push_str(inside),
                    _ => {
                        flush(&mut literal, &mut pieces);
                        pieces.push(variable(inside)?);
                    }
                }
                continue;
            }
            let mut characters = rest.chars();
            let Some(character) = characters.next() else {
                break;
            };
            rest = characters.as_str();
            match character {
                '*' if syntax.wildcards() => {
                    flush(&mut literal, &mut pieces);
                    pieces.push(PatternPiece::AnyMany);
                }
                '?' if syntax.wildcards() => {
                    flush(&mut literal, &mut pieces);
                    pieces.push(PatternPiece::AnyOne);
                }
                other => literal.push(other),
            }
        }
        flush(&mut literal, &mut pieces);
        Ok(Self { pieces })
    }

    /// Whether `text` matches, case-sensitively. A variable stands for the literal text of its value, so a `*` in a
    /// value is not a wildcard. A variable without a value or default makes the pattern match nothing.
    #[must_use]
    pub(crate) fn matches(&self, text: &str, context: &ConditionContext) -> bool {
        let Some(units) = self.fill(context) else {
            return false;
        };
        let text: Vec<char> = text.chars().collect();
        matches_units(&units, &text)
    }

    /// Whether `text` matches, ignoring the case of ASCII letters, as in the names of actions.
    #[must_use]
    pub(crate) fn matches_ignoring_case(&self, text: &str, context: &ConditionContext) -> bool {
        let Some(mut units) = self.fill(context) else {
            return false;
        };
        for unit in &mut units {
            if let Unit::Exactly(character) = unit {
                character.make_ascii_lowercase();
            }
        }
        let text: Vec<char> = text.chars().map(|character| character.to_ascii_lowercase()).collect();
        matches_units(&units, &text)
    }

    /// Names of the policy variables without a default.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            PatternPiece::Variable { name, default: None } => Some(name.as_str()),
            _ => None,
        })
    }

    fn fill(&self, context: &ConditionContext) -> Option<Vec<Unit>> {
        let mut units = Vec::new();
        for piece in &self.pieces {
            match piece {
                PatternPiece::Text(text) => units.extend(text.chars().map(Unit::Exactly)),
                PatternPiece::AnyOne => units.push(Unit::AnyOne),
                PatternPiece::AnyMany => units.push(Unit::AnyMany),
                PatternPiece::Variable { name, default } => {
                    let value = context.single(name).or(default.as_deref())?;
                    units.extend(value.chars().map(Unit::Exactly));
                }
            }
        }
        Some(units)
    }
}

/// The pattern of an ARN. Its first five parts are matched one by one, so that a wildcard never crosses a colon into
/// the next part. The sixth, the resource, is matched as a whole. Missing parts are filled with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArnPattern {
    parts: Vec<PolicyPattern>,
}

/// The number of parts of an ARN: `arn:partition:service:region:account:resource`.
const ARN_PARTS: usize = 6;

impl ArnPattern {
    /// Parses the pattern of an ARN. A single `*` matches every ARN.
    ///
    /// # Errors
    /// A malformed policy variable.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, PatternError> {
        let mut parts = split_outside_variables(text)
            .into_iter()
            .map(|part| PolicyPattern::parse(&part, syntax))
            .collect::<Result<Vec<_>, _>>()?;
        while parts.len() < ARN_PARTS {
            parts.push(PolicyPattern { pieces: vec![PatternPiece::AnyMany] });
        }
        Ok(Self { parts })
    }

    /// Names of the policy variables without a default.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(PolicyPattern::variables)
    }

    /// Whether `arn` matches. The resource `*` (of an action without a resource) matches only the pattern `*`.
    #[must_use]
    pub(crate) fn matches(&self, arn: &str, context: &ConditionContext) -> bool {
        let mut parts = arn.splitn(ARN_PARTS, ':');
        self.parts.iter().all(|pattern| match parts.next() {
            Some(part) => pattern.matches(part, context),
            // Text with fewer parts than an ARN matches only patterns whose remaining parts are `*`.
            None => pattern.pieces == [PatternPiece::AnyMany],
        })
    }
}

fn split_outside_variables(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    let mut previous = '\0';
    for character in text.chars() {
        match character {
            '{' if previous == '$' => inside = true,
            '}' => inside = false,
            _ => {}
        }
        if character == ':' && !inside && parts.len() < ARN_PARTS {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
        previous = character;
    }
    parts
}

fn flush(literal: &mut String, pieces: &mut Vec<PatternPiece>) {
    if !literal.is_empty() {
        pieces.push(PatternPiece::Text(std::mem::take(literal)));
    }
}

fn variable(inside: &str) -> Result<PatternPiece, PatternError> {
    let (name, default) = match inside.split_once(',') {
        None => (inside.trim(), None),
        Some((name, default)) => {
            let quoted = default.trim();
            let value = quoted.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
            match value {
                Some(value) => (name.trim(), Some(value.to_owned())),
                None => return Err(PatternError::VariableDefault(inside.to_owned())),
            }
        }
    };
    let well_formed = name.contains(':')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || ":/-_.+=@".contains(character));
    if well_formed {
        Ok(PatternPiece::Variable { name: name.to_owned(), default })
    } else {
        Err(PatternError::VariableName(inside.to_owned()))
    }
}

/// Matches in at most pattern × text steps: on a mismatch only the latest `*` takes one more character, since an
/// earlier one could gain nothing that the latest cannot.
fn matches_units(pattern: &[Unit], text: &[char]) -> bool {
    let mut pattern_index = 0;
    let mut text_index = 0;
    let mut retry: Option<(usize, usize)> = None;
    while let Some(character) = text.get(text_index) {
        match pattern.get(pattern_index) {
            Some(Unit::AnyMany) => {
                retry = Some((pattern_index, text_index));
                pattern_index += 1;
            }
            Some(Unit::AnyOne) => {
                pattern_index += 1;
                text_index += 1;
            }
            Some(Unit::Exactly(expected)) if expected == character => {
                pattern_index += 1;
                text_index += 1;
            }
            _ => match retry {
                Some((star, end)) => {
                    retry = Some((star, end + 1));
                    pattern_index = star + 1;
                    text_index = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(pattern_index).all(|unit| *unit == Unit::AnyMany)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> PolicyPattern {
        PolicyPattern::parse(text, Syntax::WildcardsAndVariables).expect("a pattern")
    }

    fn arn(text: &str) -> ArnPattern {
        ArnPattern::parse(text, Syntax::WildcardsAndVariables).expect("a pattern")
    }

    /// The literal definition of the two wildcards; exponential, but simple.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| reference(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && reference(rest, &text[1..]),
            Some((character, rest)) => text.first() == Some(character) && reference(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_by_their_definition(pattern in "[abé*?]{0,8}", text in "[abé]{0,10}") {
            let expected = reference(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(all(&pattern).matches(&text, &ConditionContext::default()), expected);
        }

        #[test]
        fn escaped_text_matches_itself(text in "[a-c*?$ {}/]{0,12}") {
            let escaped: String = text.chars().map(|character| match character {
                '*' | '?' | '$' => format!("${{{character}}}"),
                other => other.to_string(),
            }).collect();
            prop_assert!(all(&escaped).matches(&text, &ConditionContext::default()));
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = "*a".repeat(200);
        let text = "a".repeat(2_000);
        assert!(!all(&format!("{pattern}b")).matches(&text, &ConditionContext::default()));
    }

    #[test]
    fn matches_case_sensitively_unless_requested_otherwise() {
        let context = ConditionContext::default();
        assert!(!all("s3:Get*").matches("S3:getobject", &context));
        assert!(all("s3:Get*").matches_ignoring_case("S3:getobject", &context));
    }

    #[test]
    fn a_variable_matches_the_literal_text_of_its_value() {
        let context = ConditionContext::default().with("aws:username", "a*");
        let pattern = all("home/${AWS:UserName}/*");
        assert!(pattern.matches("home/a*/x", &context));
        assert!(!pattern.matches("home/ab/x", &context), "a star in a value is not a wildcard");
        assert!(!pattern.matches("home//x", &ConditionContext::default()), "an unknown variable matches nothing");
        assert!(all("${aws:username, 'anyone'}").matches("anyone", &ConditionContext::default()));
    }

    #[test]
    fn rejects_malformed_variables() {
        let parse = |text| PolicyPattern::parse(text, Syntax::WildcardsAndVariables);
        assert_eq!(parse("a${aws:x"), Err(PatternError::OpenVariable("a${aws:x".to_owned())));
        assert_eq!(parse("${}"), Err(PatternError::VariableName(String::new())));
        assert_eq!(parse("${username}"), Err(PatternError::VariableName("username".to_owned())));
        assert_eq!(parse("${aws:x, y}"), Err(PatternError::VariableDefault("aws:x, y".to_owned())));
        assert!(PolicyPattern::parse("${", Syntax::Wildcards).is_ok(), "documents of 2008 have no variables");
    }

    #[test]
    fn a_wildcard_in_an_arn_does_not_cross_a_colon() {
        let context = ConditionContext::default();
        assert!(arn("arn:aws:s3:::site/*").matches("arn:aws:s3:::site/a:b/c", &context));
        assert!(!arn("arn:aws:s3*site").matches("arn:aws:s3:::site", &context));
        assert!(arn("arn:aws:s3").matches("arn:aws:s3:::site", &context), "missing parts are filled with stars");
        assert!(arn("*").matches("arn:aws:s3:::site", &context));
        assert!(arn("*").matches("*", &context));
        assert!(!arn("arn:aws:s3:::site").matches("*", &context));
        assert!(!arn("arn:aws:s3:::docs/*").matches("arn:aws:s3:::docs2/x", &context));
    }

    #[test]
    fn a_variable_name_in_an_arn_may_contain_a_colon() {
        let context = ConditionContext::default().with("aws:username", "lea");
        assert!(arn("arn:aws:s3:::site/${aws:username}/*").matches("arn:aws:s3:::site/lea/x", &context));
    }
}
