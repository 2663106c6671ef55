//! The parameters of a request in the query protocol. Each is taken once; a parameter that is left over is not
//! supported. Holds the formats of values and AWS's messages about them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use http::StatusCode;

use super::QueryFailure;

/// The format of a text.
pub(crate) struct QueryForm {
    /// Fewest and most characters.
    pub(crate) length: RangeInclusive<usize>,
    /// Whether a character is allowed.
    pub(crate) allowed: fn(char) -> bool,
    /// The same as a regular expression, as the API Reference writes it.
    pub(crate) pattern: &'static str,
}

impl QueryForm {
    /// Checks a value.
    pub(crate) fn check(&self, value: &str, parameter: &str) -> Result<(), QueryFailure> {
        let length = value.chars().count();
        if length < *self.length.start() {
            let constraint = format!("have length greater than or equal to {}", self.length.start());
            return Err(QueryFailure::constraint(value, parameter, &constraint));
        }
        if length > *self.length.end() {
            let constraint = format!("have length less than or equal to {}", self.length.end());
            return Err(QueryFailure::constraint(value, parameter, &constraint));
        }
        if !value.chars().all(self.allowed) {
            let constraint = format!("satisfy regular expression pattern: {}", self.pattern);
            return Err(QueryFailure::constraint(value, parameter, &constraint));
        }
        Ok(())
    }
}

/// The fields of a form, each taken once.
#[derive(Debug)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn read(body: &[u8]) -> Result<Self, QueryFailure> {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if fields.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                let message = format!("the parameter {name} occurs twice");
                return Err(QueryFailure::new(StatusCode::BAD_REQUEST, "MalformedQueryString", message));
            }
        }
        Ok(Self(fields))
    }

    /// Takes a parameter unchecked.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes an optional text and checks its format.
    pub(crate) fn text(&mut self, name: &str, form: &QueryForm) -> Result<Option<String>, QueryFailure> {
        let value = self.take(name);
        value.map(|value| form.check(&value, name).map(|()| value)).transpose()
    }

    /// Takes a required text and checks its format.
    pub(crate) fn required(&mut self, name: &str, form: &QueryForm) -> Result<String, QueryFailure> {
        self.text(name, form)?.ok_or_else(|| QueryFailure::missing(name))
    }

    /// Takes an optional whole number within `bounds`.
    pub(crate) fn number(&mut self, name: &str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, QueryFailure> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number: i64 = value.parse().map_err(|_| {
            let message = format!("{name} must be a number, but is {value}");
            QueryFailure::new(StatusCode::BAD_REQUEST, "MalformedInput", message)
        })?;
        if number < i64::from(*bounds.start()) {
            let constraint = format!("have value greater than or equal to {}", bounds.start());
            return Err(QueryFailure::constraint(&value, name, &constraint));
        }
        match u32::try_from(number) {
            Ok(number) if bounds.contains(&number) => Ok(Some(number)),
            _ => {
                let constraint = format!("have value less than or equal to {}", bounds.end());
                Err(QueryFailure::constraint(&value, name, &constraint))
            }
        }
    }

    /// Takes `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, QueryFailure> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                let message = format!("{name} must be true or false, but is {other}");
                Err(QueryFailure::new(StatusCode::BAD_REQUEST, "MalformedInput", message))
            }
        }
    }

    /// Takes one of `choices` and returns its value.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, QueryFailure> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match choices.iter().find(|(choice, _)| *choice == value) {
            Some((_, chosen)) => Ok(Some(*chosen)),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                let constraint = format!("satisfy enum value set: [{}]", names.join(", "));
                Err(QueryFailure::constraint(&value, name, &constraint))
            }
        }
    }

    /// Takes a list of texts. A missing list is empty.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        self.take_empty(name);
        let mut texts = Vec::new();
        while let Some(text) = self.take(&format!("{name}.member.{}", texts.len() + 1)) {
            texts.push(text);
        }
        texts
    }

    /// Takes a list whose members have parameters of their own.
    pub(crate) fn structures(&mut self, name: &str) -> Vec<Self> {
        self.take_empty(name);
        let mut structures = Vec::new();
        loop {
            let prefix = format!("{name}.member.{}.", structures.len() + 1);
            let names = self.0.range(prefix.clone()..).map(|(name, _)| name.clone());
            let names: Vec<String> = names.take_while(|name| name.starts_with(&prefix)).collect();
            if names.is_empty() {
                return structures;
            }
            let fields = names.into_iter().filter_map(|name| {
                let value = self.0.remove(&name)?;
                Some((name.strip_prefix(&prefix)?.to_owned(), value))
            });
            structures.push(Self(fields.collect()));
        }
    }

    /// An empty list is written as its name alone.
    fn take_empty(&mut self, name: &str) {
        if self.0.get(name).is_some_and(String::is_empty) {
            self.0.remove(name);
        }
    }

    /// Fails for a parameter that was not taken: session tags, MFA and others change what a request means, so they must
    /// not be ignored.
    pub(crate) fn finish(self, action: &str) -> Result<(), QueryFailure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(QueryFailure::not_implemented(format!(
                "the emulator does not support the parameter {name} of {action}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Parameters {
        Parameters::read(body.as_bytes()).expect("a form")
    }

    #[test]
    fn takes_whole_lists_in_order() {
        let body =
            "A.member.1=x&A.member.2=&B.member.1.Key=k&B.member.1.Values.member.1=v&B.member.2.Key=l&C=&A.member.4=y";
        let mut parameters = read(body);
        assert_eq!(parameters.texts("A"), ["x", ""]);
        let mut members = parameters.structures("B");
        assert_eq!(members.len(), 2);
        assert_eq!(members[0].take("Key").as_deref(), Some("k"));
        assert_eq!(members[0].texts("Values"), ["v"]);
        assert!(members.remove(0).finish("Try").is_ok());
        assert!(members.remove(0).finish("Try").is_err(), "a key was not taken");
        assert_eq!(parameters.texts("C"), Vec::<String>::new());
        assert!(parameters.finish("Try").is_err(), "a list has a gap");
    }

    #[test]
    fn rejects_a_repeated_parameter() {
        assert!(Parameters::read(b"A=1&A=1").is_err());
    }

    #[test]
    fn rejects_numbers_and_choices_out_of_bounds() {
        for (text, expected) in [
            ("1", Some(1)),
            ("9", Some(9)),
            ("0", None),
            ("10", None),
            ("-1", None),
            ("x", None),
            ("99999999999", None),
        ] {
            assert_eq!(read(&format!("N={text}")).number("N", 1..=9).ok().flatten(), expected, "{text}");
        }
        assert_eq!(read("").number("N", 1..=9).expect("nothing"), None);
        for (text, expected) in [("a", Some(1)), ("b", Some(2)), ("A", None), ("", None)] {
            assert_eq!(
                read(&format!("W={text}")).choice("W", &[("a", 1), ("b", 2)]).ok().flatten(),
                expected,
                "{text}"
            );
        }
        for (text, expected) in [("true", Some(true)), ("false", Some(false)), ("True", None), ("1", None)] {
            assert_eq!(read(&format!("B={text}")).boolean("B").ok().flatten(), expected, "{text}");
        }
    }
}
