//! Why another service did not sign somebody in, as the page's address says.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{protocol::OutsideRefusal, ui::components::Alert};

#[component]
pub fn OutsideAlert() -> impl IntoView {
    let refused = use_query_map().with_untracked(|query| query.get("refused"));
    let reason = refused.and_then(|reason| reason.parse::<OutsideRefusal>().ok());
    reason.map(|reason| view! { <Alert>{reason.to_string()}</Alert> })
}
