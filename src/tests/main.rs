//! The integration tests: the real binary, real containers, a scripted model server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod agent_limits;
mod agent_tools;
mod agent_words;
mod bad_input;
mod builds;
mod cancel;
mod crashes;
mod dashboard;
mod egress;
mod escape;
mod faults;
mod feed;
mod history;
mod images;
mod kills;
mod listeners;
mod model_faults;
mod odd_answers;
mod odd_models;
mod odd_streams;
mod odd_turns;
mod page_check;
mod photos;
mod postgres;
mod previews;
mod restarts;
mod sandbox_life;
mod sandbox_sleep;
mod sandbox_work;
mod start_up;
mod structure;
mod support;
mod templates;
mod unenforced;
