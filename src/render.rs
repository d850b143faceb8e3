//! What the page shows of Markdown, of source files and of saved JSON, rendered on the server so that the client stays small.

mod highlight;
mod markdown;
mod outline;

pub use highlight::highlight;
pub use markdown::markdown;
pub use outline::{cut, outline};
