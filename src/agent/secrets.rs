//! What must not leave the machine for a model: the values of keys and passwords in files, in the output of commands, and in messages.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::tools::ToolError;
use crate::llm::ChatMessage;

/// What stands where a value was.
pub const PLACEHOLDER: &str = "[secret left out]";

/// Values that are known by their form (the prefixes are the providers' own; see github.com/gitleaks/gitleaks).
static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \b(?:
            sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{20,}      # OpenAI, Anthropic, OpenRouter
          | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}      # Stripe
          | gh[pousr]_[A-Za-z0-9]{30,}                    # GitHub
          | github_pat_[A-Za-z0-9_]{30,}
          | glpat-[A-Za-z0-9_-]{20,}                      # GitLab
          | npm_[A-Za-z0-9]{30,}
          | xox[abeprs]-[A-Za-z0-9-]{10,}                 # Slack
          | AIza[A-Za-z0-9_-]{30,}                        # Google
          | (?:AKIA|ASIA)[A-Z0-9]{16}                     # AWS
          | e2b_[a-f0-9]{30,}
          | hf_[A-Za-z0-9]{30,}                           # Hugging Face
          | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}    # SendGrid
          | eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,} # signed tokens
        )",
    )
    .ok()
});

/// Private keys in PEM.
static PRIVATE_KEYS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----").ok());

/// Lines `NAME=value` whose name says that the value is secret, as `.env` files and `printenv` have them.
static ASSIGNMENTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)^(?P<name>[ \t]*(?:export[ \t]+)?[A-Z0-9_]*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|DSN|DATABASE_URL)[A-Z0-9_]*[ \t]*=[ \t]*)(?P<value>[^\s#][^\r\n]*)"#,
    )
    .ok()
});

/// Passwords in addresses: `scheme://user:password@host`.
static PASSWORDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)(?P<password>[^\s@/]{3,})@").ok());

/// What stands for a match.
type Replace = fn(&Captures<'_>) -> String;

/// The text without the values of keys and passwords.
pub fn leave_out(text: &str) -> String {
    let rules: [(&Option<Regex>, Replace); 4] = [
        (&PRIVATE_KEYS, |_| PLACEHOLDER.to_owned()),
        (&ASSIGNMENTS, |found| {
            let value = &found["value"];
            // Code that reads a variable names no value.
            if value.contains("process.env") || value.contains(PLACEHOLDER) {
                found[0].to_owned()
            } else {
                format!("{}{PLACEHOLDER}", &found["name"])
            }
        }),
        (&KEYS, |_| PLACEHOLDER.to_owned()),
        (&PASSWORDS, |found| format!("{}{PLACEHOLDER}@", &found["before"])),
    ];
    let mut text = text.to_owned();
    for (pattern, replace) in rules {
        if let Some(pattern) = pattern
            && pattern.is_match(&text)
        {
            text = pattern.replace_all(&text, replace).into_owned();
        }
    }
    text
}

/// The messages as they may leave this machine.
pub fn leave_out_of(messages: &[ChatMessage]) -> Vec<ChatMessage> {
    messages.iter().map(|message| message.map_content(leave_out)).collect()
}

/// Whether a file is one that keeps secrets: `.env` and its kin; a sample of one is none.
pub fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let sample = ["example", "sample", "template"].iter().any(|word| name.ends_with(word));
    (name == ".env" || name.starts_with(".env.")) && !sample
}

/// A model that was shown the placeholder must not write it over the value.
pub fn refuse_placeholder(path: &str, content: &str) -> Result<(), ToolError> {
    if content.contains(PLACEHOLDER) {
        return Err(ToolError::RespondToModel(format!(
            "the text for {path} has {PLACEHOLDER:?} in it, which stands for a value that you were not shown. Change the other lines with \
             editFile, or read the value from process.env"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_keys_are_left_out_and_the_rest_stays() {
        let text = "OPENAI_API_KEY=sk-proj-abcdefghijklmnopqrstuvwx\nPORT=3000\nexport DB_PASSWORD = 'hunter2 and more'\n\
                    const key = \"AIzaSyA1234567890abcdefghijklmnopqrstuv\";\npostgres://me:s3cret@db/x\n\
                    -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend";
        assert_eq!(
            leave_out(text),
            "OPENAI_API_KEY=[secret left out]\nPORT=3000\nexport DB_PASSWORD = [secret left out]\n\
             const key = \"[secret left out]\";\npostgres://me:[secret left out]@db/x\n[secret left out]\nend"
        );
    }

    #[test]
    fn code_and_prose_about_keys_are_left_alone() {
        for text in [
            "const API_KEY = process.env.API_KEY;",
            "const keyboard = 'sk-short';",
            "onKeyDown={handleKey}",
            "https://example.com:8080/a@b",
            "MAX_TOKENS",
            "<li key={item.id}>",
        ] {
            assert_eq!(leave_out(text), text);
        }
    }

    #[test]
    fn secret_files_are_known_by_name_and_their_samples_are_none() {
        assert!(is_secret_file(".env") && is_secret_file("apps/a/.env.local"));
        assert!(!is_secret_file(".env.example") && !is_secret_file("lib/env.ts"));
        assert!(refuse_placeholder("a", "KEY=[secret left out]").is_err());
    }
}
