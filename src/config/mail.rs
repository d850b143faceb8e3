//! Settings of e-mail: the mail server (`SMTP_URL`) and the sender (`SMTP_FROM`).

use lettre::{AsyncSmtpTransport, Tokio1Executor, message::Mailbox};
use secrecy::SecretString;

use super::{ConfigError, Env, server};

#[derive(Debug, Clone)]
pub struct Mail {
    /// The server's address, with user and password if it requires them.
    pub url: SecretString,
    pub from: Mailbox,
}

impl Mail {
    /// `None` where the server sends no e-mail.
    pub fn from_env(env: &Env, public_url: &str) -> Result<Option<Self>, ConfigError> {
        let Some(url) = env.var("SMTP_URL") else {
            return Ok(None);
        };
        if AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).is_err() {
            // The value may contain a password, so it is not repeated.
            let expected = "an address such as smtps://user:password@mail.example.com, or \
                smtp://mail.example.com:587?tls=required";
            return Err(ConfigError::new("SMTP_URL", "(not shown)", expected));
        }
        let authority = public_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = server::host_of(authority);
        let from = match env.var("SMTP_FROM") {
            Some(from) => from.parse().map_err(|_| {
                let expected = "a sender, such as CodeFlow <codeflow@example.com>";
                ConfigError::new("SMTP_FROM", from, expected)
            })?,
            None => format!("CodeFlow <codeflow@{host}>").parse().map_err(|_| {
                let expected = "the sender of e-mail, such as CodeFlow <codeflow@example.com>";
                ConfigError::new("SMTP_FROM", "", expected)
            })?,
        };
        Ok(Some(Self {
            url: url.into(),
            from,
        }))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_named_or_of_the_sites_host_and_a_password_is_never_repeated() {
        let mail = |variables: &[(&str, &str)], public_url| {
            let env = Env::of(variables.iter().copied(), "/usr/bin/codeflow");
            Mail::from_env(&env, public_url)
        };
        assert!(mail(&[], "http://localhost:3000").unwrap().is_none());
        let url = ("SMTP_URL", "smtps://me:secret@mail.example.com");
        let found = mail(&[url], "https://build.example.com").unwrap().unwrap();
        assert_eq!(
            found.from.to_string(),
            "CodeFlow <codeflow@build.example.com>"
        );
        assert!(!format!("{found:?}").contains("secret"));
        let local = mail(&[url], "http://localhost:3000").unwrap().unwrap();
        assert_eq!(local.from.email.to_string(), "codeflow@localhost");
        let from = ("SMTP_FROM", "Builds <noreply@example.com>");
        let named = mail(&[url, from], "http://10.0.0.1").unwrap().unwrap();
        assert_eq!(named.from.email.to_string(), "noreply@example.com");
        for wrong in ["mail.example.com", "http://me:secret@mail.example.com"] {
            let error = mail(&[("SMTP_URL", wrong)], "http://localhost").unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = mail(&[url, ("SMTP_FROM", "nobody")], "http://localhost").unwrap_err();
        assert!(error.to_string().starts_with("SMTP_FROM=nobody: a sender"));
    }
}
