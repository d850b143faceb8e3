//! `codeflow reset --staging`: empties the database of a staging server.

use std::io::{BufRead, Write};

use anyhow::bail;

use super::database::{DataLock, open_store};
use crate::config::{self, Env, Environment};

/// The word to type as confirmation.
const WORD: &str = "reset";

/// Deletes all rows and files of the database, after the word was typed or if `confirmed`. Refuses
/// in any environment but staging, and while a server is running. Returns a message for the user.
pub async fn reset(env: &Env, confirmed: bool) -> anyhow::Result<String> {
    if Environment::from_env(env)? != Environment::Staging {
        bail!(
            "only a staging server is reset, and this one is none; CODEFLOW_ENV=staging makes it one"
        );
    }
    let settings = config::Server::from_env(env)?;
    let _lock = DataLock::take(&settings.data_dir)?;
    if !confirmed && !is_confirmed()? {
        bail!("nothing was deleted: “{WORD}” was not typed");
    }
    let store = open_store(&settings.database).await?;
    let emptied = store.empty().await;
    store.close().await;
    emptied?;
    Ok(
        "The database is empty. Its projects' sandboxes go by themselves after the next start."
            .to_owned(),
    )
}

fn is_confirmed() -> anyhow::Result<bool> {
    let question = format!(
        "All accounts, projects, versions and images are deleted for good. Type {WORD} to go on: "
    );
    std::io::stderr().write_all(question.as_bytes())?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == WORD)
}
