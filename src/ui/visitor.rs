//! The page's visitor, as known when the server rendered it: signing in and out reloads the page.
//! In the header, the menu "Account", or the link to sign in.

use leptos::{prelude::*, server::SharedValue};

use super::{
    components::{
        ButtonSize, ButtonVariant, DropdownMenuContent, DropdownMenuSeparator, DropdownMenuTrigger,
        Icon, IconName, button_class,
    },
    credits,
};
use crate::protocol::{AccountRole, Visitor};

/// Called once, by the app.
pub fn provide() {
    let visitor = SharedValue::new(|| use_context::<Visitor>().unwrap_or_default()).into_inner();
    credits::provide(visitor.credits);
    provide_context(visitor);
}

pub fn expect() -> Visitor {
    expect_context()
}

/// Whether they may have projects: true for signed-in users, and for everybody where there are no
/// accounts.
pub fn is_in() -> bool {
    let visitor = expect();
    !visitor.accounts || visitor.account.is_some()
}

/// Whether they see all users' runs: true for administrators, and for everybody where there are no
/// accounts.
pub fn is_administrator() -> bool {
    let visitor = expect();
    let role = visitor.account.map(|account| account.role);
    !visitor.accounts || role == Some(AccountRole::Admin)
}

/// The menu of a signed-in user, or the link to sign in; empty where there are no accounts.
#[component]
pub fn AccountMenu() -> impl IntoView {
    const MENU: &str = "account-menu";
    let visitor = expect();
    if !visitor.accounts {
        return ().into_any();
    }
    let Some(account) = visitor.account else {
        return view! {
            // Reloads: what the server knows comes with the page.
            <a href="/sign-in" rel="external" class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)>"Sign in"</a>
            <a href="/sign-up" rel="external" class=button_class(ButtonVariant::Default, ButtonSize::Sm)>"Sign up"</a>
        }
        .into_any();
    };
    let email = account.email;
    view! {
        <DropdownMenuTrigger menu=MENU attr:aria-label="Account" attr:data-tooltip="Account">
            <Icon name=IconName::User/>
        </DropdownMenuTrigger>
        <DropdownMenuContent id=MENU label="Account">
            <p class="max-w-56 truncate px-2 py-1.5 text-xs text-muted-foreground">{email.clone()}</p>
            <a href="/settings" role="menuitem" tabindex="-1" class="menu-item">"Settings"</a>
            <a href="/usage" role="menuitem" tabindex="-1" class="menu-item">"Usage"</a>
            <DropdownMenuSeparator/>
            <form method="post" action="/api/account/sign-out">
                <button type="submit" role="menuitem" tabindex="-1" class="menu-item">"Sign out"</button>
            </form>
        </DropdownMenuContent>
    }
    .into_any()
}

/// On every page, says that an administrator acts as another user, with a button to end it.
#[component]
pub fn ActingBanner() -> impl IntoView {
    let visitor = expect();
    let account = visitor.account.filter(|_| visitor.acting);
    account.map(|account| {
        view! {
            <aside aria-label="Signed in as somebody else" class="flex flex-wrap items-center justify-center gap-x-3 gap-y-1 bg-foreground px-4 py-1.5 text-sm text-background">
                <p class="wrap-anywhere">"You are signed in as "<strong>{account.email}</strong>"."</p>
                <form method="post" action="/api/account/sign-out">
                    <button type="submit" class="cursor-pointer rounded-sm underline underline-offset-3 focus-ring">"End"</button>
                </form>
            </aside>
        }
    })
}
