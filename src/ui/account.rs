//! The pages of accounts: signing in and up, a new password, one's own settings, what was used and
//! what the plans have. Their code is fetched when somebody goes there; the forms work without it.

mod chart;
mod entrance;
mod form;
mod pricing;
mod refusal;
mod settings;
mod usage;

use leptos::prelude::*;
use leptos_router::LazyRoute;

use super::pane::{page, panes};

use entrance::{CodePage, ConfirmPage, ResetPage, SignInPage, SignUpPage};
use pricing::PricingPage;
use settings::SettingsPage;
use usage::UsagePage;

/// A route whose page is a part of its own.
macro_rules! lazy_route {
    ($(#[$doc:meta])* $route:ident, $part:ident, $page:ident) => {
        $(#[$doc])*
        pub struct $route;

        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            async fn view(_this: Self) -> AnyView {
                page($part).await
            }
        }

        panes! {
            /// The page; its code is fetched when it is wanted.
            pub fn $part() {
                view! { <$page/> }.into_any()
            }
        }
    };
}

pub(super) use lazy_route;

lazy_route!(
    /// `/sign-in`
    SignInRoute, sign_in_page, SignInPage
);
lazy_route!(
    /// `/sign-in/code`
    CodeRoute, code_page, CodePage
);
lazy_route!(
    /// `/confirm`
    ConfirmRoute, confirm_page, ConfirmPage
);
lazy_route!(
    /// `/sign-up`
    SignUpRoute, sign_up_page, SignUpPage
);
lazy_route!(
    /// `/reset`
    ResetRoute, reset_page, ResetPage
);
lazy_route!(
    /// `/settings`
    SettingsRoute, settings_page, SettingsPage
);
lazy_route!(
    /// `/pricing`
    PricingRoute, pricing_page, PricingPage
);
lazy_route!(
    /// `/usage`
    UsageRoute, usage_page, UsagePage
);
