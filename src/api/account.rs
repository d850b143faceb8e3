//! Accounts: signing up, in and out, and changes to one's own account. The session is a cookie that
//! the response sets. Forms submitted without a script are redirected to the next page.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, ApiToken, ApiTokenId, CreditEntry, Credits, IdentityProvider, LinkedIdentity,
    ModelKey, ModelProvider, NewApiToken, Pricing, SecondStepSetup, SecondStepState, SessionId,
    SessionSummary,
};

/// Creates an account and signs in. Where the server sends e-mail, the address gets a link to
/// continue instead, whether or not it has an account. `link`: the token of a link that allows it;
/// `to`: the page to open afterwards, a path of this site. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/sign-up", output = Json)]
pub async fn sign_up(
    email: Option<String>,
    password: Option<String>,
    link: Option<String>,
    to: Option<String>,
) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let link = link.filter(|link| !link.is_empty());
    let signed_up = accounts
        .sign_up(
            &email.unwrap_or_default(),
            &password.unwrap_or_default(),
            link.as_deref(),
            to.as_deref(),
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    answer(signed_up.map(|step| match step {
        Some(step) => session::proceed(&accounts, step, to),
        None => session::lead("/sign-up?sent=1".to_owned()),
    }))
}

/// Signs in. `to`: the page to open afterwards, a path of this site. Returns the page to go to,
/// which is that of the second step if the account has one.
#[server(prefix = "/api", endpoint = "account/sign-in", output = Json)]
pub async fn sign_in(
    email: String,
    password: String,
    to: Option<String>,
) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let signed_in = accounts
        .sign_in(
            &email,
            &password,
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    answer(signed_in.map(|step| session::proceed(&accounts, step, to)))
}

/// The second step of a sign-in: a code from the app, or a recovery code. Returns the page to go
/// to.
#[server(prefix = "/api", endpoint = "account/sign-in/code", output = Json)]
pub async fn finish_sign_in(code: String, to: Option<String>) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let signed_in = accounts
        .finish_sign_in(
            requester.step.as_ref(),
            &code,
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    answer(signed_in.map(|signed_in| session::finish(&accounts, &signed_in, to)))
}

/// Signs out.
#[server(prefix = "/api", endpoint = "account/sign-out", output = Json)]
pub async fn sign_out() -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let signed_out = match &requester.token {
        Some(token) => accounts.sign_out(token).await,
        None => Ok(()),
    };
    answer(signed_out.map(|()| session::end(&accounts)))
}

/// Sets the password of the link's account, and signs in. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/reset", output = Json)]
pub async fn reset_password(link: String, password: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let reset = accounts
        .reset_password(
            &link,
            &password,
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    answer(reset.map(|step| session::proceed(&accounts, step, None)))
}

/// Sends a link that sets the password to the address, if it has an account. Returns the page to go
/// to.
#[server(prefix = "/api", endpoint = "account/reset-link", output = Json)]
pub async fn request_reset(email: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let requested = accounts.request_reset(&email, &requester.client);
    answer(requested.map(|()| session::lead("/reset?sent=1".to_owned())))
}

/// Sends a link that confirms the account's new address. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/email", output = Json)]
pub async fn request_email(email: String, current: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    let requested = accounts
        .request_email(identity, &current, &email, &requester.client)
        .await;
    answer(requested.map(|()| session::lead("/settings?sent=1".to_owned())))
}

/// Changes the account's address to the one that the link confirms. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/email/confirm", output = Json)]
pub async fn confirm_email(link: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let confirmed = accounts.confirm_email(&link, &requester.client).await;
    answer(confirmed.map(|()| session::lead("/confirm?done=1".to_owned())))
}

/// The state of the account's two-step sign-in.
#[server(prefix = "/api", endpoint = "account/two-step", input = GetUrl, output = Json)]
pub async fn second_step() -> Result<SecondStepState, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.second_step(answer(requester.identity())?).await)
}

/// Creates the secret of a two-step sign-in, which a code must confirm.
#[server(prefix = "/api", endpoint = "account/two-step/begin", output = Json)]
pub async fn begin_second_step(current: String) -> Result<SecondStepSetup, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.begin_second_step(identity, &current).await)
}

/// Turns two-step sign-in on. Returns its recovery codes, which are shown only once.
#[server(prefix = "/api", endpoint = "account/two-step/confirm", output = Json)]
pub async fn confirm_second_step(code: String) -> Result<Vec<String>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.confirm_second_step(identity, &code).await)
}

/// Replaces the recovery codes. Returns the new ones, which are shown only once.
#[server(prefix = "/api", endpoint = "account/two-step/codes", output = Json)]
pub async fn renew_recovery_codes(current: String) -> Result<Vec<String>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.renew_recovery_codes(identity, &current).await)
}

/// Turns two-step sign-in off. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/two-step/end", output = Json)]
pub async fn end_second_step(current: String, code: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    let ended = accounts.end_second_step(identity, &current, &code).await;
    answer(ended.map(|()| session::lead("/settings".to_owned())))
}

/// Changes the password; all other sessions end. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/password", output = Json)]
pub async fn change_password(current: String, password: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    let changed = accounts
        .change_password(
            identity,
            &current,
            &password,
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    let to = Some("/settings".to_owned());
    answer(changed.map(|signed_in| session::begin(&accounts, &signed_in, to)))
}

/// Sets the account's display name.
#[server(prefix = "/api", endpoint = "account/rename", output = Json)]
pub async fn rename_account(name: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.rename(answer(requester.identity())?, &name).await)
}

/// The account's sessions, most recently used first.
#[server(prefix = "/api", endpoint = "account/sessions", input = GetUrl, output = Json)]
pub async fn list_sessions() -> Result<Vec<SessionSummary>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.sessions(answer(requester.identity())?).await)
}

/// The user's balance; `None` where runs cost nothing.
#[server(prefix = "/api", endpoint = "account/credits", input = GetUrl, output = Json)]
pub async fn get_credits() -> Result<Option<Credits>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.credits(answer(requester.identity())?).await)
}

/// The plans' allowances, and the visitor's own plan.
#[server(prefix = "/api", endpoint = "pricing", input = GetUrl, output = Json)]
pub async fn get_pricing() -> Result<Pricing, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.pricing(requester.identity.as_ref()).await)
}

/// The most recent entries of the user's ledger, latest first.
#[server(prefix = "/api", endpoint = "account/credits/entries", input = GetUrl, output = Json)]
pub async fn list_credit_entries() -> Result<Vec<CreditEntry>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.credit_entries(answer(requester.identity())?).await)
}

/// Ends one of the account's sessions.
#[server(prefix = "/api", endpoint = "account/sessions/end", output = Json)]
pub async fn end_session(session: SessionId) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.end_session(identity, session).await)
}

/// Ends all of the account's sessions except the requesting one.
#[server(prefix = "/api", endpoint = "account/sessions/end-others", output = Json)]
pub async fn end_other_sessions() -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.end_other_sessions(identity).await)
}

/// The account's API tokens, newest first.
#[server(prefix = "/api", endpoint = "account/tokens", input = GetUrl, output = Json)]
pub async fn list_api_tokens() -> Result<Vec<ApiToken>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.api_tokens(answer(requester.identity())?).await)
}

/// Creates a token that is valid for so many days, or for good. It is returned only once.
#[server(prefix = "/api", endpoint = "account/tokens/create", output = Json)]
pub async fn create_api_token(name: String, days: Option<u32>) -> Result<NewApiToken, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.create_api_token(identity, &name, days).await)
}

/// Revokes a token of the account.
#[server(prefix = "/api", endpoint = "account/tokens/revoke", output = Json)]
pub async fn revoke_api_token(token: ApiTokenId) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.revoke_api_token(identity, token).await)
}

/// The account's keys for model providers, without the secret part.
#[server(prefix = "/api", endpoint = "account/model-keys", input = GetUrl, output = Json)]
pub async fn list_model_keys() -> Result<Vec<ModelKey>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.model_keys(answer(requester.identity())?).await)
}

/// Saves a key for the provider, in place of an earlier one. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/model-keys/set", output = Json)]
pub async fn set_model_key(provider: ModelProvider, key: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let set = accounts
        .set_model_key(&requester, provider, &key.into())
        .await;
    answer(set.map(|()| session::lead("/settings".to_owned())))
}

/// Asks the provider's first model for a tool call with the account's key. Returns the outcome; 409
/// with the provider's message if the model can't build.
#[server(prefix = "/api", endpoint = "account/model-keys/test", output = Json)]
pub async fn test_model_key(provider: ModelProvider) -> Result<String, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (accounts, requester) = session::both()?;
    answer(accounts.admit_key_test(&requester))?;
    let projects = expect_context::<Projects>();
    answer(projects.test_own_key(provider).await)
}

/// Removes the account's key for the provider.
#[server(prefix = "/api", endpoint = "account/model-keys/remove", output = Json)]
pub async fn remove_model_key(provider: ModelProvider) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.remove_model_key(&requester, provider).await)
}

/// The identities of other services that sign in to the account.
#[server(prefix = "/api", endpoint = "account/identities", input = GetUrl, output = Json)]
pub async fn list_identities() -> Result<Vec<LinkedIdentity>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.identities(answer(requester.identity())?).await)
}

/// Starts linking an identity of the service to the account. Returns the page to go to.
#[server(prefix = "/api", endpoint = "account/identities/link", output = Json)]
pub async fn link_identity(provider: IdentityProvider) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    let begun = accounts
        .begin_outside(provider, "/settings", Some(identity), &requester.client)
        .await;
    answer(begun.map(|(page, token)| session::leave(&accounts, &token, page)))
}

/// Unlinks an identity from the account.
#[server(prefix = "/api", endpoint = "account/identities/unlink", output = Json)]
pub async fn unlink_identity(issuer: String, subject: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.unlink(identity, &issuer, &subject).await)
}

/// Deletes the account with everything that belongs to it; `current` is its password.
#[server(prefix = "/api", endpoint = "account/delete", output = Json)]
pub async fn delete_account(current: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (accounts, requester) = session::both()?;
    let deleted = accounts
        .delete(answer(requester.identity())?, &current)
        .await;
    answer(deleted.map(|()| {
        expect_context::<Projects>().remove_soon();
        session::end(&accounts);
    }))
}
