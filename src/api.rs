//! The server functions, by noun: everything the page may request from the server. Their bodies are
//! short and call down. `ui` mirrors the nouns; errors are [`ApiError`](crate::protocol::ApiError),
//! sent with the HTTP status of their code.

pub mod account;
pub mod admin;
#[cfg(feature = "ssr")]
pub(crate) mod answer;
pub mod consents;
mod error;
pub mod files;
pub mod journeys;
mod json;
pub mod messages;
pub mod order;
pub mod passkeys;
pub mod preview;
pub mod projects;
pub mod prompts;
pub mod runs;
#[cfg(feature = "ssr")]
mod session;
pub mod shares;
pub mod team;
pub mod usage;
pub mod versions;
