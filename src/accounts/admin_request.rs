//! Requests of administrators. Holding one proves that the user is an administrator, so functions
//! that take one check nothing else. Whatever they change is written to the audit log.

use std::time::Duration;

use chrono::{Days, NaiveDate};

use super::{
    AccountError, Accounts, Client, DAY, Requester, SignedIn, Token, later, sign_in::AGENT,
};
use crate::{
    protocol::{
        AccountRole, AuditFilter, AuditPage, DataFilter, DataPage, Invitation, Notice, Plan,
        SessionId, Timestamp, UserFilter, UserId, UserPage, first_chars,
    },
    store::{AccountChange, Actor, Deed, NewSession, Store},
};

/// How long an administrator may act as another user.
const ACTING_LIFETIME: Duration = Duration::from_secs(3600);
/// The maximum lifetime of an invitation, in days.
const MAX_INVITATION_DAYS: u32 = 90;
/// Repeated views of the same thing within this time share one entry in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// An administrator's request.
#[derive(Debug, Clone)]
pub struct AdminRequest {
    accounts: Accounts,
    actor: Actor,
    session: Option<SessionId>,
    client: Client,
    token: Option<Token>,
}

impl Accounts {
    /// The request, if an administrator sent it. For everyone else, the administrators' pages do
    /// not exist.
    pub fn administrator(&self, requester: &Requester) -> Result<AdminRequest, AccountError> {
        let identity = requester.identity()?;
        if !identity.is_administrator() {
            return Err(AccountError::NotFound("page"));
        }
        Ok(AdminRequest {
            accounts: self.clone(),
            actor: requester.actor()?,
            session: identity.session,
            client: requester.client.clone(),
            token: requester.token.clone(),
        })
    }
}

impl AdminRequest {
    /// The actor for the audit log.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    fn store(&self) -> &Store {
        &self.accounts.inner.store
    }

    /// A page of the accounts, with the open invitations.
    pub async fn users(&self, filter: &UserFilter) -> Result<UserPage, AccountError> {
        let (users, next) = self.store().list_users(filter).await?;
        Ok(UserPage {
            users,
            next,
            invitations: self.invitations().await?,
        })
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, AccountError> {
        Ok(self.store().list_invitations().await?)
    }

    pub async fn set_plan(&self, user: &UserId, plan: Plan) -> Result<(), AccountError> {
        self.change(user, AccountChange::Plan(plan)).await
    }

    /// Sets the account's role; `Conflict` if no administrator would be left.
    pub async fn set_role(&self, user: &UserId, role: AccountRole) -> Result<(), AccountError> {
        self.change(user, AccountChange::Role(role)).await?;
        self.accounts.announce_end();
        Ok(())
    }

    /// Locks the account, ending its sessions and open connections; or unlocks it.
    pub async fn set_disabled(&self, user: &UserId, disabled: bool) -> Result<(), AccountError> {
        self.change(user, AccountChange::Disabled(disabled)).await?;
        self.accounts.announce_end();
        Ok(())
    }

    async fn change(&self, user: &UserId, change: AccountChange) -> Result<(), AccountError> {
        let store = self.store();
        Ok(store.change_account(&self.actor, user, change).await?)
    }

    /// A link that sets the account's password.
    pub async fn reset_link(&self, user: &UserId) -> Result<String, AccountError> {
        self.accounts.reset_link_by(&self.actor, user).await
    }

    /// A link that creates an account, valid for this many days.
    pub async fn invite(&self, days: u32) -> Result<String, AccountError> {
        if !(1..=MAX_INVITATION_DAYS).contains(&days) {
            return Err(AccountError::Invalid {
                field: "days",
                why: format!("Choose a number of days from 1 to {MAX_INVITATION_DAYS}."),
            });
        }
        self.accounts.invite_by(&self.actor, DAY * days).await
    }

    pub async fn revoke(&self, invitation: SessionId) -> Result<(), AccountError> {
        let store = self.store();
        Ok(store.revoke_invitation(&self.actor, invitation).await?)
    }

    /// Starts an hour as the account's owner, in place of the administrator's own session.
    pub async fn sign_in_as(&self, user: &UserId) -> Result<SignedIn, AccountError> {
        let token = Token::new();
        let new = NewSession {
            user: user.clone(),
            token: token.hash(),
            agent: first_chars(&self.client.agent, AGENT).replace(char::is_control, " "),
            address: self.client.address.to_string(),
            expires_at: later(ACTING_LIFETIME),
        };
        let before = self.token.as_ref().map(Token::hash);
        self.store().sign_in_as(&self.actor, new, before).await?;
        self.accounts.announce_end();
        Ok(SignedIn { token })
    }

    /// Records that the administrator opened something of another user's.
    pub async fn opened(
        &self,
        kind: &'static str,
        id: impl ToString,
        name: &str,
        owner: &UserId,
    ) -> Result<(), AccountError> {
        if self.actor.user == *owner {
            return Ok(());
        }
        let details = serde_json::json!({ "owner": owner.to_string() });
        self.looked(Deed::new("open", kind, id, name).with(details))
            .await
    }

    async fn looked(&self, deed: Deed) -> Result<(), AccountError> {
        let look = i64::try_from(LOG_INTERVAL.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(Timestamp::now().0.saturating_sub(look));
        Ok(self.store().record_once(&self.actor, deed, since).await?)
    }

    /// A page of the audit log.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, AccountError> {
        let from = day("from", &filter.from)?.map(beginning);
        // The end of that day.
        let to = day("to", &filter.to)?;
        let to = to.map(|day| beginning(day.checked_add_days(Days::new(1)).unwrap_or(day)));
        let (entries, next) = self.store().list_audit(filter, from, to).await?;
        Ok(AuditPage { entries, next })
    }

    /// A page of a table's rows; of the first table if none is named.
    pub async fn data(&self, filter: &DataFilter) -> Result<DataPage, AccountError> {
        let store = self.store();
        if filter.table.is_empty() {
            return Ok(DataPage {
                tables: store.data_tables(),
                columns: Vec::new(),
                left_out: Vec::new(),
                rows: Vec::new(),
                more: false,
            });
        }
        let page = store.browse(filter).await?;
        self.looked(Deed::new("browse", "table", &filter.table, &filter.table))
            .await?;
        Ok(page)
    }

    /// Keeps a notice of what was done for the next page.
    pub fn notify(&self, notice: Notice) {
        let mut notices = self.accounts.inner.notices.lock();
        notices.insert(self.session, notice);
    }

    /// The notice to show, once.
    pub fn take_notice(&self) -> Option<Notice> {
        self.accounts.inner.notices.lock().remove(&self.session)
    }
}

/// The chosen day; `None` for an empty text.
fn day(field: &'static str, text: &str) -> Result<Option<NaiveDate>, AccountError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d") {
        Ok(day) => Ok(Some(day)),
        Err(_) => Err(AccountError::Invalid {
            field,
            why: "Write days as year, month and day, such as 2026-11-29.".to_owned(),
        }),
    }
}

/// Midnight UTC, at the beginning of the day.
fn beginning(day: NaiveDate) -> Timestamp {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    Timestamp(midnight.and_utc().timestamp_millis())
}
