//! The site as a relying party (Web Authentication, level 3): it challenges authenticators for new
//! passkeys and for signatures, and checks their answers. `passkeys` decides who may ask, and for
//! whom.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Host, Url};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions, Registration,
    RegistrationServerState,
    bin::{Decode, Encode},
    request::{
        AsciiDomain, DomainOrigin, Port, PublicKeyCredentialDescriptor, RpId, Scheme,
        auth::AuthenticationVerificationOptions,
        register::{
            CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle,
        },
    },
    response::{
        AuthTransports, CredentialId,
        auth::error::AuthCeremonyErr,
        register::{CompressedPubKey, DynamicState, StaticState},
    },
};

use crate::{
    protocol::{Account, UserId},
    store::{FoundPasskey, PasskeyKey},
};

/// The length of an account's user handle, in bytes.
const HANDLE: usize = 32;

type Key = StaticState<CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>>;

/// Why an authenticator's answer was rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Answer(String),
    /// The signature counter went back, so the key was copied.
    #[error("the signature counter went back")]
    Copied,
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// An authenticator's answer to a sign-in challenge.
#[derive(Debug)]
pub(super) struct Assertion(DiscoverableAuthentication<HANDLE>);

/// The site of `PUBLIC_URL`.
#[derive(Debug, Clone)]
pub(super) struct RelyingParty {
    id: RpId,
    is_encrypted: bool,
    port: Port,
}

impl RelyingParty {
    /// `None` where browsers support no passkeys for the address: they require a host name, and TLS
    /// unless it is a loopback name.
    pub(super) fn of(public_url: &str) -> Option<Self> {
        let url = Url::parse(public_url).ok()?;
        let Some(Host::Domain(host)) = url.host() else {
            return None;
        };
        let is_encrypted = url.scheme() == "https";
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if !is_encrypted && !is_local {
            return None;
        }
        Some(Self {
            id: RpId::Domain(AsciiDomain::try_from(host.to_owned()).ok()?),
            is_encrypted,
            port: match url.port() {
                // On the loopback name, any port is the app's.
                _ if host == "localhost" && !is_encrypted => Port::Any,
                Some(port) => Port::Val(port),
                None => Port::None,
            },
        })
    }

    /// The challenge for a new passkey as JSON for the browser, and the state that checks its
    /// answer. `known`: the ids of the account's existing passkeys.
    pub(super) fn ask_for_key(
        &self,
        account: &Account,
        known: &[String],
    ) -> anyhow::Result<(String, String)> {
        let handle = handle(&account.id);
        let known = known.iter().filter_map(|known| {
            let id = URL_SAFE_NO_PAD.decode(known).ok()?;
            Some(PublicKeyCredentialDescriptor {
                id: CredentialId::<Vec<u8>>::decode(id).ok()?,
                transports: AuthTransports::decode(0).ok()?,
            })
        });
        let mut options = PublicKeyCredentialCreationOptions::passkey(
            &self.id,
            PublicKeyCredentialUserEntity::from(&handle),
            known.collect(),
        );
        // Requiring this extension would exclude authenticators that lack it.
        options.extensions.cred_protect = CredProtect::None;
        let (state, question) = options.start_ceremony()?;
        let mut question = serde_json::to_value(&question)?;
        // Set here, because the library's own types reject names that addresses contain.
        question["rp"]["name"] = json!("CodeFlow");
        question["user"]["name"] = json!(account.email);
        question["user"]["displayName"] = match &*account.name {
            "" => json!(account.email),
            name => json!(name),
        };
        Ok((question.to_string(), hex::encode(state.encode()?)))
    }

    /// The new passkey that the answer brings.
    pub(super) fn accept_key(&self, state: &str, answer: &str) -> Result<PasskeyKey, Refused> {
        let state = hex::decode(state).context("a question is damaged")?;
        let state = RegistrationServerState::<HANDLE>::decode(&state);
        let state = state.context("a question is damaged")?;
        let answer = Registration::from_json_relaxed(answer.as_bytes()).map_err(refused)?;
        let options = RegistrationVerificationOptions::<_, DomainOrigin<'_, '_>> {
            allowed_origins: &[self.origin()],
            error_on_unsolicited_extensions: false,
            ..RegistrationVerificationOptions::default()
        };
        let made = state.verify(&self.id, &answer, &options);
        let made = made.map_err(refused)?;
        let Ok(public_key) = made.static_state().encode();
        Ok(PasskeyKey {
            credential: URL_SAFE_NO_PAD.encode(made.id()),
            public_key: hex::encode(public_key),
            state: encoded(made.dynamic_state()),
        })
    }

    /// The challenge for a signature by any passkey that the user chooses, as JSON, and the state
    /// that checks its answer.
    pub(super) fn ask_for_signature(&self) -> anyhow::Result<(String, String)> {
        let options = DiscoverableCredentialRequestOptions::passkey(&self.id);
        let (state, question) = options.start_ceremony()?;
        let question: Value = serde_json::to_value(&question)?;
        Ok((question.to_string(), hex::encode(state.encode()?)))
    }

    /// The state of the passkey after this sign-in.
    pub(super) fn accept_signature(
        &self,
        state: &str,
        assertion: &Assertion,
        passkey: &FoundPasskey,
    ) -> Result<String, Refused> {
        let state = hex::decode(state).context("a question is damaged")?;
        let state = DiscoverableAuthenticationServerState::decode(&state);
        let state = state.context("a question is damaged")?;
        let Assertion(answer) = assertion;
        let handle = handle(&passkey.user);
        let key = hex::decode(&passkey.public_key).context("a passkey is damaged")?;
        let key = Key::decode(&key).context("a passkey is damaged")?;
        let mut credential = AuthenticatedCredential::new(
            answer.raw_id(),
            &handle,
            key,
            decoded(&passkey.state).context("a passkey is damaged")?,
        )
        .map_err(refused)?;
        let options = AuthenticationVerificationOptions::<_, DomainOrigin<'_, '_>> {
            allowed_origins: &[self.origin()],
            error_on_unsolicited_extensions: false,
            ..AuthenticationVerificationOptions::default()
        };
        match state.verify(&self.id, answer, &mut credential, &options) {
            Ok(_) => Ok(encoded(credential.dynamic_state())),
            Err(AuthCeremonyErr::SignatureCounter) => Err(Refused::Copied),
            Err(error) => Err(refused(error)),
        }
    }

    fn origin(&self) -> DomainOrigin<'_, '_> {
        DomainOrigin {
            scheme: match self.is_encrypted {
                true => Scheme::Https,
                false => Scheme::Other("http"),
            },
            host: self.id.as_ref(),
            port: self.port,
        }
    }
}

impl Assertion {
    /// Parses a browser's JSON.
    pub(super) fn read(answer: &str) -> Result<Self, Refused> {
        let read = DiscoverableAuthentication::from_json_relaxed(answer.as_bytes());
        Ok(Self(read.map_err(refused)?))
    }

    /// The passkey's credential id, in base64url.
    pub(super) fn credential(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.raw_id())
    }
}

fn refused(error: impl std::fmt::Display) -> Refused {
    Refused::Answer(error.to_string())
}

/// The account's user handle, which reveals nothing else about it.
fn handle(user: &UserId) -> UserHandle<HANDLE> {
    let hash = Sha256::digest(format!("passkeys of {user}"));
    let Ok(handle) = UserHandle::decode(hash.into());
    handle
}

fn encoded(state: DynamicState) -> String {
    let Ok(state) = state.encode();
    hex::encode(state)
}

fn decoded(state: &str) -> anyhow::Result<DynamicState> {
    let mut bytes = [0; 7];
    hex::decode_to_slice(state, &mut bytes)?;
    Ok(DynamicState::decode(bytes)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn passkeys_want_a_host_name_and_tls_unless_the_site_is_this_machines() {
        for (url, id, own, others) in [
            (
                "https://build.example.com",
                "build.example.com",
                "https://build.example.com",
                &[
                    "http://build.example.com",
                    "https://build.example.com:8443",
                    "https://example.com",
                    "https://3000-i.build.example.com",
                ][..],
            ),
            (
                "https://Build.Example.com:8443",
                "build.example.com",
                "https://build.example.com:8443",
                &["https://build.example.com"][..],
            ),
            (
                "http://localhost:3000",
                "localhost",
                "http://localhost:3001",
                &["https://localhost:3000", "http://3000-i.localhost:3000"][..],
            ),
            (
                "http://app.localhost:3000",
                "app.localhost",
                "http://app.localhost:3000",
                &["http://app.localhost:3001", "http://localhost:3000"][..],
            ),
        ] {
            let party = RelyingParty::of(url).unwrap();
            let origin = |text: &str| {
                let origin = webauthn_rp::response::Origin(text.to_owned().into());
                party.origin() == origin
            };
            assert_eq!(party.id.as_ref(), id);
            assert!(origin(own), "{own}");
            for other in others {
                assert!(!origin(other), "{other}");
            }
        }
        for none in [
            "http://build.example.com",
            "http://127.0.0.1:3000",
            "https://192.0.2.1",
            "https://[::1]:3000",
        ] {
            assert!(RelyingParty::of(none).is_none(), "{none}");
        }
    }
}
