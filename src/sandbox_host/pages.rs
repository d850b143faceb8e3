//! Pages for people while there is no app to show. Programs get JSON instead.

use axum::http::{HeaderMap, header};

use super::sandboxes::Notice;

/// The kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// A browser that navigates to a page.
    Person,
    Program,
}

impl Audience {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let navigates = match text("sec-fetch-mode") {
            "" => {
                text(header::USER_AGENT.as_str()).starts_with("Mozilla/")
                    && text(header::ACCEPT.as_str()).contains("text/html")
            }
            mode => mode == "navigate",
        };
        if navigates {
            Self::Person
        } else {
            Self::Program
        }
    }
}

/// Shown until the app's server answers: the page polls and reloads then. It shows the latest
/// problem.
pub(super) fn starting(notice: Option<&Notice>) -> String {
    let title = match notice {
        Some(notice) if notice.failing => "The app doesn't stay up",
        _ => "Starting the app…",
    };
    let text = notice.map_or(
        "It shows up here as soon as its server answers.",
        |notice| &notice.message,
    );
    page(title, &escape(text), true, RELOAD)
}

/// Shown while the machine has no room for another running sandbox: the page retries.
pub(super) fn waiting_for_room(reason: &str) -> String {
    page("Waiting for a free place", &escape(reason), true, RELOAD)
}

/// Reloads the page once it is available.
const RELOAD: &str = r#"
const settled = async () => {
  try {
    const response = await fetch(location.href, { headers: { accept: "application/json" }, cache: "no-store" });
    return response.status !== 502;
  } catch {
    return false;
  }
};
const wait = async () => {
  if (await settled()) location.reload();
  else setTimeout(wait, 500);
};
setTimeout(wait, 300);
"#;

/// Shown if the sandbox is gone.
pub(super) fn gone() -> String {
    page(
        "This preview has ended",
        "Open the project in CodeFlow to start it again.",
        false,
        "",
    )
}

/// Shown for a port at which no app can be reached.
pub(super) fn no_preview(port: u16) -> String {
    let text = format!(
        "Port {port} is for debugging or the sandbox itself. Serve the app on another port, such \
         as 3000."
    );
    page("This port is not a preview", &text, false, "")
}

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn page(title: &str, text: &str, busy: bool, script: &str) -> String {
    let spinner = if busy {
        "<div class=\"spinner\" aria-hidden=\"true\"></div>"
    } else {
        ""
    };
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
  body {{ margin: 0; min-height: 100dvh; display: grid; place-items: center; font: 15px/1.5 system-ui, sans-serif;
         background: light-dark(#fff, #0f0f11); color: light-dark(#18181b, #f4f4f5); }}
  main {{ display: grid; justify-items: center; gap: .25rem; padding: 2rem; text-align: center; }}
  h1 {{ margin: .75rem 0 0; font-size: 1rem; font-weight: 600; }}
  p {{ margin: 0; max-width: 40rem; white-space: pre-line; overflow-wrap: anywhere; color: light-dark(#71717a, #a1a1aa); }}
  .spinner {{ width: 1.25rem; height: 1.25rem; border-radius: 50%; border: 2px solid light-dark(#e4e4e7, #3f3f46);
             border-top-color: currentColor; animation: turn .9s linear infinite; }}
  @keyframes turn {{ to {{ rotate: 1turn; }} }}
  @media (prefers-reduced-motion: reduce) {{ .spinner {{ animation-duration: 4s; }} }}
</style>
</head>
<body><main role="status">{spinner}<h1>{title}</h1><p>{text}</p></main><script>{script}</script></body>
</html>
"#
    )
}
