//! What the providers' protocols have in common: the client that sends a request, the reader of a
//! streamed answer, failures and the times to wait that they name, tool calls out of pieces, and
//! the tokens that were used. Each protocol has a room of its own: `openai` (chat completions),
//! `responses` and `anthropic` (messages).

pub mod assembly;
pub mod calls;
pub mod client;
mod encoding;
pub mod failure;
pub mod fields;
pub mod history;
mod key;
pub mod reader;
pub mod reasons;
pub mod thinking;
pub mod usage;
mod wait;
