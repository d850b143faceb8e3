//! Settings of the S3-compatible bucket for the contents of files and images (`S3_ENDPOINT`,
//! `S3_BUCKET`, `S3_ACCESS_KEY`, `S3_SECRET_KEY`, `S3_REGION`): all of them, or none.

use secrecy::SecretString;
use url::Url;

use super::{ConfigError, Env, is_loopback_url};

#[derive(Debug, Clone)]
pub struct ObjectStorage {
    /// An http or https address without a path.
    pub endpoint: Url,
    pub bucket: String,
    pub access_key: SecretString,
    pub secret_key: SecretString,
    pub region: String,
}

/// Each variable, and what it may be.
const VARIABLES: [(&str, &str); 5] = [
    (
        "S3_ENDPOINT",
        "the storage's https address without a path, such as https://s3.eu-central-1.amazonaws.com, \
         or http://127.0.0.1:9000 for one on this machine",
    ),
    (
        "S3_BUCKET",
        "the bucket's name: 3 to 63 letters, digits, dots, dashes and underscores",
    ),
    ("S3_ACCESS_KEY", "the access key's id, without blanks"),
    ("S3_SECRET_KEY", "the access key's secret, without blanks"),
    (
        "S3_REGION",
        "the bucket's region, such as eu-central-1; us-east-1 for MinIO, garage for Garage",
    ),
];

impl ObjectStorage {
    /// `None` where contents are in the database.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some((set, _)) = VARIABLES.iter().find(|(name, _)| env.var(name).is_some()) else {
            return Ok(None);
        };
        let [endpoint, bucket, access_key, secret_key, region] = VARIABLES;
        let missing = |(name, expected): (&'static str, &str)| {
            let expected = format!(
                "{expected} ({set} is set, and the five S3_ variables are set together or not at all)"
            );
            ConfigError::new(name, "", expected)
        };
        let text = |variable: (&'static str, &str), is_allowed: fn(&str) -> bool| {
            let value = env.var(variable.0).ok_or_else(|| missing(variable))?;
            match is_allowed(&value) {
                true => Ok(value),
                false => Err(ConfigError::new(variable.0, value, variable.1)),
            }
        };
        let secret = |variable: (&'static str, &str)| {
            let secret = env.checked_secret(variable.0, variable.1, is_graphic)?;
            secret.ok_or_else(|| missing(variable))
        };
        let address = env.var(endpoint.0).ok_or_else(|| missing(endpoint))?;
        Ok(Some(Self {
            endpoint: parse_endpoint(&address).ok_or_else(|| {
                // A password in it is not repeated.
                let is_private = address.contains('@');
                let value = if is_private { "(not shown)" } else { &address };
                ConfigError::new(endpoint.0, value, endpoint.1)
            })?,
            bucket: text(bucket, is_bucket)?,
            access_key: secret(access_key)?,
            secret_key: secret(secret_key)?,
            region: text(region, is_region)?,
        }))
    }

    /// Whether contents cross a network unencrypted.
    pub fn is_in_the_clear(&self) -> bool {
        self.endpoint.scheme() == "http" && !is_loopback_url(self.address())
    }

    /// The endpoint without a trailing slash.
    pub fn address(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }
}

fn parse_endpoint(value: &str) -> Option<Url> {
    let url = Url::parse(value).ok()?;
    let is_address = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && ["", "/"].contains(&url.path())
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_address.then_some(url)
}

fn is_bucket(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(is_allowed) && !name.contains("..")
}

fn is_region(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    name.len() <= 63 && name.bytes().all(is_allowed)
}

fn is_graphic(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("S3_ENDPOINT", "https://s3.example.com"),
        ("S3_BUCKET", "codeflow"),
        ("S3_ACCESS_KEY", "AKIAEXAMPLE"),
        ("S3_SECRET_KEY", "hidden-secret"),
        ("S3_REGION", "eu-central-1"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<Option<ObjectStorage>, ConfigError> {
        let env = Env::of(variables.iter().copied(), "/usr/bin/codeflow");
        ObjectStorage::from_env(&env)
    }

    #[test]
    fn the_five_variables_are_set_together_or_not_at_all() {
        assert!(read(&[]).unwrap().is_none());
        let found = read(&GOOD).unwrap().unwrap();
        assert_eq!(found.address(), "https://s3.example.com");
        let printed = format!("{found:?}");
        assert!(!printed.contains("hidden") && !printed.contains("AKIA"));
        for (name, _) in GOOD {
            let others: Vec<_> = GOOD
                .into_iter()
                .filter(|(other, _)| *other != name)
                .collect();
            let line = read(&others).unwrap_err().to_string();
            assert!(
                line.starts_with(&format!("{name} is not set: the ")),
                "{line}"
            );
            assert!(line.contains("together or not at all"), "{line}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_and_a_secret_is_not_repeated() {
        for (name, value) in [
            ("S3_ENDPOINT", "s3.example.com"),
            ("S3_ENDPOINT", "ftp://s3.example.com"),
            ("S3_ENDPOINT", "https://s3.example.com/codeflow"),
            ("S3_ENDPOINT", "https://s3.example.com?bucket=codeflow"),
            ("S3_BUCKET", "a"),
            ("S3_BUCKET", "../other"),
            ("S3_BUCKET", "a/b"),
            ("S3_REGION", "eu central"),
        ] {
            let wrong = [&GOOD[..], &[(name, value)]].concat();
            let line = read(&wrong).unwrap_err().to_string();
            assert!(line.starts_with(&format!("{name}={value}: the ")), "{line}");
        }
        for (name, value) in [
            ("S3_ENDPOINT", "https://me:hidden@s3.example.com"),
            ("S3_ACCESS_KEY", "hidden key"),
            ("S3_SECRET_KEY", "hidden key"),
        ] {
            let wrong = [&GOOD[..], &[(name, value)]].concat();
            let line = read(&wrong).unwrap_err().to_string();
            assert!(
                line.starts_with(&format!("{name}=(not shown): the ")),
                "{line}"
            );
            assert!(!line.contains("hidden"), "{line}");
        }
    }

    #[test]
    fn plain_http_is_noticed_where_it_leaves_the_machine() {
        let plain = |address| {
            let set = [&GOOD[..], &[("S3_ENDPOINT", address)]].concat();
            read(&set).unwrap().unwrap().is_in_the_clear()
        };
        assert!(!plain("https://s3.example.com"));
        assert!(!plain("http://127.0.0.1:9000/"));
        assert!(!plain("http://localhost:9000"));
        assert!(plain("http://minio:9000"));
    }
}
