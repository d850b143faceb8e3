//! `/admin/data`: all tables, read-only.

use leptos::prelude::*;

use super::frame::{
    CELL, LINK, address, choice, field, loaded, loading, options, page, parameter, table,
};
use crate::{
    api::admin::browse_data,
    protocol::{DataColumn, DataFilter, DataPage as Rows, FilterOperator},
    ui::components::{Button, ButtonVariant, EmptyState, IconName},
};

const PATH: &str = "/admin/data";
const LEAD: &str = "The tables of the database, read-only. Secrets are left out.";
const OPERATORS: [(FilterOperator, &str); 7] = [
    (FilterOperator::Contains, "contains"),
    (FilterOperator::StartsWith, "starts with"),
    (FilterOperator::Is, "is"),
    (FilterOperator::IsNot, "is not"),
    (FilterOperator::Less, "is less than"),
    (FilterOperator::More, "is more than"),
    (FilterOperator::IsEmpty, "is empty"),
];

#[component]
pub fn DataPage() -> impl IntoView {
    page("Data", PATH, LEAD, || {
        let filter = || DataFilter {
            table: parameter("table"),
            column: parameter("column"),
            operator: parameter("operator").parse().unwrap_or_default(),
            value: parameter("value"),
            sort: parameter("sort"),
            descending: parameter("order") == "descending",
            page: parameter("page").parse().unwrap_or_default(),
        };
        let found = Resource::new_blocking(filter, browse_data);
        let chosen = untrack(filter);
        view! {
            <Transition fallback=loading>
                {move || {
                    let chosen = chosen.clone();
                    Suspend::new(async move { loaded(found.await, |rows| browser(rows, chosen)) })
                }}
            </Transition>
        }
        .into_any()
    })
}

fn browser(rows: Rows, filter: DataFilter) -> AnyView {
    let link = |name: &String| {
        let is_current = *name == filter.table;
        view! {
            <li>
                <a
                    href=address(PATH, &[("table", name)])
                    rel="external"
                    aria-current=is_current.then_some("page")
                    class="block rounded-md px-2 py-1 font-mono text-xs text-muted-foreground hover:text-foreground focus-ring aria-[current=page]:bg-accent aria-[current=page]:text-foreground"
                >
                    {name.clone()}
                </a>
            </li>
        }
    };
    let tables = rows.tables.iter().map(link).collect_view();
    let content = if filter.table.is_empty() {
        view! { <EmptyState icon=IconName::ListTree title="Choose a table" hint="Its rows are shown with filters, sorted as you like."/> }
            .into_any()
    } else {
        content(rows, filter)
    };
    view! {
        <nav aria-label="Tables"><ul class="flex flex-wrap gap-1">{tables}</ul></nav>
        {content}
    }
    .into_any()
}

/// The address of the table with this filter, its order and page.
fn of(filter: &DataFilter) -> String {
    let page = match filter.page {
        0 => String::new(),
        page => page.to_string(),
    };
    let operator = match filter.column.is_empty() {
        true => "",
        false => filter.operator.as_str(),
    };
    address(
        PATH,
        &[
            ("table", &filter.table),
            ("column", &filter.column),
            ("operator", operator),
            ("value", &filter.value),
            ("sort", &filter.sort),
            ("order", if filter.descending { "descending" } else { "" }),
            ("page", &page),
        ],
    )
}

fn content(page: Rows, filter: DataFilter) -> AnyView {
    let names = page.columns.iter().filter(|column| !column.is_length);
    let names = names.map(|column| (column.name.clone(), column.name.clone()));
    let mut columns = vec![(String::new(), "Any row".to_owned())];
    columns.extend(names);
    let operators: Vec<_> = OPERATORS
        .map(|(operator, words)| (operator.as_str(), words))
        .to_vec();
    let left_out = match &*page.left_out {
        [] => String::new(),
        names => format!("Left out as secret: {}.", names.join(", ")),
    };
    let head = page
        .columns
        .iter()
        .map(|column| heading(column, &filter))
        .collect_view()
        .into_any();
    let row = |values: Vec<Option<String>>| {
        let cell = |value: Option<String>| {
            match value {
            Some(value) => view! { <td class=format!("{CELL} max-w-80 truncate font-mono text-xs") title=value.clone()>{value.clone()}</td> }.into_any(),
            None => view! { <td class=format!("{CELL} text-xs text-muted-foreground")>"null"</td> }.into_any(),
        }
        };
        view! { <tr>{values.into_iter().map(cell).collect_view()}</tr> }.into_any()
    };
    let is_empty = page.rows.is_empty();
    let rows: Vec<AnyView> = page.rows.into_iter().map(row).collect();
    let rows = match is_empty {
        true => {
            view! { <EmptyState icon=IconName::ListTree title="No rows" hint="No rows match."/> }
                .into_any()
        }
        false => table("Rows", head, rows),
    };
    let turn = |page: Option<u32>, words: &'static str| {
        page.map(|page| {
            let there = of(&DataFilter {
                page,
                ..filter.clone()
            });
            view! { <a href=there rel="external" class=LINK>{words}</a> }
        })
    };
    let (before, after) = (
        turn(filter.page.checked_sub(1), "Previous page"),
        turn(page.more.then(|| filter.page + 1), "Next page"),
    );
    view! {
        <form method="get" action=PATH role="search" class="grid items-end gap-3 sm:grid-cols-[1fr_1fr_1fr_auto]">
            <input type="hidden" name="table" value=filter.table.clone()/>
            <input type="hidden" name="sort" value=filter.sort.clone()/>
            <input type="hidden" name="order" value=if filter.descending { "descending" } else { "" }/>
            {choice("Column", "column", columns, &filter.column)}
            {choice("Operator", "operator", options(&operators), filter.operator.as_str())}
            {field("Value", "value", "text", filter.value.clone())}
            <Button submit=true variant=ButtonVariant::Outline>"Filter"</Button>
        </form>
        <p class="text-xs text-muted-foreground empty:hidden">{left_out}</p>
        {rows}
        <p class="flex justify-center gap-5 text-sm">{before}{after}</p>
    }
    .into_any()
}

/// A column's name, which sorts by it.
fn heading(column: &DataColumn, filter: &DataFilter) -> AnyView {
    const HEADING: &str = "px-3 py-2.5 font-mono font-medium whitespace-nowrap";
    if column.is_length {
        return view! { <th scope="col" class=HEADING>{format!("length of {}", column.name)}</th> }
            .into_any();
    }
    let is_sorted = filter.sort == column.name;
    let there = of(&DataFilter {
        sort: column.name.clone(),
        descending: is_sorted && !filter.descending,
        page: 0,
        ..filter.clone()
    });
    let sort = match (is_sorted, filter.descending) {
        (false, _) => None,
        (true, false) => Some("ascending"),
        (true, true) => Some("descending"),
    };
    view! {
        <th scope="col" aria-sort=sort class=HEADING>
            <a href=there rel="external" class="rounded-sm hover:underline focus-ring">
                {column.name.clone()}
                {sort.map(|sort| if sort == "ascending" { " ↑" } else { " ↓" })}
            </a>
        </th>
    }
    .into_any()
}
