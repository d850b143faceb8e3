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

/// Names the variants by the texts that the database, the variables and the commands have.
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
    /// Whether it is the one that asks.
    pub current: bool,
    /// What the browser calls itself; may be empty.
    pub agent: String,
    /// Where it signed in from.
    pub address: String,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
}

/// A token with which programs act in an account's name, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: ApiTokenId,
    /// What its owner calls it.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    pub created_at: Timestamp,
    /// `None` for one that does not expire.
    pub expires_at: Option<Timestamp>,
    /// Whether it has expired.
    pub expired: bool,
    /// Within a few minutes; `None` for one that was never used.
    pub used_at: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiToken {
    pub summary: ApiToken,
    /// The token itself, which nobody sees again.
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

/// What the plans have, and which one somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// `None` where runs cost nothing.
    pub rules: Option<CreditRules>,
    /// `None` for who is not signed in.
    pub current: Option<Plan>,
    /// What the larger plan costs a month; `None` where it is not sold.
    pub price: Option<String>,
    /// Whether they pay for the plan they have.
    pub subscribed: bool,
}

/// A service with whose accounts one signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The issuer of `OIDC_ISSUER`.
    Oidc,
    Github,
}

named!(Provider: Oidc = "oidc", Github = "github");

impl Provider {
    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Oidc => "single sign-on",
            Self::Github => "GitHub",
        }
    }
}

/// Why another service signed nobody in.
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

/// An identity of another service that signs in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedIdentity {
    /// The service, by its address.
    pub issuer: String,
    pub subject: String,
    /// How its owner knows it.
    pub label: String,
    pub created_at: Timestamp,
}

/// A passkey that signs in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    pub created_at: Timestamp,
    /// `None` for one that was never used.
    pub used_at: Option<Timestamp>,
}

/// How an account's two-step sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecondStepState {
    pub is_on: bool,
    /// How many recovery codes are left.
    pub codes: u64,
}

/// What an authenticator app needs.
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

/// Who looks at a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Whether the server has accounts.
    pub accounts: bool,
    /// Who may make one.
    pub sign_up: SignUp,
    /// Whether the server sends e-mail.
    pub mail: bool,
    /// The services with whose accounts one signs in.
    pub providers: Vec<Provider>,
    /// Whether the site's address is one for which browsers have passkeys.
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
