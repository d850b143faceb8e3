//! Elements that Next.js and React add to a page.

/// JavaScript that finds them with the functions of `check/content.rs`: `instead` is the element
/// that says which page is shown instead of one whose answer had begun
/// (next/dist/client/components/http-access-fallback), and `dialog` the dev server's error overlay.
pub const FIND: &str = r#"const meta = (name) => all(document, `meta[name="${name}"]`)[0];
  const instead = meta("boundary-next-error") ?? meta("next-error");
  const portal = all(document, "nextjs-portal")[0];
  const root = portal && shadow(portal);
  const dialog = root && method(DocumentFragment, "querySelector")(root, "[data-nextjs-dialog], [data-nextjs-error-overlay], dialog");"#;

/// What visitors see if it shows its own page of this name instead.
pub fn shown_instead(page: &str) -> String {
    format!("Next.js shows its page “{page}” instead, so this one was not looked at")
}

/// Whether React keeps an element's handlers in this property of it.
pub fn keeps_handlers(property: &str) -> bool {
    property.starts_with("__reactProps$")
}
