//! Issued credentials and their output formats. These formats are the only place that shows secrets: `Debug`, errors and
//! logs never do.

use std::fmt;

use serde_json::{Value, json};

/// A secret that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret.
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

/// Credentials that AWS issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCredentials {
    /// The user, for permanent credentials.
    pub user: Option<String>,
    /// `AKIA…`, `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretValue,
    /// The session token, for temporary credentials.
    pub session_token: Option<SecretValue>,
    /// Creation time, as RFC 3339.
    pub created: Option<String>,
    /// Expiration time, as RFC 3339.
    pub expires: Option<String>,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsFormat {
    /// JSON, as the AWS API returns them.
    Json,
    /// A profile of `~/.aws/credentials`.
    Ini,
    /// `export` lines for a shell.
    Env,
    /// The output of a `credential_process`. Source: AWS SDKs and Tools reference, "Process credential provider".
    Process,
    /// The response of the endpoint in `AWS_CONTAINER_CREDENTIALS_FULL_URI`. Source: same reference, "Container credential
    /// provider".
    Container,
}

impl IssuedCredentials {
    /// The credentials as text, with a final line feed.
    #[must_use]
    pub fn write(&self, format: CredentialsFormat) -> String {
        let secret = self.secret_access_key.reveal();
        let token = self.session_token.as_ref().map(SecretValue::reveal);
        let rows = |names: [&str; 3]| {
            let [key, secret_name, session] = names;
            let token = token.map(|token| (session.to_owned(), token.to_owned()));
            [(key.to_owned(), self.access_key_id.clone()), (secret_name.to_owned(), secret.to_owned())]
                .into_iter()
                .chain(token)
        };
        match format {
            CredentialsFormat::Json | CredentialsFormat::Process | CredentialsFormat::Container => {
                let value = self.value(format);
                serde_json::to_string_pretty(&value).unwrap_or_else(|_| value.to_string()) + "\n"
            }
            CredentialsFormat::Ini => self.profile("default"),
            // Keys and tokens have no quotes. If one had, it would end the quoted string.
            CredentialsFormat::Env => rows(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
                .fold(String::new(), |text, (name, value)| {
                    text + &format!("export {name}='{}'\n", value.replace('\'', ""))
                }),
        }
    }

    /// A profile of `~/.aws/credentials`.
    fn profile(&self, name: &str) -> String {
        let mut text = format!("[{name}]\naws_access_key_id={}\n", self.access_key_id);
        text += &format!("aws_secret_access_key={}\n", self.secret_access_key.reveal());
        if let Some(token) = &self.session_token {
            text += &format!("aws_session_token={}\n", token.reveal());
        }
        text
    }

    fn value(&self, format: CredentialsFormat) -> Value {
        let mut value = serde_json::Map::new();
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                value.insert(name.to_owned(), json!(text));
            }
        };
        let permanent = self.user.is_some() && format == CredentialsFormat::Json;
        if permanent {
            put("UserName", self.user.as_deref());
        }
        put("AccessKeyId", Some(&self.access_key_id));
        if permanent {
            put("Status", Some("Active"));
        }
        put("SecretAccessKey", Some(self.secret_access_key.reveal()));
        let token = if format == CredentialsFormat::Container { "Token" } else { "SessionToken" };
        put(token, self.session_token.as_ref().map(SecretValue::reveal));
        if permanent {
            put("CreateDate", self.created.as_deref());
        }
        put("Expiration", self.expires.as_deref());
        if format == CredentialsFormat::Process {
            value.insert("Version".to_owned(), json!(1));
        }
        Value::Object(value)
    }
}

/// The credentials of several users as one text, with a final line feed: profiles with the names of the users, or a list.
#[must_use]
pub fn write_all(issued: &[IssuedCredentials], format: CredentialsFormat) -> String {
    if format == CredentialsFormat::Ini {
        let name = |one: &IssuedCredentials| one.user.clone().unwrap_or_else(|| "default".to_owned());
        return issued.iter().map(|one| one.profile(&name(one))).collect::<Vec<_>>().join("\n");
    }
    let list = Value::Array(issued.iter().map(|one| one.value(format)).collect());
    serde_json::to_string_pretty(&list).unwrap_or_else(|_| list.to_string()) + "\n"
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
    fn writes_every_format() {
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
    fn debug_shows_no_secret() {
        let text = format!("{:?}", temporary());
        assert!(!text.contains("hidden") && !text.contains("token=="), "{text}");
    }
}
