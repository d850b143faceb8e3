//! Chat completions, the protocol of every OpenAI-compatible server.

pub(super) mod answer;
pub(super) mod request;

/// The path below the provider's address.
pub const PATH: &str = "/chat/completions";
