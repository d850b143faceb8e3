//! Chat completions, as every OpenAI-compatible server has them.

pub(super) mod answer;
pub(super) mod request;

/// Behind the provider's address.
pub const PATH: &str = "/chat/completions";
