//! Anthropic's Messages (docs.claude.com/en/api/messages).

pub(super) mod blocks;
pub(super) mod request;

/// Behind the provider's address.
pub const PATH: &str = "/v1/messages";
/// What thoughts of this protocol are marked with.
pub const WIRE: &str = "messages";
