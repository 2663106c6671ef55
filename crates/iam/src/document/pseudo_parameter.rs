//! What only the account knows that a template is deployed in: its own number and its region.
//!
//! Owns how they stand in the text of a document until somebody writes it down: between two control characters, which no name
//! of a bucket, a key, a role or a site can hold. Never knows how Terraform or CloudFormation spell them.

/// Opens a pseudo parameter: "start of text".
const OPEN: char = '\u{2}';

/// Closes it: "end of text".
const CLOSE: char = '\u{3}';

/// A value that is filled in where a template is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PseudoParameter {
    /// The account's number.
    Account,
    /// The region.
    Region,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextPiece<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled in.
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

    /// How it stands in a text.
    #[must_use]
    pub fn text(self) -> String {
        format!("{OPEN}{}{CLOSE}", self.name())
    }
}

/// The parts of a text, in order.
pub(crate) fn pieces(text: &str) -> Vec<TextPiece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, behind)) = after.split_once(CLOSE) else { break };
        let Some(pseudo) = PseudoParameter::ALL.into_iter().find(|pseudo| pseudo.name() == name) else { break };
        if !before.is_empty() {
            pieces.push(TextPiece::Text(before));
        }
        pieces.push(TextPiece::Pseudo(pseudo));
        rest = behind;
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
    fn a_text_falls_into_its_parts() {
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
