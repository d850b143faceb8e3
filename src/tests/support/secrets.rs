//! The secrets that tests have used so far. When a server stops, neither its log nor its database
//! may contain one of them.

use std::{collections::BTreeSet, fs, path::Path};

use parking_lot::Mutex;
use regex::bytes::Regex;

/// Shorter texts could be ordinary words.
const MIN_SECRET_BYTES: usize = 16;

static USED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes the token of a request's cookie, and the passwords and keys of its form.
pub fn remember_request(cookie: &str, form: &[(&str, &str)]) {
    if let Some((_, token)) = cookie.split_once('=') {
        remember(token);
    }
    let is_secret = |name: &str| ["password", "current", "key"].contains(&name);
    for (_, secret) in form.iter().filter(|(name, _)| is_secret(name)) {
        remember(secret);
    }
}

/// Notes a password, a key, or the token of a session.
pub fn remember(secret: &str) {
    if secret.len() >= MIN_SECRET_BYTES {
        USED.lock().insert(secret.to_owned());
    }
}

/// The first secret in the log or in a file of the database below this folder, with its place.
pub fn find(log: &str, data: &Path) -> Option<String> {
    let all: Vec<String> = USED.lock().iter().map(|used| regex::escape(used)).collect();
    if all.is_empty() {
        return None;
    }
    let any = Regex::new(&all.join("|")).unwrap();
    let in_text = |text: &[u8]| {
        let found = any.find(text)?;
        Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
    };
    if let Some(secret) = in_text(log.as_bytes()) {
        return Some(format!("{secret} in the log"));
    }
    let files = fs::read_dir(data).ok()?.flatten();
    let is_database = |name: &str| name.starts_with("codeflow.sqlite");
    files
        .filter(|file| file.file_name().to_str().is_some_and(is_database))
        .find_map(|file| {
            let secret = in_text(&fs::read(file.path()).ok()?)?;
            Some(format!("{secret} in {}", file.path().display()))
        })
}

#[test]
fn a_secret_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    remember("a secret of this test alone");
    assert_eq!(find("nothing", folder.path()), None);
    let log = "ERROR a secret of this test alone";
    assert!(find(log, folder.path()).unwrap().ends_with("in the log"));
    fs::write(folder.path().join("codeflow.sqlite-wal"), log).unwrap();
    assert!(find("nothing", folder.path()).is_some());
}
