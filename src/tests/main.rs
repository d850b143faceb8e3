//! The integration tests: the real binary, real containers, a scripted model server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod structure;
