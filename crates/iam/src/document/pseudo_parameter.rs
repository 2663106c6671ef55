//! The account id and the region of a deployment, which a template does not know.
//!
//! In the text of a document they are placeholders between two control characters, which cannot occur in the name of a
//! bucket, a key, a role or a site. The template formats replace them.

/// Starts a placeholder.
const OPEN: char = '\u{2}';

/// Ends a placeholder.
const CLOSE: char = '\u{3}';

/// A value that is known when a template is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PseudoParameter {
    /// The account id.
    Account,
    /// The region.
    Region,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextPiece<'a> {
    /// Literal text.
    Text(&'a str),
    /// A placeholder.
    Pseudo(PseudoParameter),
}

impl PseudoParameter {
    const ALL: [Self; 2] = [Self::Account, Self::Region];

    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Region => "region",
        }
    }

    /// Its placeholder.
    #[must_use]
    pub fn text(self) -> String {
        format!("{OPEN}{}{CLOSE}", self.name())
    }
}

/// The text of a JSON document with its placeholders, whose control characters JSON has escaped.
pub(crate) fn with_placeholders(json: &str) -> String {
    json.replace("\\u0002", &OPEN.to_string()).replace("\\u0003", &CLOSE.to_string())
}

/// The parts of a text, in order.
pub(crate) fn pieces(text: &str) -> Vec<TextPiece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, remainder)) = after.split_once(CLOSE) else { break };
        let Some(pseudo) = PseudoParameter::ALL.into_iter().find(|pseudo| pseudo.name() == name) else { break };
        if !before.is_empty() {
            pieces.push(TextPiece::Text(before));
        }
        pieces.push(TextPiece::Pseudo(pseudo));
        rest = remainder;
    }
    if !rest.is_empty() {
        pieces.push(TextPiece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_text_at_placeholders() {
        let account = PseudoParameter::Account.text();
        let text = format!("arn:aws:sqs:{}:{account}:a${{b}}", PseudoParameter::Region.text());
        assert_eq!(
            pieces(&text),
            [
                TextPiece::Text("arn:aws:sqs:"),
                TextPiece::Pseudo(PseudoParameter::Region),
                TextPiece::Text(":"),
                TextPiece::Pseudo(PseudoParameter::Account),
                TextPiece::Text(":a${b}"),
            ]
        );
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("\u{2}other\u{3}"), [TextPiece::Text("\u{2}other\u{3}")]);
    }
}
