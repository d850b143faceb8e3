//! Pictures of an app's pages as a desktop and a phone show them, for a model that looks at them.

use std::{collections::BTreeSet, io::Cursor, time::Duration};

use image::codecs::jpeg::JpegEncoder;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Agent, App,
    browser::{Browser, WINDOW},
    launch::BrowserError,
    page, picture,
};
use crate::agent::{
    RunError,
    nextjs::routes::{self, Route, RouteKind},
};

/// How many pages are shown: the first one, and those that were changed.
const MAX_PAGES: usize = 3;
/// After this long no further page is loaded.
const MAX_DURATION: Duration = Duration::from_secs(40);
/// The maximum height of a picture, in pixels: providers shrink larger ones
/// (docs.claude.com/en/docs/build-with-claude/vision).
const MAX_HEIGHT: u32 = 1560;
/// How long animations after a change of the window's size may take.
const SETTLE: Duration = Duration::from_millis(500);
/// Tried in turn until a picture is small enough.
const QUALITIES: [u8; 3] = [85, 65, 40];
/// In bytes.
const MAX_JPEG_BYTES: usize = 500_000;
/// The windows with their sizes in pixels. Pages are loaded in the first one.
const SCREENS: [(&str, (u32, u32)); 2] = [("desktop", WINDOW), ("phone", (390, 844))];

/// A page as a screen shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub path: String,
    /// `desktop` or `phone`.
    pub screen: &'static str,
    /// The window's width, in pixels.
    pub width: u32,
    /// How wide the page is, in pixels: where that is more, it scrolls sideways.
    pub page_width: u32,
    /// A JPEG as wide as the window.
    pub jpeg: Vec<u8>,
}

impl Agent {
    /// Pictures of the app's first page and of the pages that these files make. Pages that can't be
    /// loaded are left out; without a browser there are none.
    pub async fn views(
        &self,
        app: &App,
        changed: &BTreeSet<String>,
    ) -> Result<Vec<View>, RunError> {
        let files = app.list().await?.files();
        let Some(_permit) = self.browsers.permit().await? else {
            return Ok(Vec::new());
        };
        let address = app.page_address()?;
        let begun = Instant::now();
        let mut views = Vec::new();
        let mut browser = match Browser::start(self.browsers.settings(), &address).await {
            Ok(browser) => browser,
            Err(error) => {
                self.browsers.warn_unusable(&error.to_string());
                return Ok(Vec::new());
            }
        };
        for path in pages(&files, changed) {
            if begun.elapsed() > MAX_DURATION {
                break;
            }
            let shown = async {
                let findings = page::load(&mut browser, &address, &path).await?;
                if findings.lost {
                    return Err(BrowserError::Silent);
                }
                for (screen, window) in SCREENS {
                    views.extend(view(&mut browser, &path, screen, window).await?);
                }
                browser.resize(WINDOW).await
            };
            if let Err(error) = shown.await {
                tracing::warn!(page.path = path, %error, "no pictures of a page for the model");
                break;
            }
        }
        browser.stop().await;
        Ok(views)
    }
}

/// The paths of the pages to show.
fn pages(files: &[String], changed: &BTreeSet<String>) -> Vec<String> {
    let is_shown = |route: &Route| {
        route.kind == RouteKind::Page
            && !route.is_dynamic()
            && route.path != "/"
            && route.is_touched_by(changed)
    };
    let routes = routes::routes(files.iter().map(String::as_str));
    let touched = routes.into_iter().filter(is_shown).map(|route| route.path);
    let all = std::iter::once("/".to_owned()).chain(touched);
    all.take(MAX_PAGES).collect()
}

/// The loaded page in a window of this size; `None` when its picture can't be read.
async fn view(
    browser: &mut Browser,
    path: &str,
    screen: &'static str,
    window: (u32, u32),
) -> Result<Option<View>, BrowserError> {
    browser.resize(window).await?;
    tokio::time::sleep(SETTLE).await;
    let metrics = browser.ask("Page.getLayoutMetrics", json!({})).await?;
    let pixels = |side: &str| metrics["cssContentSize"][side].as_f64().unwrap_or_default() as u32;
    let (width, height) = (window.0, pixels("height").clamp(window.1, MAX_HEIGHT));
    let part = json!({
        "captureBeyondViewport": height > window.1,
        "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
    });
    let jpeg = jpeg(&browser.capture(part).await?);
    Ok(jpeg.map(|jpeg| View {
        path: path.to_owned(),
        screen,
        width,
        page_width: pixels("width"),
        jpeg,
    }))
}

fn jpeg(png: &[u8]) -> Option<Vec<u8>> {
    let picture = picture::decoded(png)?.into_rgb8();
    QUALITIES.into_iter().find_map(|quality| {
        let mut jpeg = Cursor::new(Vec::new());
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
        picture.write_with_encoder(encoder).ok()?;
        Some(jpeg.into_inner()).filter(|jpeg| jpeg.len() <= MAX_JPEG_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_is_shown_and_those_that_were_changed_but_not_all() {
        let files: Vec<String> = ["", "about/", "old/", "team/", "xtra/", "[id]/"]
            .into_iter()
            .map(|folder| format!("app/{folder}page.tsx"))
            .chain(["app/api/list/route.ts".to_owned()])
            .collect();
        let changed = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(pages(&files, &changed(&[])), ["/"]);
        let all = [
            "app/about/page.tsx",
            "app/team/page.tsx",
            "app/xtra/page.tsx",
            "app/[id]/page.tsx",
            "app/api/list/route.ts",
        ];
        assert_eq!(pages(&files, &changed(&all)), ["/", "/about", "/team"]);
    }
}
