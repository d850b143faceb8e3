//! The source of settings: the environment variables of this process, or those that a test passes
//! to one of several servers in a process.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    path::PathBuf,
    str::FromStr,
};

use secrecy::SecretString;

use super::ConfigError;

/// Environment variables, and the program that they configure.
#[derive(Clone)]
pub struct Env {
    /// `None` for the process's own variables.
    variables: Option<HashMap<String, String>>,
    program: Option<PathBuf>,
}

impl fmt::Debug for Env {
    /// Without the variables, some of which are keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

impl Env {
    /// The process's own variables.
    pub fn of_process() -> Self {
        Self {
            variables: None,
            program: None,
        }
    }

    /// Only these variables; `program` is the `codeflow` binary, for processes that run another
    /// one.
    pub fn of<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
        program: impl Into<PathBuf>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: Some(variables.collect()),
            program: Some(program.into()),
        }
    }

    /// The variable's trimmed value; `None` if it is unset or empty.
    pub fn var(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        }?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A key, a token or a password; `None` if the variable is unset or empty.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.var(name).map(SecretString::from)
    }

    /// Like [`Self::secret`]; a value that isn't `allowed` gives an error that doesn't show it.
    pub fn checked_secret(
        &self,
        name: &'static str,
        expected: &str,
        allowed: impl Fn(&str) -> bool,
    ) -> Result<Option<SecretString>, ConfigError> {
        let value = self.var(name);
        if value.as_deref().is_some_and(|value| !allowed(value)) {
            return Err(ConfigError::new(name, "(not shown)", expected));
        }
        Ok(value.map(SecretString::from))
    }

    /// The variable's value, parsed and checked; `default` if it is unset.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        default: T,
        expected: &str,
        allowed: impl Fn(&T) -> bool,
    ) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(value) = self.var(name) else {
            return Ok(default);
        };
        match value.parse::<T>() {
            Ok(parsed) if allowed(&parsed) => Ok(parsed),
            _ => Err(ConfigError::new(name, value, expected)),
        }
    }

    /// The folder with all of CodeFlow's data (`CODEFLOW_DATA_DIR`, default `./data`), absolute.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        let folder = self
            .var("CODEFLOW_DATA_DIR")
            .unwrap_or_else(|| "./data".to_owned());
        std::path::absolute(&folder).map_err(|error| {
            ConfigError::new(
                "CODEFLOW_DATA_DIR",
                folder,
                format!("the folder can't be found ({error})"),
            )
        })
    }

    /// The path of the `codeflow` binary.
    pub fn program(&self) -> Result<PathBuf, ConfigError> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None => std::env::current_exe().map_err(|error| {
                ConfigError::new(
                    "/proc/self/exe",
                    error.to_string(),
                    "codeflow can't find its own program file; mount /proc",
                )
            }),
        }
    }
}
