//! `/admin/users`: who has an account, what they may do, and invitations.

use leptos::prelude::*;

use super::frame::{
    CELL, LINK, address, choice, columns, field, loaded, loading, next_page, options, page,
    parameter, table,
};
use crate::{
    api::admin::list_users,
    protocol::{AccountRole, Invitation, Plan, UserFilter, UserPage, UserState, UserSummary},
    ui::{
        components::{
            Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, CARD, EmptyState, INPUT,
            IconName,
        },
        time::Moment,
        visitor,
    },
};

const PATH: &str = "/admin/users";
const LEAD: &str = "Accounts with their plans and roles, and invitations.";
const SMALL_SELECT: &str =
    "h-7 cursor-pointer rounded-lg border border-border bg-card px-2 text-xs shadow-xs focus-ring";
const PLANS: [Plan; 2] = [Plan::Free, Plan::Pro];
const ROLES: [AccountRole; 2] = [AccountRole::User, AccountRole::Admin];

#[component]
pub fn UsersPage() -> impl IntoView {
    page("Users", PATH, LEAD, || {
        if !visitor::expect().accounts {
            return view! {
                <EmptyState
                    icon=IconName::User
                    title="This CodeFlow has no accounts"
                    hint="Everyone who can reach it is the same user. With AUTH=on, people sign in and are listed here."
                />
            }
            .into_any();
        }
        let filter = || UserFilter {
            search: parameter("search"),
            plan: parameter("plan"),
            role: parameter("role"),
            state: parameter("state"),
            before: parameter("before"),
        };
        let found = Resource::new_blocking(filter, list_users);
        let chosen = untrack(filter);
        let kept = chosen.clone();
        view! {
            <form method="get" action=PATH role="search" class="grid items-end gap-3 sm:grid-cols-[1fr_repeat(3,9rem)_auto]">
                {field("Search", "search", "search", chosen.search)}
                {choice("Plan", "plan", options(&[("", "All plans"), ("free", "Free"), ("pro", "Pro")]), &chosen.plan)}
                {choice("Role", "role", options(&[("", "All roles"), ("user", "User"), ("admin", "Administrator")]), &chosen.role)}
                {choice("State", "state", options(&[("", "All states"), ("active", "Active"), ("disabled", "Disabled")]), &chosen.state)}
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

fn list(page: UserPage, filter: &UserFilter) -> AnyView {
    let next = page.next.map(|next| {
        let next = next.to_string();
        address(
            PATH,
            &[
                ("search", &filter.search),
                ("plan", &filter.plan),
                ("role", &filter.role),
                ("state", &filter.state),
                ("before", &next),
            ],
        )
    });
    let users = if page.users.is_empty() {
        view! { <EmptyState icon=IconName::User title="No users match" hint="Try another search, or all plans, roles and states."/> }
            .into_any()
    } else {
        const COLUMNS: [&str; 8] = [
            "User",
            "Plan",
            "Role",
            "State",
            "Last seen",
            "Projects",
            "Runs",
            "Actions",
        ];
        let rows = page.users.into_iter().map(row).collect();
        table("Users", columns(&COLUMNS), rows)
    };
    view! {
        {users}
        {next_page(next)}
        <Invitations invitations=page.invitations/>
    }
    .into_any()
}

fn role_word(role: AccountRole) -> &'static str {
    match role {
        AccountRole::User => "User",
        AccountRole::Admin => "Administrator",
    }
}

fn plan_word(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "Free",
        Plan::Pro => "Pro",
    }
}

fn row(user: UserSummary) -> AnyView {
    let account = user.account.clone();
    let seen = match user.seen_at {
        Some(at) => view! { <Moment at/> }.into_any(),
        None => "Never".into_any(),
    };
    let state = match user.state {
        UserState::Active => {
            view! { <Badge variant=BadgeVariant::Outline>"Active"</Badge> }.into_any()
        }
        UserState::Disabled => {
            view! { <Badge variant=BadgeVariant::Destructive>"Disabled"</Badge> }.into_any()
        }
    };
    let of_user = address("/admin/projects", &[("search", &account.id.to_string())]);
    view! {
        <tr>
            <td class=format!("{CELL} min-w-48 wrap-anywhere")>
                <span class="font-medium">{account.email.clone()}</span>
                <span class="block text-xs text-muted-foreground empty:hidden">{account.name.clone()}</span>
            </td>
            <td class=CELL>{plan_word(account.plan)}</td>
            <td class=CELL>{role_word(account.role)}</td>
            <td class=CELL>{state}</td>
            <td class=format!("{CELL} whitespace-nowrap")>{seen}</td>
            <td class=format!("{CELL} tabular-nums")><a href=of_user rel="external" class=LINK>{user.projects}</a></td>
            <td class=format!("{CELL} tabular-nums")>{user.runs}</td>
            <td class=CELL>{actions(&user)}</td>
        </tr>
    }
    .into_any()
}

/// A form with one button, about a user.
fn act(action: &'static str, user: &str, button: &'static str, fields: AnyView) -> AnyView {
    view! {
        <form method="post" action=format!("/api/admin/users/{action}") class="flex items-center gap-2">
            <input type="hidden" name="user" value=user.to_owned()/>
            {fields}
            <Button submit=true variant=ButtonVariant::Outline size=ButtonSize::Sm>{button}</Button>
        </form>
    }
    .into_any()
}

fn select(
    label: String,
    name: &'static str,
    options: impl IntoIterator<Item = (&'static str, &'static str, bool)>,
) -> AnyView {
    let options = options
        .into_iter()
        .map(
            |(value, words, chosen)| view! { <option value=value selected=chosen>{words}</option> },
        )
        .collect_view();
    view! { <select name=name aria-label=label class=SMALL_SELECT>{options}</select> }.into_any()
}

fn actions(user: &UserSummary) -> AnyView {
    let account = &user.account;
    let (id, email) = (account.id.to_string(), account.email.clone());
    let plans = PLANS.map(|plan| (plan.as_str(), plan_word(plan), plan == account.plan));
    let roles = ROLES.map(|role| (role.as_str(), role_word(role), role == account.role));
    let plan = select(format!("Plan of {email}"), "plan", plans);
    let role = select(format!("Role of {email}"), "role", roles);
    let nothing = || ().into_any();
    let is_active = user.state == UserState::Active;
    let state = if is_active {
        act("disable", &id, "Disable account", nothing())
    } else {
        act("enable", &id, "Enable account", nothing())
    };
    // Administrators act as themselves.
    let can_be = is_active && account.role == AccountRole::User;
    view! {
        <details>
            <summary class="cursor-pointer rounded-sm text-xs underline underline-offset-3 focus-ring">
                "Manage"<span class="sr-only">{format!(" {email}")}</span>
            </summary>
            <div class="mt-2 flex flex-col items-start gap-2">
                {act("plan", &id, "Set plan", plan)}
                {act("role", &id, "Set role", role)}
                {state}
                {act("reset-link", &id, "Make reset link", nothing())}
                {can_be.then(|| act("sign-in", &id, "Sign in as", nothing()))}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn Invitations(invitations: Vec<Invitation>) -> impl IntoView {
    let item = |invitation: Invitation| {
        let made_by = match invitation.made_by {
            by if by.is_empty() => "a command".to_owned(),
            by => by,
        };
        view! {
            <li class="flex flex-wrap items-center gap-3 py-3 first:pt-0 last:pb-0">
                <p class="min-w-0 flex-1 text-sm wrap-anywhere">
                    "Made by "{made_by}", "<Moment at=invitation.created_at/>"; good until "<Moment at=invitation.expires_at/>
                </p>
                <form method="post" action="/api/admin/invitations/revoke">
                    <input type="hidden" name="invitation" value=invitation.id.to_string()/>
                    <Button submit=true variant=ButtonVariant::Outline size=ButtonSize::Sm>"Revoke"</Button>
                </form>
            </li>
        }
    };
    let list = if invitations.is_empty() {
        view! { <p class="text-sm text-muted-foreground">"No invitation is open."</p> }.into_any()
    } else {
        view! {
            <ul aria-label="Open invitations" class="flex flex-col divide-y divide-border">
                {invitations.into_iter().map(item).collect_view()}
            </ul>
        }
        .into_any()
    };
    view! {
        <section aria-labelledby="invitations" class=format!("flex flex-col gap-4 p-5 sm:p-6 {CARD}")>
            <div>
                <h2 id="invitations" class="text-base font-semibold tracking-tight">"Invitations"</h2>
                <p class="mt-1 text-sm leading-6 text-muted-foreground">"Each link creates one account, even if SIGN_UP is invite or closed."</p>
            </div>
            <form method="post" action="/api/admin/invitations/make" class="flex items-end gap-3">
                <label class="flex w-28 flex-col gap-1 text-xs font-medium text-muted-foreground">
                    "Good for days"
                    <input type="number" name="days" min="1" max="90" value="7" required class=INPUT/>
                </label>
                <Button submit=true>"Make invitation"</Button>
            </form>
            {list}
        </section>
    }
}
