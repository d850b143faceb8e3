//! A page as its visitors get it: loaded in the browser until it comes to rest, and judged by what
//! it throws and shows.

use std::{
    collections::{BTreeSet, HashSet},
    io::Cursor,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    activity::{PageActivity, QUIET, STALLED},
    axe::{self, Barrier},
    browser::Browser,
    content::{self, PageContent},
    launch::BrowserError,
    part::part,
};
use crate::{agent::nextjs::page::shown_instead, sandbox::PageAddress};

/// How many times an apparently empty page is read, for content that fades in.
const MAX_CHECKS: usize = 4;
/// The time between two readings.
const POLL_INTERVAL: Duration = Duration::from_millis(700);
/// The events of a page that can't be loaded arrive within this time.
const SETTLE: Duration = Duration::from_millis(300);
/// The longest error, in characters, and how many are reported.
const MAX_ERROR: usize = 1200;
const MAX_ERRORS: usize = 8;
/// Colours that differ by no more than this in each channel look the same.
const SAME_COLOUR: u8 = 6;

/// The largest screenshot that is decoded, in pixels of each side.
const MAX_SIDE: u32 = 4096;

/// What a page's load found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What fails for its visitors.
    pub errors: Vec<String>,
    /// What else is worth knowing.
    pub warnings: Vec<String>,
    /// Whether its tab can load no more pages.
    pub lost: bool,
    /// Whether the dev server, or the machine, may be at fault.
    pub doubtful: bool,
    /// The paths of the app that it links to.
    pub links: BTreeSet<String>,
    /// What it looks like: a PNG.
    pub screenshot: Option<Vec<u8>>,
    /// What keeps people from using it, if it works.
    pub barriers: Vec<Barrier>,
}

impl Findings {
    /// Whether the page works, whatever was loaded beside it.
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty() && !self.lost && !self.doubtful
    }
}

/// The browser's errors when it can't reach the app, whatever the app does.
const UNREACHABLE: [&str; 6] = [
    "ERR_INTERNET_DISCONNECTED",
    "ERR_NAME_NOT_RESOLVED",
    "ERR_CONNECTION_REFUSED",
    "ERR_ADDRESS_UNREACHABLE",
    "ERR_CONNECTION_TIMED_OUT",
    "ERR_CERT",
];

const SURFACE: &str = "There is no text, and one thing in one colour fills the window; that is \
                       fine if it is meant to";

/// The problem of a page that calls notFound() once its answer has begun.
const NOT_FOUND: &str = "It shows that it is not found (404), although there is a page for it: the \
                         page, or what it uses, calls notFound().";

/// Loads a page of the app.
pub async fn load(
    browser: &mut Browser,
    address: &PageAddress,
    path: &str,
) -> Result<Findings, BrowserError> {
    load_and(browser, address, path, false).await
}

/// Loads a page of the app, and looks for barriers if it works.
pub async fn examine(
    browser: &mut Browser,
    address: &PageAddress,
    path: &str,
) -> Result<Findings, BrowserError> {
    load_and(browser, address, path, true).await
}

async fn load_and(
    browser: &mut Browser,
    address: &PageAddress,
    path: &str,
    examines: bool,
) -> Result<Findings, BrowserError> {
    let url = address
        .page(path)
        .map_err(|error| BrowserError::Failed(error.to_string()))?;
    let url = url.as_str();
    let mut activity = PageActivity::of(url);
    // Events of the page before.
    while browser.next_event(Instant::now()).await?.is_some() {}
    match browser
        .call("Page.navigate", json!({ "url": url }), STALLED)
        .await
    {
        Ok(answer) => match answer["errorText"].as_str().unwrap_or_default() {
            "" => activity.follow(&answer["frameId"]),
            error => {
                activity.listen(browser, Instant::now() + SETTLE).await?;
                return unreachable(browser, &activity, url, error);
            }
        },
        // It is on its way: the answer comes with the page's first bytes.
        Err(BrowserError::Silent) => {}
        Err(error) => return Err(error),
    }
    let mut barriers = Vec::new();
    let resting = async {
        if examines {
            // While the page may still do something.
            activity.until_it_rests(browser, QUIET / 2).await?;
            if activity.is_sound() {
                match content::world(browser).await {
                    Ok(world) => barriers = part("axe", axe::barriers(browser, world)).await,
                    Err(BrowserError::Silent) => activity.hangs(),
                    // The page went elsewhere.
                    Err(BrowserError::Failed(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if !activity.has_loaded() {
                return Ok(());
            }
        }
        activity.until_it_rests(browser, QUIET).await
    };
    part("until it rests", resting).await?;
    let mut content = PageContent::default();
    let mut screenshot = None;
    if !activity.is_lost() {
        let mut blank = None;
        for look in 0..MAX_CHECKS {
            if look > 0 {
                activity
                    .listen(browser, Instant::now() + POLL_INTERVAL)
                    .await?;
            }
            match part("look", read_now(browser)).await {
                Ok(look) => (content, blank, screenshot) = look,
                Err(BrowserError::Silent) => {
                    activity.hangs();
                    blank = None;
                    break;
                }
                Err(error) => return Err(error),
            }
            if blank.is_none() {
                break;
            }
        }
        activity.listen(browser, Instant::now()).await?;
        if blank.is_some() && content.text == 0 && content::has_surface(browser, &content).await? {
            activity.warn(SURFACE.to_owned());
            blank = None;
        }
        match content.instead.as_str() {
            "" => {}
            "not-found" => activity.error(None, NOT_FOUND.to_owned()),
            other => activity.warn(shown_instead(other)),
        }
        activity.end(blank, content.overlay);
    }
    let (lost, doubtful) = (activity.is_lost(), activity.is_doubtful());
    let (errors, warnings) = activity.into_findings();
    if lost || doubtful || !errors.is_empty() {
        barriers.clear();
    }
    Ok(Findings {
        lost,
        doubtful,
        errors: first_of(errors),
        warnings: first_of(warnings),
        links: content
            .links
            .iter()
            .filter_map(|link| address.own_path(link))
            .collect(),
        screenshot,
        barriers,
    })
}

/// The findings on a page that can't be loaded; an error when the browser has no way to the app.
fn unreachable(
    browser: &Browser,
    activity: &PageActivity,
    url: &str,
    error: &str,
) -> Result<Findings, BrowserError> {
    if let Some(host) = activity.redirects_to() {
        let warnings = vec![format!(
            "It leads to another server ({host}), which the check does not reach: what is there \
             was not looked at"
        )];
        return Ok(Findings {
            warnings,
            ..Findings::default()
        });
    }
    if let Some(no_way) = browser.no_way() {
        return Err(BrowserError::Unusable(format!(
            "{url} can't be reached from here: {no_way}"
        )));
    }
    if UNREACHABLE.iter().any(|sign| error.contains(sign)) {
        return Err(BrowserError::Unusable(format!(
            "{url} can't be reached from here: {error}"
        )));
    }
    Ok(Findings {
        errors: vec![format!("The page can't be loaded: {error}.")],
        doubtful: true,
        ..Findings::default()
    })
}

/// What the page shows, how it is blank, if it is, and what it looks like.
type Look = (PageContent, Option<String>, Option<Vec<u8>>);

async fn read_now(browser: &mut Browser) -> Result<Look, BrowserError> {
    let content = content::read(browser).await?;
    if content.text == 0 && !content.drawn {
        return Ok((
            content,
            Some("The page is empty: it shows no text and nothing else.".to_owned()),
            None,
        ));
    }
    let png = match browser.screenshot().await {
        Ok(png) => png,
        // The page has answered: only the screenshot is slow, or refused.
        Err(BrowserError::Silent | BrowserError::Failed(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let blank = is_one_colour(&png).then(|| {
        "The page looks blank: it has content, but shows one plain colour (text in the colour of its background, no height, \
         or hidden by its styles)."
            .to_owned()
    });
    Ok((content, blank, Some(png).filter(|png| !png.is_empty())))
}

/// Whether a picture (PNG) looks like a single colour; false when it can't be decoded.
fn is_one_colour(png: &[u8]) -> bool {
    let mut reader = image::ImageReader::with_format(Cursor::new(png), image::ImageFormat::Png);
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    let Ok(picture) = reader.decode() else {
        return false;
    };
    let picture = picture.to_rgb8();
    let mut pixels = picture.pixels();
    let Some(first) = pixels.next() else {
        return false;
    };
    pixels.all(|pixel| {
        pixel
            .0
            .iter()
            .zip(first.0)
            .all(|(a, b)| a.abs_diff(b) <= SAME_COLOUR)
    })
}

/// The first texts, each once.
fn first_of(texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let once = texts.into_iter().filter(|text| seen.insert(text.clone()));
    once.take(MAX_ERRORS)
        .map(|text| text.chars().take(MAX_ERROR).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_with_a_line_of_text_is_not_one_colour() -> image::ImageResult<()> {
        let png = |picture: &image::RgbImage| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture
                .write_to(&mut bytes, image::ImageFormat::Png)
                .map(|()| bytes.into_inner())
        };
        let mut picture = image::RgbImage::from_pixel(40, 30, image::Rgb([255, 255, 255]));
        picture.put_pixel(3, 3, image::Rgb([252, 252, 252]));
        assert!(is_one_colour(&png(&picture)?));
        picture.put_pixel(3, 4, image::Rgb([90, 90, 90]));
        assert!(!is_one_colour(&png(&picture)?));
        assert!(!is_one_colour(b"no picture"));
        Ok(())
    }
}
