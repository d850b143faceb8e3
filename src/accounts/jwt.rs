//! Signed tokens (JSON Web Tokens, RFC 7519) of an identity provider: their signature is checked
//! with one of the keys that the provider publishes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::{Deserialize, de::DeserializeOwned};

/// The keys that a provider publishes (RFC 7517).
#[derive(Debug, Deserialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// The token's claims, if one of the keys signed it. `None` is a reason to refuse it.
pub fn verified<T: DeserializeOwned>(token: &str, keys: &JwkSet) -> Option<T> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&decoded(header)?).ok()?;
    let signature = decoded(signature)?;
    let may_be_it = |key: &&Jwk| {
        let is_named = match (&header.kid, &key.kid) {
            (Some(wanted), Some(kid)) => wanted == kid,
            _ => true,
        };
        is_named
            && key
                .purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
    };
    let mut candidates = keys.keys.iter().filter(may_be_it);
    let is_signed = candidates.any(|key| key.signed(&header.alg, signed.as_bytes(), &signature));
    if !is_signed {
        return None;
    }
    serde_json::from_slice(&decoded(claims)?).ok()
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

impl Jwk {
    /// Whether this key signed the message with this algorithm (RFC 7518). `none` and algorithms
    /// with a shared secret are not supported: these keys are public.
    fn signed(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let checked = match algorithm {
            "RS256" => self.signed_by_rsa(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            "RS384" => self.signed_by_rsa(&RSA_PKCS1_2048_8192_SHA384, message, signature),
            "RS512" => self.signed_by_rsa(&RSA_PKCS1_2048_8192_SHA512, message, signature),
            "ES256" => self
                .point(32)
                .map(|point| UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
                .map(|key| key.verify(message, signature).is_ok()),
            "ES384" => self
                .point(48)
                .map(|point| UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point))
                .map(|key| key.verify(message, signature).is_ok()),
            _ => None,
        };
        checked.unwrap_or(false)
    }

    fn signed_by_rsa(
        &self,
        parameters: &'static RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        if self.kty != "RSA" {
            return None;
        }
        let (n, e) = (decoded(self.n.as_ref()?)?, decoded(self.e.as_ref()?)?);
        let key = RsaPublicKeyComponents { n, e };
        Some(key.verify(parameters, message, signature).is_ok())
    }

    /// An elliptic curve point with coordinates of this length, uncompressed.
    fn point(&self, length: usize) -> Option<Vec<u8>> {
        if self.kty != "EC" {
            return None;
        }
        let (x, y) = (decoded(self.x.as_ref()?)?, decoded(self.y.as_ref()?)?);
        (x.len() == length && y.len() == length).then(|| [&[4][..], &x, &y].concat())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    // Made by `openssl genrsa 2048` and `openssl dgst -sha256 -sign`.
    const MODULUS: &str = "twhJP5ddrig78193kE1RPzYTHdaIHE0jeuFJGdAlb66FzEvhMoY2olC-bYU680hLebpzeWw2005Kg4lu\
        8nQtwJadUATphjNGQGwihmfz9ImDnBWUdjEDD2FXWoM9HAft7pGj3Z8cvHRpvXsk9GdNTMNxbp7GlOuV\
        A0yaitWly5wpRN-qLSx2Gw96TlD-mih6n0cidK7ZWva_WyUZbac0dHkAfjpU1rG2n16LeObIQEVZzlBV\
        XM1d_CCQ2w06-mp7YgzxsVCBCnX04k2NSeHmrDRdnWi7yxQRzsh8HX7HkTudcGBZSqamQJ6_Lczg3NcE\
        oUHdVfHgqj-tkecHsTFDUQ";
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiIxIn0.qP6ix7pWPzFnjRkKK63DYpdOPqA-5\
        PG_hMJPCXFyIeN6OGkfQZgwRBqf5nPQyrVUIze8Xri-090YkRjbX3cF-mpJjJslgKMulCB5YAUBQvCMK\
        CSd13I0keHwGtUQQh95gFZj_OTX1nLZzakoAfZIWAUFimaGICWhA-oEUNFeb0EDOJ6o7sBd751I8zyhA\
        bACg-x-H_BMAMx4pcTkDreui-FbGRltV9N94Pu5mwvwNbdDs2cQf8WWSwLU1USTMC28sFUx8t4TQzdLj\
        0WefEyletK3_-ZsJpV4J_GGbzSwfThhYwKTwIZHSY_JL0AgzSC430AQUxVR5q4z6Nbxjxj-_w";

    #[test]
    fn a_token_is_believed_only_with_the_signature_of_a_published_key() {
        let keys = |key: Value| serde_json::from_value::<JwkSet>(json!({ "keys": [key] })).unwrap();
        let right =
            keys(json!({"kty": "RSA", "kid": "a", "use": "sig", "n": MODULUS, "e": "AQAB"}));
        let claims: Value = verified(TOKEN, &right).unwrap();
        assert_eq!(claims["sub"], "1");

        let other = MODULUS.replacen(
            &MODULUS[20..21],
            if &MODULUS[20..21] == "A" { "B" } else { "A" },
            1,
        );
        for wrong in [
            json!({"kty": "RSA", "kid": "b", "n": MODULUS, "e": "AQAB"}),
            json!({"kty": "RSA", "use": "enc", "n": MODULUS, "e": "AQAB"}),
            json!({"kty": "RSA", "n": other, "e": "AQAB"}),
            json!({"kty": "RSA", "e": "AQAB"}),
            json!({"kty": "EC", "x": MODULUS, "y": MODULUS}),
            json!({"kty": "oct", "k": MODULUS}),
        ] {
            assert!(
                verified::<Value>(TOKEN, &keys(wrong.clone())).is_none(),
                "{wrong}"
            );
        }
        let [header, claims, signature] = TOKEN.split('.').collect::<Vec<_>>()[..] else {
            panic!("three parts");
        };
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let shared = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let changed = URL_SAFE_NO_PAD.encode(r#"{"sub":"2"}"#);
        for wrong in [
            String::new(),
            "..".to_owned(),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{shared}.{claims}.{signature}"),
            format!("{header}.{changed}.{signature}"),
            format!("{header}.{claims}.{}", &signature[1..]),
            format!("{header}.{claims}"),
        ] {
            assert!(verified::<Value>(&wrong, &right).is_none(), "{wrong}");
        }
    }
}
