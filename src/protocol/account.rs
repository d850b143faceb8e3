//! Accounts as pages and commands see them: never with a password or a token.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{ApiTokenId, CreditRules, Credits, PasskeyId, SessionId, Timestamp, UserId};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    #[default]
    User,
    /// Sees everybody's runs, and manages accounts.
    Admin,
}

/// What an account is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    #[default]
    Free,
    Pro,
}

/// Who may make an account (`SIGN_UP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    #[default]
    Open,
    /// Whoever has a link that an administrator made.
    Invite,
    Closed,
}

/// Names the variants as the database, the variables and the commands spell them.
macro_rules! named {
    ($type:ident: $($variant:ident = $text:literal),*) => {
        impl $type {
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("“{text}” is none of {}", [$($text),*].join(", "))),
                }
            }
        }
    };
}

pub(crate) use named;

named!(AccountRole: User = "user", Admin = "admin");
named!(Plan: Free = "free", Pro = "pro");
named!(SignUp: Open = "open", Invite = "invite", Closed = "closed");

/// An account, as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: UserId,
    /// As its owner wrote it.
    pub email: String,
    /// How its owner wants to be called; may be empty.
    pub name: String,
    pub role: AccountRole,
    pub plan: Plan,
    pub created_at: Timestamp,
}

/// One sign-in of an account that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    pub id: SessionId,
    /// Whether it is the session that made this request.
    pub current: bool,
    /// The browser's user agent; may be empty.
    pub agent: String,
    /// Where it signed in from.
    pub address: String,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
}

/// An API token, with which programs act for an account; without the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: ApiTokenId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    pub created_at: Timestamp,
    /// `None` for one that does not expire.
    pub expires_at: Option<Timestamp>,
    /// Whether it has expired.
    pub expired: bool,
    /// Accurate to a few minutes; `None` for a token that was never used.
    pub used_at: Option<Timestamp>,
}

/// A token that was just created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiToken {
    pub summary: ApiToken,
    /// The token itself. It is shown only once.
    pub token: String,
}

impl fmt::Debug for NewApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NewApiToken");
        shown
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// The plans' allowances, and the visitor's own plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// `None` where runs cost nothing.
    pub rules: Option<CreditRules>,
    /// `None` for visitors who are not signed in.
    pub current: Option<Plan>,
    /// The monthly price of the larger plan; `None` where it is not sold.
    pub price: Option<String>,
    /// Whether they pay for their plan.
    pub subscribed: bool,
}

/// A service that people can sign in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityProvider {
    /// The issuer of `OIDC_ISSUER`.
    Oidc,
    Github,
}

named!(IdentityProvider: Oidc = "oidc", Github = "github");

impl IdentityProvider {
    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Oidc => "single sign-on",
            Self::Github => "GitHub",
        }
    }
}

/// Why signing in with another service failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutsideRefusal {
    #[error("The sign-in was cancelled.")]
    Cancelled,
    #[error("This sign-in has expired or was used already. Begin again.")]
    Expired,
    #[error("The service can't be reached right now. Try again in a moment.")]
    Unreachable,
    #[error("The service's answer was not accepted. Begin again.")]
    Refused,
    #[error(
        "There is an account with this address. Sign in to it with its password, then connect the \
         other service in the settings."
    )]
    Taken,
    #[error("An account needs a confirmed e-mail address, and the service names none.")]
    NoEmail,
    #[error("No account can be made here this way. Ask an administrator for one.")]
    Closed,
    #[error("This identity belongs to another account.")]
    Linked,
    #[error("There were too many attempts. Try again in a few minutes.")]
    TooMany,
}

named!(
    OutsideRefusal: Cancelled = "cancelled",
    Expired = "expired",
    Unreachable = "unreachable",
    Refused = "refused",
    Taken = "taken",
    NoEmail = "no-email",
    Closed = "closed",
    Linked = "linked",
    TooMany = "too-many"
);

/// An identity at another service that signs in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedIdentity {
    /// The service, by its address.
    pub issuer: String,
    pub subject: String,
    /// The name that its owner knows it by.
    pub label: String,
    pub created_at: Timestamp,
}

/// A passkey that signs in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub id: PasskeyId,
    /// The name that its owner gave it.
    pub name: String,
    pub created_at: Timestamp,
    /// `None` for a passkey that was never used.
    pub used_at: Option<Timestamp>,
}

/// The state of an account's two-step sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecondStepState {
    pub is_on: bool,
    /// How many recovery codes are left.
    pub codes: u64,
}

/// The data that an authenticator app needs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondStepSetup {
    /// In base 32, for those who type it.
    pub secret: String,
    /// The same as a QR code: an SVG image.
    pub qr_code: String,
}

impl fmt::Debug for SecondStepSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondStepSetup").finish_non_exhaustive()
    }
}

/// The visitor of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Whether the server has accounts.
    pub accounts: bool,
    /// Who may create an account.
    pub sign_up: SignUp,
    /// Whether the server sends e-mail.
    pub mail: bool,
    /// The services that people can sign in with.
    pub providers: Vec<IdentityProvider>,
    /// Whether browsers support passkeys for the site's address.
    pub passkeys: bool,
    /// The account that is signed in.
    pub account: Option<Account>,
    /// `None` where runs cost nothing.
    pub credits: Option<Credits>,
    /// Whether an administrator acts as the account's owner.
    pub acting: bool,
    /// Whether the server is for trying things out, and may be emptied.
    pub staging: bool,
}
