//! Settings of the app's own server.

use std::path::{Path, PathBuf};

use super::{ConfigError, data_dir, var};

/// Where the app listens, how people reach it, and where it stores things.
#[derive(Debug, Clone)]
pub struct Server {
    /// `PUBLIC_URL` without a slash at its end.
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database: Database,
}

/// Which database (`DATABASE_URL`).
#[derive(Debug, Clone, PartialEq)]
pub enum Database {
    /// A SQLite file, the default: `codeflow.sqlite` in the data folder.
    File(PathBuf),
    /// A `sqlite:` or `postgres:` URL.
    Url(String),
}

impl Server {
    pub fn from_env() -> Result<Self, ConfigError> {
        let data_dir = data_dir().map_err(|error| ConfigError::new("CODEFLOW_DATA_DIR", "./data", format!("no such folder: {error}")))?;
        Ok(Self {
            public_url: public_url(var("PUBLIC_URL"))?,
            database: database(var("DATABASE_URL"), &data_dir)?,
            data_dir,
        })
    }
}

/// `PUBLIC_URL` without a slash at its end; the default where there is none.
pub(super) fn public_url(value: Option<String>) -> Result<String, ConfigError> {
    let Some(value) = value else {
        return Ok("http://localhost:3000".to_owned());
    };
    let url = value.trim_end_matches('/');
    let authority = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match authority {
        Some(authority) if !authority.is_empty() && !authority.contains(['/', '?', '#', '@']) => Ok(url.to_owned()),
        _ => Err(ConfigError::new(
            "PUBLIC_URL",
            value,
            "an http or https address without a path, such as https://build.example.com",
        )),
    }
}

fn database(value: Option<String>, data_dir: &Path) -> Result<Database, ConfigError> {
    match value {
        None => Ok(Database::File(data_dir.join("codeflow.sqlite"))),
        Some(url) if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) => Ok(Database::Url(url)),
        // The value may hold a password: it is not repeated.
        Some(_) => Err(ConfigError::new(
            "DATABASE_URL",
            "(not shown)",
            "an address that begins with sqlite: or postgres:",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_names_the_variable_and_a_database_password_is_never_repeated() {
        let error = public_url(Some("localhost:3000".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PUBLIC_URL=localhost:3000: an http or https address without a path, such as https://build.example.com"
        );
        let error = database(Some("mysql://me:secret@db".to_owned()), Path::new("/data")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(public_url(None).unwrap(), "http://localhost:3000");
        assert_eq!(public_url(Some("https://a.example/".to_owned())).unwrap(), "https://a.example");
        assert_eq!(
            database(None, Path::new("/data")).unwrap(),
            Database::File("/data/codeflow.sqlite".into())
        );
    }
}
