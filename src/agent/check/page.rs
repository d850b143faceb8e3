//! A page as its visitors get it: loaded in the browser until it rests, and judged by what it
//! throws and by what is to be seen.

use std::{
    collections::{BTreeSet, HashSet},
    io::Cursor,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    browser::{Browser, BrowserError},
    rest::{self, Rest},
    watch::{STALLED, Watch},
};
use crate::sandbox::PageAddress;

/// How long a page may take to answer a question: longer than a busy machine takes.
pub const ANSWER: Duration = Duration::from_secs(12);
/// How often a page that shows nothing is looked at again, for what fades in.
const LOOKS: usize = 4;
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(700);
/// What a page is asked for is told within this time after it could not be had.
const SETTLE: Duration = Duration::from_millis(300);
/// How much of an error is told, in characters, and how many errors.
const MAX_ERROR: usize = 1200;
const MAX_ERRORS: usize = 8;
/// Colours that differ by no more in each channel are one to the eye.
const SAME_COLOUR: u8 = 6;

/// The largest picture that is looked at, in pixels of each side.
const MAX_SIDE: u32 = 4096;

/// What was seen of a page.
#[derive(Debug, Default)]
pub struct Seen {
    /// What its visitors would suffer from.
    pub errors: Vec<String>,
    /// What it complained of besides.
    pub warnings: Vec<String>,
    /// Whether its tab is of no more use.
    pub lost: bool,
    /// Whether that may have been the dev server's fault, or the machine's.
    pub doubtful: bool,
    /// The paths of the app that it links to.
    pub links: BTreeSet<String>,
}

/// What a browser says that has no way to the app, whatever the app does.
const UNREACHABLE: [&str; 6] = [
    "ERR_INTERNET_DISCONNECTED",
    "ERR_NAME_NOT_RESOLVED",
    "ERR_CONNECTION_REFUSED",
    "ERR_ADDRESS_UNREACHABLE",
    "ERR_CONNECTION_TIMED_OUT",
    "ERR_CERT",
];

const SURFACE: &str = "There is no text, and one thing in one colour fills the window; that is fine if it is meant to";

/// What is said of a page that has begun to answer when it is not found.
const NOT_FOUND: &str = "It shows that it is not found (404), although there is a page for it: the page, or what it uses, calls notFound().";

/// Loads a page of the app.
pub async fn look_at(
    browser: &mut Browser,
    address: &PageAddress,
    path: &str,
) -> Result<Seen, BrowserError> {
    let url = address
        .page(path)
        .map_err(|error| BrowserError::Failed(error.to_string()))?;
    let url = url.as_str();
    let mut watch = Watch::of(url);
    // What the page before has left.
    while browser.next_event(Instant::now()).await?.is_some() {}
    match browser
        .call("Page.navigate", json!({ "url": url }), STALLED)
        .await
    {
        Ok(answer) => match answer["errorText"].as_str().unwrap_or_default() {
            "" => watch.follow(&answer["frameId"]),
            error => {
                watch.listen(browser, Instant::now() + SETTLE).await?;
                return unreachable(browser, &watch, url, error);
            }
        },
        // It is on its way: the answer comes with the page's first bytes.
        Err(BrowserError::Silent) => {}
        Err(error) => return Err(error),
    }
    watch.until_it_rests(browser).await?;
    let mut rest = Rest::default();
    if !watch.is_lost() {
        let mut blank = None;
        for look in 0..LOOKS {
            if look > 0 {
                watch.listen(browser, Instant::now() + LOOK_AGAIN).await?;
            }
            match look_now(browser).await {
                Ok((now, what)) => (rest, blank) = (now, what),
                Err(BrowserError::Silent) => {
                    watch.hangs();
                    blank = None;
                    break;
                }
                Err(error) => return Err(error),
            }
            if blank.is_none() {
                break;
            }
        }
        watch.listen(browser, Instant::now()).await?;
        if blank.is_some() && rest.text == 0 && rest::has_surface(browser, &rest).await? {
            watch.warn(SURFACE.to_owned());
            blank = None;
        }
        match rest.instead.as_str() {
            "" => {}
            "not-found" => watch.error(None, NOT_FOUND.to_owned()),
            other => watch.warn(format!(
                "Next.js shows its page “{other}” instead, so this one was not looked at"
            )),
        }
        watch.end(blank, rest.overlay);
    }
    let (lost, doubtful) = (watch.is_lost(), watch.is_doubtful());
    let (errors, warnings) = watch.heard();
    Ok(Seen {
        lost,
        doubtful,
        errors: first_of(errors),
        warnings: first_of(warnings),
        links: rest
            .links
            .iter()
            .filter_map(|link| address.own_path(link))
            .collect(),
    })
}

/// What is seen of a page that can't be had; an error when the browser has no way to the app.
fn unreachable(
    browser: &Browser,
    watch: &Watch,
    url: &str,
    error: &str,
) -> Result<Seen, BrowserError> {
    if let Some(host) = watch.leads_to() {
        let warnings = vec![format!(
            "It leads to another server ({host}), which the check does not reach: what is there was not looked at"
        )];
        return Ok(Seen {
            warnings,
            ..Seen::default()
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
    Ok(Seen {
        errors: vec![format!("The page can't be loaded: {error}.")],
        doubtful: true,
        ..Seen::default()
    })
}

/// What the page says, and how it is blank when it is.
async fn look_now(browser: &mut Browser) -> Result<(Rest, Option<String>), BrowserError> {
    let rest = rest::ask(browser).await?;
    if rest.text == 0 && !rest.drawn {
        return Ok((
            rest,
            Some(
                "The page is empty: there is no text and nothing else to be seen on it.".to_owned(),
            ),
        ));
    }
    let shot = browser
        .call(
            "Page.captureScreenshot",
            json!({ "format": "png", "optimizeForSpeed": true }),
            ANSWER,
        )
        .await;
    let png = match shot {
        Ok(shot) => STANDARD
            .decode(shot["data"].as_str().unwrap_or_default())
            .unwrap_or_default(),
        // It has answered: what is slow, or refused, is the picture.
        Err(BrowserError::Silent | BrowserError::Failed(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let blank = is_one_colour(&png).then(|| {
        "The page looks blank: it has content, but what is seen is one plain colour (text in the colour of its background, no height, \
         or hidden by its styles)."
            .to_owned()
    });
    Ok((rest, blank))
}

/// Whether a picture (PNG) is one colour to the eye. What can't be read is none.
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

/// Each once, as many as are worth telling.
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
    fn a_picture_of_one_colour_is_told_from_one_with_a_line_of_text() -> image::ImageResult<()> {
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
