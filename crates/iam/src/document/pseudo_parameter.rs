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
pub enum Pseudo {
    /// The account's number.
    Account,
    /// The region.
    Region,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled in.
    Pseudo(Pseudo),
}

impl Pseudo {
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
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, behind)) = after.split_once(CLOSE) else { break };
        let Some(pseudo) = Pseudo::ALL.into_iter().find(|pseudo| pseudo.name() == name) else { break };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Pseudo(pseudo));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_its_parts() {
        let account = Pseudo::Account.text();
        let text = format!("arn:aws:sqs:{}:{account}:a${{b}}", Pseudo::Region.text());
        assert_eq!(
            pieces(&text),
            [
                Piece::Text("arn:aws:sqs:"),
                Piece::Pseudo(Pseudo::Region),
                Piece::Text(":"),
                Piece::Pseudo(Pseudo::Account),
                Piece::Text(":a${b}"),
            ]
        );
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("\u{2}other\u{3}"), [Piece::Text("\u{2}other\u{3}")]);
    }
}
