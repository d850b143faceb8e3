//! Everything that only concerns Next.js: an app's routes, what its dev server answers and its
//! pages show, what `tsc` and React say, what its sources say of an element, how the dev server is
//! made to read what it missed, and what the model must know of it. The check, the input and the
//! app in its sandbox ask here, so that another framework would be another room.

pub mod answer;
pub mod console;
pub mod jsx;
pub mod page;
pub mod prompts;
pub mod refresh;
pub mod routes;
pub mod styles;
pub mod types;
