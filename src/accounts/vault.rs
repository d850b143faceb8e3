//! Encrypts secrets in the database, with a key that is not in the database: `CODEFLOW_SECRET_KEY`,
//! or a file in the data folder.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config;

/// Seals and opens texts.
#[derive(Debug)]
pub struct Vault {
    key: LessSafeKey,
}

impl Vault {
    /// With the key from the settings, or from its file, which is created if it is missing.
    pub fn open(settings: &config::SecretKey) -> anyhow::Result<Self> {
        let (key, place) = match &settings.key {
            Some(key) => (key.clone(), "CODEFLOW_SECRET_KEY".to_owned()),
            None => {
                let file = &settings.file;
                let unusable = || format!("the key file {} can't be used", file.display());
                let key = read_or_make(file).with_context(unusable)?;
                (key, format!("the key file {}", file.display()))
            }
        };
        let mut bytes = [0; 32];
        hex::decode_to_slice(key.expose_secret().trim(), &mut bytes)
            .map_err(|_| anyhow::anyhow!("{place} must hold 64 hexadecimal digits"))?;
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| anyhow::anyhow!("ring"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
        })
    }

    /// Encrypts the secret. It can be decrypted only under the same name, such as one user's.
    pub fn seal(&self, what: &str, secret: &[u8]) -> anyhow::Result<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = secret.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(unique, Aad::from(what.as_bytes()), &mut sealed)
            .map_err(|_| anyhow::anyhow!("a secret can't be encrypted"))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The secret, if this key sealed it under the name `what`.
    pub fn unseal(&self, what: &str, sealed: &str) -> anyhow::Result<Vec<u8>> {
        let opened = || {
            let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
            let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut rest = rest.to_vec();
            let opened = self
                .key
                .open_in_place(nonce, Aad::from(what.as_bytes()), &mut rest);
            opened.ok().map(|secret| secret.to_vec())
        };
        opened().context("a secret can't be decrypted: the key is not the one it was saved with")
    }
}

/// The key in the file. If it is missing, a new key is written atomically and only once, even by
/// two processes at a time.
fn read_or_make(file: &Path) -> io::Result<SecretString> {
    if !file.exists() {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        let part = file.with_extension(format!("{}-{:x}", std::process::id(), key[0]));
        let mut new = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        writeln!(new, "{}", hex::encode(key))?;
        new.sync_all()?;
        let linked = fs::hard_link(&part, file);
        fs::remove_file(&part)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
    }
    fs::read_to_string(file).map(SecretString::from)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_as_what_it_was_sealed_as() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |key: Option<&str>| config::SecretKey {
            key: key.map(SecretString::from),
            file: folder.path().join("secret.key"),
        };
        let vault = Vault::open(&settings(None)).unwrap();
        let sealed = vault.seal("ada", b"secret").unwrap();
        assert_ne!(vault.seal("ada", b"secret").unwrap(), sealed);
        let again = Vault::open(&settings(None)).unwrap();
        assert_eq!(again.unseal("ada", &sealed).unwrap(), b"secret");
        assert!(again.unseal("eve", &sealed).is_err());
        let other = Vault::open(&settings(Some(&"0f".repeat(32)))).unwrap();
        assert!(other.unseal("ada", &sealed).is_err());
        for damaged in ["", "x", "AAAA", &sealed[1..], &format!("{sealed}AA")] {
            assert!(vault.unseal("ada", damaged).is_err(), "{damaged}");
        }
        let mode = folder.path().join("secret.key").metadata().unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(folder.path().join("secret.key"), "short").unwrap();
        let error = Vault::open(&settings(None)).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
