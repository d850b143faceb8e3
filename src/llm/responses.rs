//! OpenAI's Responses (developers.openai.com/api/reference/responses), without state at the
//! server: each request has the whole chat, with the items of earlier answers as they came.

mod item;
pub(super) mod output;
pub(super) mod request;
mod shown;

/// Behind the provider's address.
pub const PATH: &str = "/responses";
/// What thoughts of this protocol are marked with.
pub const WIRE: &str = "responses";
