//! The page, for both targets: rendered on the server, hydrated in the browser. Everything shown is
//! derived from signals; the signals are fed by the server functions of `api` and by [`feed`], the
//! only file that knows its socket.

pub mod account;
pub mod admin;
pub mod banners;
pub mod browser;
pub mod commands;
pub mod components;
pub mod consents;
pub mod conversation;
pub mod credits;
pub mod erased;
pub mod feed;
pub mod files;
pub mod home;
pub mod journey_end;
pub mod link_card;
pub mod live;
pub mod mode;
pub mod model;
pub mod model_picker;
pub mod not_found;
pub mod order;
pub mod page_title;
pub mod pane;
pub mod people;
pub mod preview;
pub mod prompt_field;
pub mod runs;
pub mod script;
pub mod share;
pub mod shared;
pub mod team;
pub mod terminal;
pub mod theme;
pub mod time;
pub mod versions;
pub mod visitor;
pub mod workspace;
