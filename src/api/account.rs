//! Accounts: signing up, in and out, and what somebody does with their own account. The session is
//! a cookie that the answer sets. A form that a browser sent by itself is led to the next page.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, CreditEntry, Credits, Pricing, SessionId, SessionSummary};

/// Makes an account and signs in. `link`: the token of a link that allows it; `to`: where to go
/// then, a path of this site. Returns where to go.
#[server(prefix = "/api", endpoint = "account/sign-up", output = Json)]
pub async fn sign_up(
    email: String,
    password: String,
    link: Option<String>,
    to: Option<String>,
) -> Result<String, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let link = link.filter(|link| !link.is_empty());
    let signed_up = accounts
        .sign_up(
            &email,
            &password,
            link.as_deref(),
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    answer(signed_up.map(|signed_in| session::begin(&accounts, &signed_in, to)))
}

/// Signs in. `to`: where to go then, a path of this site. Returns where to go.
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
    answer(signed_in.map(|signed_in| session::begin(&accounts, &signed_in, to)))
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

/// Sets the password of the account that the link was made for, and signs in. Returns where to go.
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
    answer(reset.map(|signed_in| session::begin(&accounts, &signed_in, None)))
}

/// Changes the password; all other sessions end. Returns where to go.
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

/// Sets how the account's owner wants to be called.
#[server(prefix = "/api", endpoint = "account/rename", output = Json)]
pub async fn rename_account(name: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.rename(answer(requester.identity())?, &name).await)
}

/// The account's sessions, the one used last first.
#[server(prefix = "/api", endpoint = "account/sessions", input = GetUrl, output = Json)]
pub async fn list_sessions() -> Result<Vec<SessionSummary>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.sessions(answer(requester.identity())?).await)
}

/// What one has left; `None` where runs cost nothing.
#[server(prefix = "/api", endpoint = "account/credits", input = GetUrl, output = Json)]
pub async fn get_credits() -> Result<Option<Credits>, ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    answer(accounts.credits(answer(requester.identity())?).await)
}

/// What the plans have, and which one the visitor has.
#[server(prefix = "/api", endpoint = "pricing", input = GetUrl, output = Json)]
pub async fn get_pricing() -> Result<Pricing, ApiError> {
    use super::session;

    let (accounts, requester) = session::both()?;
    Ok(accounts.pricing(requester.identity.as_ref()))
}

/// The last entries of one's ledger, the latest first.
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

/// Ends the account's sessions but the one that asks.
#[server(prefix = "/api", endpoint = "account/sessions/end-others", output = Json)]
pub async fn end_other_sessions() -> Result<(), ApiError> {
    use super::{answer::answer, session};

    let (accounts, requester) = session::both()?;
    let identity = answer(requester.identity())?;
    answer(accounts.end_other_sessions(identity).await)
}

/// Deletes the account with all that belongs to it.
#[server(prefix = "/api", endpoint = "account/delete", output = Json)]
pub async fn delete_account(password: String) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (accounts, requester) = session::both()?;
    let deleted = accounts
        .delete(answer(requester.identity())?, &password)
        .await;
    answer(deleted.map(|()| {
        expect_context::<Projects>().remove_soon();
        session::end(&accounts);
    }))
}
