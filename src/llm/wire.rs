//! The common parts of the providers' protocols: the client that sends a request, the reader of a
//! streamed answer, failures and their retry times, assembling tool calls, and token usage. Each
//! protocol has a module of its own: `openai` (chat completions), `responses` and `anthropic`
//! (messages).

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
