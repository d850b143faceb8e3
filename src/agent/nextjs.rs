//! Everything that only concerns Next.js: an app's routes, its dev server's answers and pages, the
//! messages of `tsc` and React, elements in its sources, how to make the dev server read what it
//! missed, and what the model must know. The check, the input and the app in its sandbox use it, so
//! another framework would be another module.

pub mod answer;
pub mod console;
pub mod jsx;
pub mod log;
pub mod page;
pub mod prompts;
pub mod refresh;
pub mod routes;
pub mod styles;
pub mod types;
