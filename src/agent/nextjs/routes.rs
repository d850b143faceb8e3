//! The app's routes, derived from its files as Next's App Router does
//! (nextjs.org/docs/app/api-reference/file-conventions).

use std::collections::BTreeSet;

/// The file of an app's first page.
pub const FIRST_PAGE: &str = "app/page.tsx";

/// A route of the app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Its path, with a leading slash; parts in brackets match anything.
    pub path: String,
    pub kind: RouteKind,
    /// The file that answers.
    pub file: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    Page,
    /// A route handler: an API.
    Handler,
}

/// The routes of an app with these files, pages first.
pub fn routes<'a>(files: impl IntoIterator<Item = &'a str>) -> Vec<Route> {
    let mut found: Vec<Route> = files.into_iter().filter_map(route).collect();
    found.sort_by(|a, b| a.kind.cmp(&b.kind).then(a.path.cmp(&b.path)));
    found
}

fn route(file: &str) -> Option<Route> {
    let below = file
        .strip_prefix("src/")
        .unwrap_or(file)
        .strip_prefix("app/")?;
    let (folders, name) = below.rsplit_once('/').unwrap_or(("", below));
    let kind = match name {
        "page.tsx" | "page.ts" | "page.jsx" | "page.js" | "page.mdx" => RouteKind::Page,
        "route.ts" | "route.js" | "route.tsx" => RouteKind::Handler,
        _ => return None,
    };
    let mut path = String::new();
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        match part.chars().next() {
            // Private folders have no routes, slots and intercepted routes none of their own.
            Some('_' | '@') => return None,
            Some('(') if part.ends_with(')') => {}
            Some('(') => return None,
            _ => {
                path.push('/');
                path.push_str(part);
            }
        }
    }
    Some(Route {
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            path
        },
        kind,
        file: file.to_owned(),
    })
}

impl Route {
    /// Whether a part of its path matches anything.
    pub fn is_dynamic(&self) -> bool {
        self.path.contains('[')
    }

    /// Whether it answers this path.
    pub fn answers(&self, path: &str) -> bool {
        let mut wanted = path
            .trim_matches('/')
            .split('/')
            .filter(|part| !part.is_empty());
        for part in self.path.split('/').filter(|part| !part.is_empty()) {
            if part.starts_with("[...") || part.starts_with("[[...") {
                return part.starts_with("[[") || wanted.next().is_some();
            }
            match wanted.next() {
                Some(_) if part.starts_with('[') => {}
                Some(given) if given == part => {}
                Some(_) | None => return false,
            }
        }
        wanted.next().is_none()
    }

    /// Whether one of these files belongs to it: its own, or a layout, template or error page above
    /// it.
    pub fn is_touched_by(&self, changed: &BTreeSet<String>) -> bool {
        changed.contains(&self.file)
            || changed.iter().any(|file| {
                let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
                let frames = ["layout.", "template.", "loading.", "error.", "not-found."];
                frames.iter().any(|frame| name.starts_with(frame))
                    && self.file.starts_with(&format!("{folder}/"))
            })
    }
}

/// Whether a route handler's source answers GET.
pub fn answers_get(source: &str) -> bool {
    source.lines().any(|line| {
        let line = line.trim();
        line.starts_with("export")
            && line
                .split(|letter: char| !letter.is_alphanumeric())
                .any(|word| word == "GET")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_the_addresses_that_next_serves() {
        let files = [
            "app/page.tsx",
            "app/layout.tsx",
            "src/app/(shop)/cart/page.jsx",
            "app/posts/[slug]/page.tsx",
            "app/api/hello/route.ts",
            "app/_parts/page.tsx",
            "app/@modal/page.tsx",
            "app/(.)photo/page.tsx",
            "components/page.tsx",
        ];
        let found: Vec<(String, RouteKind)> = routes(files)
            .into_iter()
            .map(|route| (route.path, route.kind))
            .collect();
        let page = |path: &str| (path.to_owned(), RouteKind::Page);
        assert_eq!(
            found,
            [
                page("/"),
                page("/cart"),
                page("/posts/[slug]"),
                ("/api/hello".to_owned(), RouteKind::Handler)
            ]
        );
    }

    #[test]
    fn dynamic_routes_answer_what_fits_and_a_layout_touches_all_below_it() {
        let of = |file: &str| route(file).unwrap_or_else(|| panic!("{file}"));
        let post = of("app/posts/[slug]/page.tsx");
        assert!(
            post.is_dynamic()
                && post.answers("/posts/a")
                && !post.answers("/posts")
                && !post.answers("/posts/a/b")
        );
        let all = of("app/docs/[...path]/page.tsx");
        assert!(all.answers("/docs/a/b") && !all.answers("/docs"));
        assert!(of("app/docs/[[...path]]/page.tsx").answers("/docs"));
        let changed = |file: &str| BTreeSet::from([file.to_owned()]);
        assert!(
            post.is_touched_by(&changed("app/posts/layout.tsx"))
                && post.is_touched_by(&changed("app/layout.tsx"))
        );
        assert!(
            !post.is_touched_by(&changed("app/docs/layout.tsx"))
                && !post.is_touched_by(&changed("lib/x.ts"))
        );
    }

    #[test]
    fn only_handlers_that_answer_get_are_asked() {
        assert!(
            answers_get("export async function GET() {}")
                && answers_get("export const GET = () => {}")
        );
        assert!(answers_get("export { GET, POST } from './x'"));
        assert!(!answers_get(
            "export async function POST() {}\n// export function GET\nconst GET = 1"
        ));
    }
}
