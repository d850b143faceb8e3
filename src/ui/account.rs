//! The account pages: signing in and up, resetting a password, settings, usage and pricing. Their
//! code is fetched on demand; the forms work without it.

mod chart;
mod entrance;
mod form;
mod invite;
mod passkey;
mod pricing;
mod refusal;
mod settings;
mod usage;

use leptos::prelude::*;
use leptos_router::LazyRoute;

use super::pane::{page, panes};

use entrance::{CodePage, ConfirmPage, ResetPage, SignInPage, SignUpPage};
use invite::InvitePage;
use pricing::PricingPage;
use settings::SettingsPage;
use usage::UsagePage;

/// A route whose page's code is fetched on demand.
macro_rules! lazy_route {
    ($(#[$doc:meta])* $part:ident, $route:ident, $name:ident, $page:ident) => {
        $(#[$doc])*
        pub struct $route;

        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            async fn view(_this: Self) -> AnyView {
                page($name).await
            }
        }

        panes! {
            $part:

            /// The page; its code is fetched on demand.
            pub fn $name() {
                view! { <$page/> }.into_any()
            }
        }
    };
}

pub(super) use lazy_route;

lazy_route!(
    /// `/sign-in`
    account, SignInRoute, sign_in_page, SignInPage
);
lazy_route!(
    /// `/sign-in/code`
    account, CodeRoute, code_page, CodePage
);
lazy_route!(
    /// `/confirm`
    account, ConfirmRoute, confirm_page, ConfirmPage
);
lazy_route!(
    /// `/sign-up`
    account, SignUpRoute, sign_up_page, SignUpPage
);
lazy_route!(
    /// `/reset`
    account, ResetRoute, reset_page, ResetPage
);
lazy_route!(
    /// `/settings`
    account, SettingsRoute, settings_page, SettingsPage
);
lazy_route!(
    /// `/pricing`
    account, PricingRoute, pricing_page, PricingPage
);
lazy_route!(
    /// `/usage`
    account, UsageRoute, usage_page, UsagePage
);
lazy_route!(
    /// `/invite/{token}`
    account, InviteRoute, invite_page, InvitePage
);
