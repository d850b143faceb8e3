//! Values that must not be sent to a model: keys and passwords in files, in commands' output, and
//! in messages. The rules never fail open: the server does not start if one of them does not
//! compile.

use regex::{Captures, Regex};

use crate::llm::ChatMessage;

/// The replacement for a value.
pub const PLACEHOLDER: &str = "[secret left out]";

/// How far around an assignment its line is read, in bytes, because some programs are a single
/// line.
const NEARBY: usize = 512;

/// The rules that find secrets, as regular expressions.
struct Rules {
    /// Values recognized by their form.
    keys: &'static str,
    /// Private keys in PEM.
    private_keys: &'static str,
    /// Passwords in addresses: `scheme://user:password@host`.
    passwords: &'static str,
    /// Names that look like a secret's, with a value, anywhere in a line: `.env` files and
    /// `printenv` have `NAME=value`, a printed environment object has `NAME: 'value'`. For a value
    /// without quotes it matches the first character. [`Redactor::end_of_secret`] judges whether
    /// the value is a secret.
    assignments: &'static str,
    /// What may precede an assignment on its line: nothing, or its position as `cat -n` and `grep
    /// -n` print it.
    line_start: &'static str,
}

/// The prefixes are the providers' own; see github.com/gitleaks/gitleaks.
const RULES: Rules = Rules {
    keys: r"(?x)
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
          | cf_[A-Za-z0-9_-]{43}                          # CodeFlow
          | hf_[A-Za-z0-9]{30,}                           # Hugging Face
          | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}    # SendGrid
          | eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,} # signed tokens
        )",
    private_keys: r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    passwords: r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)(?P<password>[^\s@/]{3,})@",
    assignments: r#"(?x)
        (?P<export>\b(?:export|declare\ -[a-zA-Z]+)[\ \t]+)?
        \b(?P<name>[A-Za-z0-9_]*(?i:KEY|SECRET|TOKEN|PASS|PASSWORD|PASSWD|PASSPHRASE|PWD|AUTH|CREDENTIAL|DSN|DATABASE_URL)[A-Za-z0-9_]*)
        ["']?(?P<sign>[\ \t]*[=:][\ \t]*)
        (?P<value>"[^"\r\n]*"|'[^'\r\n]*'|[^\s"'\#=>])"#,
    line_start: r"^[+-]?[ \t]*(?:\d+[ \t]+|[^\s:=]+[:-](?:\d+[:-])?[ \t]*)?$",
};

/// Removes the values of keys and passwords from texts.
pub struct Redactor {
    keys: Regex,
    private_keys: Regex,
    passwords: Regex,
    assignments: Regex,
    line_start: Regex,
    /// Values that are known to be secret.
    known: Vec<String>,
}

impl Redactor {
    /// Compiles the rules: all of them, or none. `known` are values that are removed wherever they
    /// are.
    pub fn new(known: &[String]) -> Result<Self, regex::Error> {
        Ok(Self {
            known: known.to_vec(),
            ..Self::compile(&RULES)?
        })
    }

    fn compile(rules: &Rules) -> Result<Self, regex::Error> {
        Ok(Self {
            keys: Regex::new(rules.keys)?,
            private_keys: Regex::new(rules.private_keys)?,
            passwords: Regex::new(rules.passwords)?,
            assignments: Regex::new(rules.assignments)?,
            line_start: Regex::new(rules.line_start)?,
            known: Vec::new(),
        })
    }

    /// The messages as they may leave this machine.
    pub fn redact_messages(&self, messages: &[ChatMessage]) -> Vec<ChatMessage> {
        messages
            .iter()
            .map(|message| message.map_content(|text| self.redact(text)))
            .collect()
    }

    /// The text without the values of keys and passwords.
    pub fn redact(&self, text: &str) -> String {
        let text = self.without_assigned(&without(text, &self.known));
        let text = self.private_keys.replace_all(&text, PLACEHOLDER);
        let text = self.keys.replace_all(&text, PLACEHOLDER);
        self.passwords
            .replace_all(&text, |found: &Captures<'_>| {
                format!("{}{PLACEHOLDER}@", &found["before"])
            })
            .into_owned()
    }

    /// The text without the values that are assigned to names of secrets.
    fn without_assigned(&self, text: &str) -> String {
        let (mut kept, mut from, mut at) = (String::with_capacity(text.len()), 0, 0);
        while let Some(found) = self.assignments.captures_at(text, at) {
            let Some(begin) = found.name("value").map(|value| value.start()) else {
                break;
            };
            at = begin;
            if let Some(end) = self.end_of_secret(text, &found) {
                kept.push_str(&text[from..begin]);
                kept.push_str(PLACEHOLDER);
                (from, at) = (end, end);
            }
        }
        kept.push_str(&text[from..]);
        kept
    }

    /// The end of an assignment's value, if it is a secret. In a line of an environment, the name
    /// alone decides. In code, where names such as `STORAGE_KEY` and `FORGOT_PASSWORD` are common,
    /// the value must look like a secret too.
    fn end_of_secret(&self, text: &str, found: &Captures<'_>) -> Option<usize> {
        let (name, sign, value) = (
            found.name("name")?,
            found.name("sign")?.as_str(),
            found.name("value")?,
        );
        let capitals = !name
            .as_str()
            .contains(|letter: char| letter.is_ascii_lowercase());
        let small = !name
            .as_str()
            .contains(|letter: char| letter.is_ascii_uppercase());
        let strength = strength(name.as_str()).filter(|_| capitals || small)?;
        let exported = found.name("export").is_some();
        let (assigned, tight) = (sign.contains('='), sign == "=");
        // Other single-word names belong to variables and fields.
        let of_env_style = capitals || name.as_str().contains('_');

        if let Some(inner) = value.as_str().strip_prefix(['"', '\'']) {
            let inner = &inner[..inner.len() - 1];
            let is_last = || {
                let after = line_at(text, value.end()).trim_start();
                after.is_empty() || after.starts_with('#')
            };
            let of_env = capitals && assigned && (tight || exported) && is_last();
            let is_secret = is_value(inner) && (of_env || (of_env_style && strength.fits(inner)));
            return is_secret.then_some(value.end());
        }
        let word = line_at(text, value.start()).trim_end();
        if !is_value(word) {
            return None;
        }
        let one_word = !word
            .contains(|letter: char| letter.is_whitespace() || "\"'`,;(){}[]<>".contains(letter));
        let is_secret = if assigned {
            let has_its_line = || exported || self.starts_line(&text[..name.start()]);
            let is_count =
                small && word.len() < 6 && word.bytes().all(|letter| letter.is_ascii_digit());
            (capitals && tight)
                || (one_word
                    && ((tight && strength.fits(word))
                        || ((tight || capitals) && !is_count && has_its_line())))
        } else {
            one_word && of_env_style && strength.fits(word)
        };
        is_secret.then(|| {
            text[value.start()..]
                .find(['\r', '\n'])
                .map_or(text.len(), |length| value.start() + length)
        })
    }

    /// Whether what follows is at the beginning of its line.
    fn starts_line(&self, before: &str) -> bool {
        let near = &before[before.floor_char_boundary(before.len().saturating_sub(NEARBY))..];
        let begin = near
            .rfind('\n')
            .map(|at| at + 1)
            .or((near.len() == before.len()).then_some(0));
        begin.is_some_and(|begin| self.line_start.is_match(&near[begin..]))
    }
}

/// The text without these values.
pub fn without(text: &str, values: &[String]) -> String {
    let mut text = text.to_owned();
    for value in values.iter().filter(|value| !value.is_empty()) {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), PLACEHOLDER);
        }
    }
    text
}

/// The rest of the line from this offset, as far as it is read.
fn line_at(text: &str, begin: usize) -> &str {
    let near = &text[begin..text.floor_char_boundary(begin + NEARBY)];
    near.lines().next().unwrap_or_default()
}

/// Whether it is a non-empty value, and not code that reads one.
fn is_value(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('$')
        && !text.contains("process.env")
        && !text.contains(PLACEHOLDER)
}

/// How likely a name is that of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    /// Such as `DB_PASSWORD` and `API_KEY`.
    Sure,
    /// A key may open a door, or belong to a map or a keyboard.
    Key,
}

impl Strength {
    /// Whether the value looks like a secret: no word, no identifier, no route.
    fn fits(self, value: &str) -> bool {
        let value = value.trim_end_matches(['.', '!', '?', ':', '…']);
        let is_word = |part: &str| {
            let number = part.strip_prefix(['v', 'V']).unwrap_or(part);
            part.chars().all(char::is_alphabetic)
                || number.bytes().all(|letter| letter.is_ascii_digit())
        };
        let least = match self {
            Self::Sure => 6,
            Self::Key => 16,
        };
        value.len() >= least
            && !value.contains(|letter: char| letter.is_whitespace() || "{}()[]<>".contains(letter))
            && !value
                .split(['-', '_', '.', ':', '/', '?', '&', '='])
                .all(is_word)
    }
}

/// How likely the name is that of a secret; `None` if it is not.
fn strength(name: &str) -> Option<Strength> {
    let name = name.to_ascii_lowercase();
    // The shell's own variables for folders.
    if ["pwd", "oldpwd"].contains(&name.as_str()) {
        return None;
    }
    let sure = [
        "secret",
        "secrets",
        "token",
        "pass",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "credential",
        "credentials",
        "dsn",
    ];
    let parts: Vec<&str> = name
        .split('_')
        .map(|part| part.trim_end_matches(|letter: char| letter.is_ascii_digit()))
        .collect();
    let is_sure =
        |part: &&str| sure.iter().any(|word| part.ends_with(word)) || part.ends_with("apikey");
    let before_key = [
        "access",
        "api",
        "encryption",
        "master",
        "private",
        "secret",
        "service",
        "signing",
    ];
    let key_pair = |pair: &[&str]| before_key.contains(&pair[0]) && pair[1] == "key";
    if parts.iter().any(is_sure)
        || parts.windows(2).any(key_pair)
        || name.contains("database_url")
        || parts.last() == Some(&"auth")
    {
        Some(Strength::Sure)
    } else {
        parts
            .iter()
            .any(|part| part.ends_with("key"))
            .then_some(Strength::Key)
    }
}

/// Whether a file's name says that it contains secrets: `.env` and similar, except samples.
pub fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let sample = ["example", "sample", "template"]
        .iter()
        .any(|word| name.ends_with(word));
    (name == ".env" || name.starts_with(".env.")) && !sample
}

/// Fails if a model would overwrite a value with its placeholder.
pub fn refuse_placeholder(path: &str, content: &str) -> Result<(), String> {
    if content.contains(PLACEHOLDER) {
        return Err(format!(
            "the text for {path} has {PLACEHOLDER:?} in it, which stands for a value that you were \
             not shown. Change the other lines with editFile, or read the value from process.env"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn redact(text: &str) -> String {
        Redactor::new(&[]).unwrap().redact(text)
    }

    #[test]
    fn a_rule_that_does_not_compile_is_an_error_and_never_skipped() {
        assert!(Redactor::new(&[]).is_ok());
        let broken = "(";
        for rules in [
            Rules {
                keys: broken,
                ..RULES
            },
            Rules {
                private_keys: broken,
                ..RULES
            },
            Rules {
                passwords: broken,
                ..RULES
            },
            Rules {
                assignments: broken,
                ..RULES
            },
            Rules {
                line_start: broken,
                ..RULES
            },
        ] {
            assert!(Redactor::compile(&rules).is_err());
        }
    }

    #[test]
    fn values_of_keys_are_left_out_and_the_rest_stays() {
        let text = "OPENAI_API_KEY=sk-proj-abcdefghijklmnopqrstuvwx\nPORT=3000\nexport DB_PASSWORD = 'hunter2 and more'\n\
                    const key = \"AIzaSyA1234567890abcdefghijklmnopqrstuv\";\npostgres://me:s3cret@db/x\n\
                    -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend";
        assert_eq!(
            redact(text),
            "OPENAI_API_KEY=[secret left out]\nPORT=3000\nexport DB_PASSWORD = [secret left out]\n\
             const key = \"[secret left out]\";\npostgres://me:[secret left out]@db/x\n[secret left out]\nend"
        );
    }

    #[test]
    fn values_are_left_out_wherever_an_environment_is_printed() {
        for (text, value) in [
            ("SMTP_PASS=letmein", "letmein"),
            ("DB_PASS='let me in'", "'let me in'"),
            ("MYSQL_PWD=hunter2", "hunter2"),
            ("REDIS_AUTH=hunter", "hunter"),
            ("GOOGLE_CREDENTIALS=abc", "abc"),
            ("PGPASSWORD=abc", "abc"),
            ("STRIPE_KEY=\"abc\" # mine", "\"abc\""),
            ("JWT_SECRET_2 = abc", "abc"),
            ("db_password=hunter", "hunter"),
            ("password=hunter2", "hunter2"),
            ("db_password: hunter2", "hunter2"),
            // cat -n, grep -rn, grep -r, grep -C, diff, docker-compose.yml
            ("     2\tDB_PASSWORD=hunter", "hunter"),
            (".env:2:DB_PASSWORD=hunter", "hunter"),
            (".env:2:db_password=hunter", "hunter"),
            ("./apps/a/.env.local:DB_PASSWORD=hunter", "hunter"),
            (".env-3-smtp_pass=hunter", "hunter"),
            ("+DB_PASSWORD=hunter", "hunter"),
            ("      - DB_PASSWORD=hunter", "hunter"),
            ("declare -x DB_PASSWORD=\"hunter two\"", "\"hunter two\""),
            ("declare -x db_password=hunter", "hunter"),
            // node -p process.env, and as JSON
            ("  DB_PASSWORD: 'hunter2',", "'hunter2'"),
            (
                "{ PORT: '1', SECRET_KEY: 'tr0ub4dor&3', A: '2' }",
                "'tr0ub4dor&3'",
            ),
            ("{\"DB_PASSWORD\":\"hunter2\",\"PORT\":1}", "\"hunter2\""),
            (
                "  STRIPE_KEY: '8f14e45fceea167a5a36'",
                "'8f14e45fceea167a5a36'",
            ),
            (
                "export const API_KEY = \"8f14e45fceea167a\";",
                "\"8f14e45fceea167a\"",
            ),
            ("if (DB_PASSWORD) { DB_PASSWORD: 'hunter2' }", "'hunter2'"),
            ("GET /hook?token=8f14e45f", "8f14e45f"),
        ] {
            assert_eq!(redact(text), text.replace(value, PLACEHOLDER), "{text}");
            let once = redact(text);
            assert_eq!(redact(&once), once, "redacting twice changes nothing");
        }
    }

    #[test]
    fn code_and_prose_about_keys_are_left_alone() {
        for text in [
            "const API_KEY = process.env.API_KEY;",
            "const keyboard = 'sk-short';",
            "onKeyDown={handleKey}",
            "https://example.com:8080/a@b",
            "MAX_TOKENS",
            "MAX_TOKENS=4096",
            "PWD=/home/user",
            "API_KEY=$OTHER_KEY",
            "API_KEY=",
            "API_KEY= # to be set",
            "<li key={item.id}>",
            "enum Key { KEY_UP = \"ArrowUp\", }",
            "  KEY_UP = \"ArrowUp\",",
            "  KEY_ONE: \"Digit1\",",
            "PASSWORD = \"password\",",
            "  PASSWORD = \"password\"",
            "const STORAGE_KEY = \"todos\";",
            "const STORAGE_KEY = \"kanban-board-v2\";",
            "const TOKEN_KEY = \"app:auth_token:2024\";",
            "API_KEY: string;",
            "  AUTH_TOKEN: string",
            "password: z.string().min(8)",
            "  password: z.string().min(8, \"At least 8 characters\"),",
            "  PASSWORD_HINT: \"At least 8 characters!\",",
            "  FORGOT_PASSWORD: \"/forgot-password\",",
            "const [password, setPassword] = useState(\"\")",
            "<Input type=\"password\" name=\"password\" autoComplete=\"current-password\" />",
            "  password=\"hunter2\"",
            "  token={token}",
            "const password = watch(\"password\");",
            "if (token == other1) return;",
            "const secret = await sign(user, secrets);",
            "type Props = { author: string; pass: boolean };",
            "{ email: \"demo@example.com\", password: \"demo1234\" }",
            "const keys = { ArrowUp: 1 };",
            "pass=3",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn secret_files_are_known_by_name_and_samples_are_not_secret() {
        assert!(is_secret_file(".env") && is_secret_file("apps/a/.env.local"));
        assert!(!is_secret_file(".env.example") && !is_secret_file("lib/env.ts"));
        assert!(refuse_placeholder("a", "KEY=[secret left out]").is_err());
    }
}
