//! Anthropic's Messages (docs.claude.com/en/api/messages).

pub(super) mod blocks;
pub(super) mod request;

/// The path below the provider's address.
pub const PATH: &str = "/v1/messages";
/// The mark of this protocol's thoughts.
pub const WIRE: &str = "messages";
