//! Processing of texts before the model or people read them: programs' output becomes plain text,
//! and the values of keys and passwords are removed.

pub mod plain;
pub mod secrets;
pub mod tag;
