//! All that only knows Next.js: an app's routes, what its dev server answers, what `tsc` and React
//! say, and how the dev server is made to read what it missed. The check and the app in its sandbox
//! ask here, so that another framework would be another room.

pub mod answer;
pub mod console;
pub mod refresh;
pub mod routes;
pub mod styles;
pub mod types;
