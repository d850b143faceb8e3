//! OpenAI's Responses (developers.openai.com/api/reference/responses), without state at the server:
//! each request contains the whole chat, with the items of earlier answers as received.

mod item;
pub(super) mod output;
pub(super) mod request;
mod shown;

/// The path below the provider's address.
pub const PATH: &str = "/responses";
/// The mark of this protocol's thoughts.
pub const WIRE: &str = "responses";
