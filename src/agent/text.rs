//! What texts go through before the model or people read them: programs' output becomes plain text,
//! and the values of keys and passwords are left out.

pub mod plain;
pub mod secrets;
pub mod tag;
