//! Renders Markdown, source files, saved JSON and attached images for the page on the server, so
//! that the client stays small.

mod blocks;
mod code;
mod highlight;
pub mod image;
mod markdown;
mod outline;

pub use blocks::{Beginning, Fence, beginning};
pub use code::code_text;
pub use highlight::{highlight, image_type, plain_view};
pub use markdown::{CODE_END, markdown, markdown_blocks, open_code};
pub use outline::{cut, outline};
