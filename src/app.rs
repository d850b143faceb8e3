//! The document's shell and the routes: both targets.
