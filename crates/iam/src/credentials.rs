//! Credentials that were handed out, as people and tools keep them.
//!
//! Owns their forms. Secrets are shown there and nowhere else: no `Debug`, no error and no log holds one.

use std::fmt;

use serde_json::{Value, json};

/// Text that nobody sees by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes it in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Shows it, to whoever asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCredentials {
    /// The user, where they are permanent.
    pub user: Option<String>,
    /// `AKIA…`, `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretValue,
    /// The session's token, where they are temporary.
    pub session_token: Option<SecretValue>,
    /// When they were made, RFC 3339.
    pub created: Option<String>,
    /// When they end, RFC 3339.
    pub expires: Option<String>,
}

/// How they are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsFormat {
    /// As AWS's API answers them.
    Json,
    /// A profile of `~/.aws/credentials`.
    Ini,
    /// Lines for a shell.
    Env,
    /// What `credential_process` prints. Source: AWS SDKs and Tools reference, "Process credential provider".
    Process,
    /// What an endpoint answers that `AWS_CONTAINER_CREDENTIALS_FULL_URI` names. Source: the same, "Container credential
    /// provider".
    Container,
}

impl IssuedCredentials {
    /// As text that ends in a line feed.
    #[must_use]
    pub fn write(&self, form: CredentialsFormat) -> String {
        let secret = self.secret_access_key.reveal();
        let token = self.session_token.as_ref().map(SecretValue::reveal);
        let rows = |names: [&str; 3]| {
            let [key, hidden, session] = names;
            let token = token.map(|token| (session.to_owned(), token.to_owned()));
            [(key.to_owned(), self.access_key_id.clone()), (hidden.to_owned(), secret.to_owned())]
                .into_iter()
                .chain(token)
        };
        match form {
            CredentialsFormat::Json | CredentialsFormat::Process | CredentialsFormat::Container => {
                let value = self.value(form);
                serde_json::to_string_pretty(&value).unwrap_or_else(|_| value.to_string()) + "\n"
            }
            CredentialsFormat::Ini => {
                let lines = rows(["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]);
                lines.fold("[default]\n".to_owned(), |text, (name, value)| text + &format!("{name}={value}\n"))
            }
            // Keys and tokens are letters, digits and `+/=_-`; whatever else came would end a quoted text.
            CredentialsFormat::Env => rows(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
                .fold(String::new(), |text, (name, value)| {
                    text + &format!("export {name}='{}'\n", value.replace('\'', ""))
                }),
        }
    }

    fn value(&self, form: CredentialsFormat) -> Value {
        let mut value = serde_json::Map::new();
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                value.insert(name.to_owned(), json!(text));
            }
        };
        let permanent = self.user.is_some() && form == CredentialsFormat::Json;
        if permanent {
            put("UserName", self.user.as_deref());
        }
        put("AccessKeyId", Some(&self.access_key_id));
        if permanent {
            put("Status", Some("Active"));
        }
        put("SecretAccessKey", Some(self.secret_access_key.reveal()));
        let token = if form == CredentialsFormat::Container { "Token" } else { "SessionToken" };
        put(token, self.session_token.as_ref().map(SecretValue::reveal));
        if permanent {
            put("CreateDate", self.created.as_deref());
        }
        put("Expiration", self.expires.as_deref());
        if form == CredentialsFormat::Process {
            value.insert("Version".to_owned(), json!(1));
        }
        Value::Object(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> IssuedCredentials {
        IssuedCredentials {
            user: None,
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: SecretValue::new("hidden+/="),
            session_token: Some(SecretValue::new("token==")),
            created: None,
            expires: Some("2026-11-22T10:00:00Z".to_owned()),
        }
    }

    #[test]
    fn each_form_is_what_its_readers_take() {
        let temporary = temporary();
        assert_eq!(
            temporary.write(CredentialsFormat::Ini),
            "[default]\naws_access_key_id=ASIAEXAMPLE\naws_secret_access_key=hidden+/=\naws_session_token=token==\n"
        );
        assert_eq!(
            temporary.write(CredentialsFormat::Env),
            "export AWS_ACCESS_KEY_ID='ASIAEXAMPLE'\nexport AWS_SECRET_ACCESS_KEY='hidden+/='\nexport AWS_SESSION_TOKEN='token=='\n"
        );
        let process: Value = serde_json::from_str(&temporary.write(CredentialsFormat::Process)).unwrap();
        assert_eq!((process["Version"].as_u64(), process["SessionToken"].as_str()), (Some(1), Some("token==")));
        let container: Value = serde_json::from_str(&temporary.write(CredentialsFormat::Container)).unwrap();
        assert_eq!((container.get("Version"), container["Token"].as_str()), (None, Some("token==")));
        let permanent =
            IssuedCredentials { user: Some("lea".to_owned()), session_token: None, expires: None, ..temporary };
        let json: Value = serde_json::from_str(&permanent.write(CredentialsFormat::Json)).unwrap();
        assert_eq!((json["UserName"].as_str(), json["Status"].as_str()), (Some("lea"), Some("Active")));
    }

    #[test]
    fn no_secret_is_shown_by_accident() {
        let said = format!("{:?}", temporary());
        assert!(!said.contains("hidden") && !said.contains("token=="), "{said}");
    }
}
