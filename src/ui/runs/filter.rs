//! Which runs the list shows.

use leptos::prelude::*;

use crate::protocol::RunState;

/// The filter, as the address has it.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    pub state: Memo<Option<RunState>>,
    pub search: Memo<String>,
}
