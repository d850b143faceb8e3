//! `/admin/audit`: what administrators did, newest first.

use leptos::prelude::*;

use super::frame::{
    CELL, LINK, address, columns, field, loaded, loading, next_page, page, parameter, table,
};
use crate::{
    api::admin::list_audit,
    protocol::{AuditEntry, AuditFilter, AuditPage as Entries},
    ui::{
        components::{Button, ButtonVariant, EmptyState, IconName},
        time::Moment,
    },
};

const PATH: &str = "/admin/audit";
const LEAD: &str = "What administrators did, and which projects of others they opened, newest first. Times are in UTC.";

#[component]
pub fn AuditPage() -> impl IntoView {
    page("Audit log", PATH, LEAD, || {
        let filter = || AuditFilter {
            actor: parameter("actor"),
            action: parameter("action"),
            subject: parameter("subject"),
            text: parameter("text"),
            from: parameter("from"),
            to: parameter("to"),
            before: parameter("before"),
        };
        let found = Resource::new_blocking(filter, list_audit);
        let chosen = untrack(filter);
        let kept = chosen.clone();
        view! {
            <form method="get" action=PATH role="search" class="grid items-end gap-3 sm:grid-cols-3 lg:grid-cols-[repeat(6,1fr)_auto]">
                {field("Text", "text", "search", chosen.text)}
                {field("Actor", "actor", "text", chosen.actor)}
                {field("Action", "action", "text", chosen.action)}
                {field("Subject", "subject", "text", chosen.subject)}
                {field("From", "from", "date", chosen.from)}
                {field("To", "to", "date", chosen.to)}
                <Button submit=true variant=ButtonVariant::Outline>"Search"</Button>
            </form>
            <Transition fallback=loading>
                {move || {
                    let kept = kept.clone();
                    Suspend::new(async move { loaded(found.await, |page| list(page, &kept)) })
                }}
            </Transition>
        }
        .into_any()
    })
}

fn list(page: Entries, filter: &AuditFilter) -> AnyView {
    if page.entries.is_empty() {
        return view! { <EmptyState icon=IconName::ShieldCheck title="No entries" hint="No entries match."/> }
            .into_any();
    }
    const COLUMNS: [&str; 6] = ["Time", "Actor", "Action", "Subject", "Details", "Address"];
    let next = page.next.map(|next| {
        address(
            PATH,
            &[
                ("text", &filter.text),
                ("actor", &filter.actor),
                ("action", &filter.action),
                ("subject", &filter.subject),
                ("from", &filter.from),
                ("to", &filter.to),
                ("before", &next),
            ],
        )
    });
    let rows = page.entries.into_iter().map(row).collect();
    view! {
        {table("Audit log", columns(&COLUMNS), rows)}
        {next_page(next)}
    }
    .into_any()
}

fn row(entry: AuditEntry) -> AnyView {
    let subject = entry.subject;
    let only = address(PATH, &[("action", &entry.action)]);
    let details = match &*entry.details {
        "{}" => String::new(),
        details => details.to_owned(),
    };
    view! {
        <tr>
            <td class=format!("{CELL} whitespace-nowrap")><Moment at=entry.at/></td>
            <td class=format!("{CELL} wrap-anywhere")>{entry.actor}</td>
            <td class=format!("{CELL} whitespace-nowrap")><a href=only rel="external" class=LINK>{entry.action.clone()}</a></td>
            <td class=format!("{CELL} min-w-48 wrap-anywhere")>
                {format!("{} {}", subject.kind, subject.name)}
                <span class="block font-mono text-xs text-muted-foreground">{subject.id}</span>
            </td>
            <td class=format!("{CELL} font-mono text-xs wrap-anywhere")>{details}</td>
            <td class=format!("{CELL} font-mono text-xs whitespace-nowrap")>{entry.address}</td>
        </tr>
    }
    .into_any()
}
