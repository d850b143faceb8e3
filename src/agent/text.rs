//! What a text goes through before the model or people read it: programs' output becomes plain
//! text, and the values of keys and passwords are left out.

pub mod plain;
pub mod secrets;
