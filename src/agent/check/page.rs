//! A page as its visitors get it: loaded in the browser until it rests, and judged by what it throws and by what is to be seen.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::browser::{Browser, BrowserError, Event};

/// How long a page may take until it has loaded.
const LOAD: Duration = Duration::from_secs(30);
/// One that has not loaded by then is asked whether it lives.
const STALLED: Duration = Duration::from_secs(8);
/// A page rests when it has loaded and nothing has happened for this long: effects and their requests have had their turn.
const QUIET: Duration = Duration::from_millis(900);
/// A page that never rests is looked at after this.
const RESTLESS: Duration = Duration::from_secs(8);
/// How long a page may take to answer a question.
const ANSWER: Duration = Duration::from_secs(6);
/// How often a page that shows nothing is looked at again, for what fades in.
const LOOKS: usize = 4;
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(700);
/// How much of an error is told, in characters, and how many errors.
const MAX_ERROR: usize = 1200;
const MAX_ERRORS: usize = 8;
/// Colours that differ by no more in each channel are one to the eye.
const SAME_COLOUR: u8 = 6;

/// What was seen of a page.
#[derive(Debug, Default)]
pub struct Seen {
    /// What its visitors would suffer from.
    pub errors: Vec<String>,
    /// What it complained of besides.
    pub warnings: Vec<String>,
    /// Whether its tab is of no more use.
    pub lost: bool,
    /// The paths of the app that it links to.
    pub links: BTreeSet<String>,
}

/// What the page says of itself when it rests.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rest {
    text: usize,
    things: usize,
    overlay: String,
    links: Vec<String>,
}

/// What a browser says that has no way to the app, whatever the app does.
const UNREACHABLE: [&str; 5] = [
    "ERR_NAME_NOT_RESOLVED",
    "ERR_CONNECTION_REFUSED",
    "ERR_ADDRESS_UNREACHABLE",
    "ERR_CONNECTION_TIMED_OUT",
    "ERR_CERT",
];

const HANGS: &str = "The page hangs: it computes without an end (an endless loop, or a render that renders itself again).";

/// Counts what can be seen, reads the dev server's error overlay, and lists links.
const ASK: &str = r#"(() => {
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  const things = document.querySelectorAll("img, svg, canvas, video, input, button, textarea, select, iframe, object");
  const portal = document.querySelector("nextjs-portal");
  const dialog = portal?.shadowRoot?.querySelector("[data-nextjs-dialog], [data-nextjs-error-overlay], dialog");
  return JSON.stringify({
    text: (document.body?.innerText ?? "").trim().length,
    things: [...things].filter(shown).length,
    overlay: (dialog?.innerText ?? "").trim().slice(0, 2000),
    links: [...document.querySelectorAll("a[href]")]
      .map((link) => new URL(link.href, location.href))
      .filter((url) => url.origin === location.origin)
      .map((url) => url.pathname)
      .slice(0, 200),
  });
})()"#;

/// Loads the page at the address.
pub async fn look_at(browser: &mut Browser, url: &str) -> Result<Seen, BrowserError> {
    let mut watch = Watch::default();
    // What the page before has left.
    while browser.next_event(Instant::now()).await?.is_some() {}
    match browser.call("Page.navigate", json!({ "url": url }), STALLED).await {
        Ok(answer) => match answer["errorText"].as_str().unwrap_or_default() {
            "" => {}
            error if UNREACHABLE.iter().any(|sign| error.contains(sign)) => {
                return Err(BrowserError::Unusable(format!("{url} can't be reached from here: {error}")));
            }
            error => {
                let errors = vec![format!("The page can't be loaded: {error}.")];
                return Ok(Seen { errors, ..Seen::default() });
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
                    watch.hangs = true;
                    blank = Some(HANGS.to_owned());
                    break;
                }
                Err(error) => return Err(error),
            }
            if blank.is_none() {
                break;
            }
        }
        watch.listen(browser, Instant::now()).await?;
        watch.errors.extend(blank);
        if watch.errors.is_empty() && !rest.overlay.is_empty() {
            watch.errors.push(rest.overlay);
        }
    }
    Ok(Seen {
        lost: watch.is_lost(),
        errors: first_of(watch.errors),
        warnings: first_of(watch.warnings),
        links: rest.links.into_iter().collect(),
    })
}

/// What the page says, and how it is blank when it is.
async fn look_now(browser: &mut Browser) -> Result<(Rest, Option<String>), BrowserError> {
    let answer = browser
        .call("Runtime.evaluate", json!({ "expression": ASK, "returnByValue": true }), ANSWER)
        .await?;
    let rest: Rest = serde_json::from_str(answer["result"]["value"].as_str().unwrap_or("{}")).unwrap_or_default();
    if rest.text == 0 && rest.things == 0 {
        return Ok((
            rest,
            Some("The page is empty: there is no text and nothing else to be seen on it.".to_owned()),
        ));
    }
    let shot = browser
        .call(
            "Page.captureScreenshot",
            json!({ "format": "png", "optimizeForSpeed": true }),
            ANSWER,
        )
        .await?;
    let png = STANDARD.decode(shot["data"].as_str().unwrap_or_default()).unwrap_or_default();
    let blank = is_one_colour(&png).then(|| {
        "The page looks blank: it has content, but what is seen is one plain colour (text in the colour of its background, no height, \
         or hidden by its styles)."
            .to_owned()
    });
    Ok((rest, blank))
}

/// Whether a picture (PNG) is one colour to the eye. What can't be read is none.
fn is_one_colour(png: &[u8]) -> bool {
    let Ok(picture) = image::load_from_memory_with_format(png, image::ImageFormat::Png) else {
        return false;
    };
    let picture = picture.to_rgb8();
    let mut pixels = picture.pixels();
    let Some(first) = pixels.next() else {
        return false;
    };
    pixels.all(|pixel| pixel.0.iter().zip(first.0).all(|(a, b)| a.abs_diff(b) <= SAME_COLOUR))
}

/// Each once, as many as are worth telling.
fn first_of(texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let once = texts.into_iter().filter(|text| seen.insert(text.clone()));
    once.take(MAX_ERRORS).map(|text| text.chars().take(MAX_ERROR).collect()).collect()
}

/// What happens while a page loads.
#[derive(Default)]
struct Watch {
    errors: Vec<String>,
    warnings: Vec<String>,
    loaded: bool,
    crashed: bool,
    hangs: bool,
    /// Requests under way.
    requests: HashSet<String>,
    last: Option<Instant>,
}

impl Watch {
    async fn until_it_rests(&mut self, browser: &mut Browser) -> Result<(), BrowserError> {
        let begun = Instant::now();
        let (mut loaded_at, mut asked) = (None, false);
        loop {
            let now = Instant::now();
            if self.loaded {
                loaded_at.get_or_insert(now);
            }
            let deadline = match loaded_at {
                None if asked => begun + LOAD,
                None => begun + STALLED,
                Some(at) if self.requests.is_empty() => (self.last.unwrap_or(at).max(at) + QUIET).min(at + RESTLESS),
                Some(at) => at + RESTLESS,
            };
            if loaded_at.is_none() && !asked && now >= deadline {
                asked = true;
                let ask = json!({ "expression": "1" });
                if let Err(BrowserError::Silent) = browser.call("Runtime.evaluate", ask, ANSWER).await {
                    self.hangs = true;
                    self.errors.push(HANGS.to_owned());
                }
                continue;
            }
            if now >= deadline || self.is_lost() {
                break;
            }
            if let Some(event) = browser.next_event(deadline).await? {
                self.take(event);
            }
        }
        if !self.loaded && !self.is_lost() && self.errors.is_empty() {
            self.errors
                .push(format!("The page did not finish loading within {} seconds.", LOAD.as_secs()));
        }
        Ok(())
    }

    async fn listen(&mut self, browser: &mut Browser, until: Instant) -> Result<(), BrowserError> {
        while let Some(event) = browser.next_event(until).await? {
            self.take(event);
        }
        Ok(())
    }

    /// Whether there is no page to be asked.
    fn is_lost(&self) -> bool {
        self.crashed || self.hangs
    }

    fn take(&mut self, event: Event) {
        let params = &event.params;
        let request = || params["requestId"].as_str().unwrap_or_default().to_owned();
        match event.method.as_str() {
            "Page.loadEventFired" => self.loaded = true,
            "Inspector.targetCrashed" => {
                self.crashed = true;
                self.errors
                    .push("The page crashed: it used more memory than a browser gives it.".to_owned());
            }
            "Network.requestWillBeSent" => {
                self.requests.insert(request());
            }
            "Network.loadingFinished" | "Network.loadingFailed" => {
                self.requests.remove(&request());
            }
            // Streams that stay open are no work under way.
            "Network.eventSourceMessageReceived" => {
                self.requests.remove(&request());
                return;
            }
            "Runtime.exceptionThrown" => self.errors.push(exception(&params["exceptionDetails"])),
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                let text = console_text(&params["args"]);
                if is_fatal(&text) {
                    self.errors.push(text);
                } else if !text.is_empty() {
                    self.warnings.push(text);
                }
            }
            _ => return,
        }
        self.last = Some(Instant::now());
    }
}

/// An uncaught exception or rejection, in words.
fn exception(details: &Value) -> String {
    let text = details["text"].as_str().unwrap_or("Uncaught");
    let exception = &details["exception"];
    let told = exception["description"].as_str().or(exception["value"].as_str());
    match told {
        Some(told) => {
            let own = own_frames(told);
            if text.contains("in promise") {
                format!("Unhandled rejection: {own}")
            } else {
                own
            }
        }
        None => text.to_owned(),
    }
}

/// The message, and those lines of the stack behind it that are the app's own.
fn own_frames(description: &str) -> String {
    let is_frame = |line: &&str| line.trim_start().starts_with("at ");
    let message = description.lines().take_while(|line| !is_frame(line));
    let frames = description.lines().filter(is_frame);
    let own = frames.filter(|line| {
        !["node_modules", "<anonymous>", "_next_dist", "/next/dist/", "react-dom"]
            .iter()
            .any(|part| line.contains(part))
    });
    message.chain(own.take(4)).collect::<Vec<_>>().join("\n")
}

/// What was given to `console.error`, with `%s` and its kin filled in.
fn console_text(args: &Value) -> String {
    let mut args = args.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|arg| {
        let value = &arg["value"];
        match (value.as_str(), arg["description"].as_str()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(description)) => own_frames(description),
            (None, None) if value.is_null() => String::new(),
            (None, None) => value.to_string(),
        }
    });
    let Some(format) = args.next() else {
        return String::new();
    };
    let mut text = String::new();
    let mut rest = format.as_str();
    while let Some((at, kind)) = rest
        .match_indices('%')
        .find_map(|(at, _)| Some((at, *rest.as_bytes().get(at + 1)?)))
    {
        text.push_str(&rest[..at]);
        match kind {
            b's' | b'd' | b'i' | b'f' | b'o' | b'O' => {
                text.push_str(&args.next().unwrap_or_default());
                rest = &rest[at + 2..];
            }
            // Styles are for the console alone.
            b'c' => {
                args.next();
                rest = &rest[at + 2..];
            }
            _ => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    for more in args.filter(|more| !more.trim().is_empty()) {
        text.push(' ');
        text.push_str(&more);
    }
    text.trim().to_owned()
}

/// Complaints of React's and Next's that mean a broken page, and are no exceptions: React has caught them, and rendered something else.
const FATAL: [&str; 7] = [
    "Hydration failed",
    "hydrated but some attributes",
    "Maximum update depth exceeded",
    "The above error occurred",
    "React will try to recreate this component tree",
    "An error occurred during hydration",
    "There was an error while hydrating",
];

fn is_fatal(text: &str) -> bool {
    FATAL.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_arguments_become_the_text_that_people_see() {
        let args = json!([
            { "type": "string", "value": "%c%s%c failed in %s: 100%" },
            { "value": "color: red" }, { "value": "Query" }, { "value": "" }, { "value": "page" },
            { "type": "number", "value": 7 }, { "type": "object", "subtype": "error", "description": "Error: x\n    at f (app/page.tsx:1:2)\n    at g (node_modules/react-dom/x.js:1:1)" },
        ]);
        assert_eq!(
            console_text(&args),
            "Query failed in page: 100% 7 Error: x\n    at f (app/page.tsx:1:2)"
        );
        assert_eq!(console_text(&json!([])), "");
        assert_eq!(console_text(&json!([{ "value": "50%" }])), "50%");
    }

    #[test]
    fn an_exception_is_told_by_its_message_and_the_app_s_own_frames() {
        let details = json!({ "text": "Uncaught (in promise)", "exception": { "description": "TypeError: no\n    at load (http://a/app/page.tsx:3:1)\n    at <anonymous>" } });
        assert_eq!(
            exception(&details),
            "Unhandled rejection: TypeError: no\n    at load (http://a/app/page.tsx:3:1)"
        );
        assert_eq!(exception(&json!({ "text": "Uncaught" })), "Uncaught");
        assert_eq!(exception(&json!({ "exception": { "value": "boo" } })), "boo");
    }

    #[test]
    fn a_picture_of_one_colour_is_told_from_one_with_a_line_of_text() -> image::ImageResult<()> {
        let png = |picture: &image::RgbImage| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut bytes, image::ImageFormat::Png).map(|()| bytes.into_inner())
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
