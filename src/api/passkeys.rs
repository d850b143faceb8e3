//! Passkeys of accounts, and signing in with one. Challenges and answers are the JSON that browsers
//! define for them.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, Passkey, PasskeyId};

/// The account's passkeys, the oldest first.
#[server(prefix = "/api", endpoint = "account/passkeys", input = GetUrl, output = Json)]
pub async fn list_passkeys() -> Result<Vec<Passkey>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.passkeys(answer(requester.identity())?).await)
}

/// Starts adding a passkey; `current` is the account's password. Returns the challenge.
#[server(prefix = "/api", endpoint = "account/passkeys/begin", output = Json)]
pub async fn begin_passkey(name: String, current: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    let begun = accounts.begin_passkey(identity, &name, &current).await;
    answer(begun.map(|(question, token)| session::ask(&accounts, &token, question)))
}

/// Adds the passkey from the authenticator's answer.
#[server(prefix = "/api", endpoint = "account/passkeys/add", output = Json)]
pub async fn add_passkey(answer: String) -> Result<(), ApiError> {
    use super::{answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer::answer(requester.identity())?;
    let token = requester.passkey.as_ref();
    let added = accounts.add_passkey(identity, &answer, token).await;
    session::answered(&accounts);
    answer::answer(added)
}

/// Renames a passkey of the account.
#[server(prefix = "/api", endpoint = "account/passkeys/rename", output = Json)]
pub async fn rename_passkey(passkey: PasskeyId, name: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.rename_passkey(identity, passkey, &name).await)
}

/// Removes a passkey of the account.
#[server(prefix = "/api", endpoint = "account/passkeys/remove", output = Json)]
pub async fn remove_passkey(passkey: PasskeyId) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.remove_passkey(identity, passkey).await)
}

/// Starts a sign-in with a passkey. Returns the challenge.
#[server(prefix = "/api", endpoint = "account/sign-in/passkey/begin", output = Json)]
pub async fn begin_passkey_sign_in() -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let begun = accounts.begin_passkey_sign_in(&requester.client).await;
    answer(begun.map(|(question, token)| session::ask(&accounts, &token, question)))
}

/// Signs in with the authenticator's answer. `to`: the page to open afterwards, a path of this
/// site. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/sign-in/passkey", output = Json)]
pub async fn sign_in_by_passkey(answer: String, to: Option<String>) -> Result<String, ApiError> {
    use super::{answer, session};

    let (accounts, requester) = session::both()?;
    let signed_in = accounts
        .sign_in_by_passkey(
            &answer,
            requester.passkey.as_ref(),
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    session::answered(&accounts);
    answer::answer(signed_in.map(|signed_in| session::begin(&accounts, &signed_in, to)))
}
