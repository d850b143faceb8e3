//! What the page shows of Markdown and of source files, rendered on the server so that the client stays small.

mod highlight;
mod markdown;

pub use highlight::highlight;
pub use markdown::markdown;
