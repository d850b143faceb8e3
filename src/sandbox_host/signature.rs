//! Signed URLs of files: whoever has one may read or write that file without the sandbox's token,
//! until it expires.

use axum::http::{Method, Uri};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::clock::now;

/// Why a URL opens nothing; in E2B's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("missing signature query parameter")]
    Missing,
    #[error("invalid signature")]
    Invalid,
    /// It was signed with the token.
    #[error("signature is already expired")]
    Expired,
}

/// Checks that the request's URL is signed with the token.
pub(super) fn check(method: &Method, uri: &Uri, token: &str) -> Result<(), Fault> {
    let query = |name: &str| {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .ok()?
            .0;
        pairs
            .into_iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    };
    let Some(given) = query("signature") else {
        return Err(Fault::Missing);
    };
    let operation = if method == Method::GET {
        "read"
    } else {
        "write"
    };
    let (path, user) = (
        query("path").unwrap_or_default(),
        query("username").unwrap_or_default(),
    );
    let expires = query("signature_expiration");
    let signature = signature(&path, operation, &user, token, expires.as_deref());
    if !bool::from(signature.as_bytes().ct_eq(given.as_bytes())) {
        return Err(Fault::Invalid);
    }
    match expires.map(|expires| expires.parse::<u64>()) {
        Some(Ok(expires)) if expires >= now() / 1000 => Ok(()),
        Some(_) => Err(Fault::Expired),
        None => Ok(()),
    }
}

fn signature(
    path: &str,
    operation: &str,
    user: &str,
    token: &str,
    expires: Option<&str>,
) -> String {
    let mut text = format!("{path}:{operation}:{user}:{token}");
    if let Some(expires) = expires {
        text.push(':');
        text.push_str(expires);
    }
    format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const TOKEN: &str = "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0";

    #[test]
    fn the_signature_is_the_official_sdks() {
        let expected = "v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E";
        assert_eq!(
            signature("hello.txt", "read", "user", TOKEN, None),
            expected
        );
        let uri: Uri = "/files?path=hello.txt&username=user&signature=v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E"
            .parse()
            .unwrap();
        assert_eq!(check(&Method::GET, &uri, TOKEN), Ok(()));
        assert_eq!(check(&Method::POST, &uri, TOKEN), Err(Fault::Invalid));
        assert_eq!(check(&Method::GET, &uri, "other"), Err(Fault::Invalid));
        assert_eq!(
            check(&Method::GET, &Uri::from_static("/files?path=x"), TOKEN),
            Err(Fault::Missing)
        );
    }

    #[test]
    fn a_signature_expires() {
        for (expires, expected) in [(1, Err(Fault::Expired)), (now() / 1000 + 60, Ok(()))] {
            let signature =
                signature("a", "read", "", TOKEN, Some(&expires.to_string())).replace('+', "%2B");
            let uri = format!("/files?path=a&signature={signature}&signature_expiration={expires}")
                .parse()
                .unwrap();
            assert_eq!(check(&Method::GET, &uri, TOKEN), expected);
        }
    }
}
