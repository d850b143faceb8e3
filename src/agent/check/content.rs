//! What a page shows once it has come to rest. The question runs in an isolated world, free of the
//! page's own replacements of functions
//! (chromedevtools.github.io/devtools-protocol/tot/Page/#method-createIsolatedWorld), through
//! accessors that its elements' names can't shadow. The answer is validated like any other input.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{browser::Browser, launch::BrowserError};
use crate::agent::nextjs::page;

/// The world's name, for those who look into the browser.
const WORLD: &str = "codeflow-check";
/// How many times reading a page that keeps navigating is attempted: navigation ends the isolated
/// world.
const ATTEMPTS: usize = 3;
/// The longest text of the dev server's overlay, in characters.
const MAX_OVERLAY: usize = 2000;
/// How many links of a page are read.
const MAX_LINKS: usize = 200;
/// How many elements are searched for handlers that React keeps.
const MAX_SURFACES: usize = 4;

/// What the page shows.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageContent {
    /// How much text there is, in UTF-16 units.
    pub text: u64,
    /// Whether it shows anything else.
    pub drawn: bool,
    /// Whether it fills the window with something to draw, write or click on.
    surface: bool,
    /// How many coloured elements fill the window and may have handlers.
    surfaces: usize,
    pub overlay: String,
    /// The page that the framework shows instead: `not-found`, `forbidden` or `unauthorized`.
    pub instead: String,
    /// Absolute addresses that it links to.
    pub links: Vec<String>,
    /// The isolated world, for questions about its elements.
    #[serde(skip)]
    world: i64,
}

/// Looks for what can be seen (text, what draws itself, and boxes with a colour or a border that
/// are no background of the whole page) and for what fills the window by design, reads what the
/// framework adds ([`page::FIND`] takes the place of `FRAMEWORK`), and lists links.
static ASK: LazyLock<String> = LazyLock::new(|| SCRIPT.replace("FRAMEWORK", page::FIND));
const SCRIPT: &str = r#"(() => {
  const getter = (type, name) => {
    const get = Object.getOwnPropertyDescriptor(type.prototype, name).get;
    return (object) => Reflect.apply(get, object, []);
  };
  const method = (type, name) => (object, ...given) => Reflect.apply(type.prototype[name], object, given);
  const all = method(Document, "querySelectorAll");
  const below = method(Element, "querySelectorAll");
  const box = method(Element, "getBoundingClientRect");
  const matches = method(Element, "matches");
  const attributes = method(Element, "getAttributeNames");
  const attribute = method(Element, "getAttribute");
  const child = getter(Element, "firstElementChild");
  const shadow = getter(Element, "shadowRoot");
  const text = (element) => (element instanceof HTMLElement ? getter(HTMLElement, "innerText")(element) : "");
  const body = getter(Document, "body")(document);
  const shown = (element) => {
    const { width, height } = box(element);
    return width > 0 && height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  const fills = (element) => {
    const { width, height } = box(element);
    return width * height > 0.8 * innerWidth * innerHeight;
  };
  const clear = (style) => style.backgroundColor === "rgba(0, 0, 0, 0)" && style.backgroundImage === "none";
  const drawn = (element) => {
    if (child(element) || fills(element)) return false;
    const style = getComputedStyle(element);
    return !clear(style) || (style.borderStyle !== "none" && parseFloat(style.borderWidth) > 0);
  };
  const pale = ["rgb(255, 255, 255)", body ? getComputedStyle(body).backgroundColor : ""];
  const coloured = (element) => {
    const style = getComputedStyle(element);
    return !clear(style) && !pale.includes(style.backgroundColor);
  };
  const first = (list, most) => Array.prototype.slice.call(list, 0, most);
  const things = first(all(document, "img, svg, canvas, video, input, button, textarea, select, iframe, object"), 20000);
  const elements = body ? first(below(body, "*"), 2000) : [];
  const filling = elements.filter((element) => fills(element) && shown(element));
  const handled = (element) => attributes(element).some((name) => /^on[a-z]/i.test(name));
  globalThis.surfaces = filling.filter(coloured).slice(0, 4);
  FRAMEWORK
  const links = new Set();
  for (const link of first(all(document, "a[href]"), 5000)) {
    const address = link instanceof HTMLAnchorElement ? getter(HTMLAnchorElement, "href")(link) : "";
    if (address.length > 0 && address.length <= 2048) links.add(address);
    if (links.size === 200) break;
  }
  return {
    text: text(body).trim().length,
    drawn: things.some(shown) || elements.some((element) => drawn(element) && shown(element)),
    surface: filling.some((element) => matches(element, "canvas, textarea, video") || (handled(element) && coloured(element))),
    surfaces: globalThis.surfaces.length,
    overlay: text(dialog).trim().slice(0, 2000),
    instead: (instead && attribute(instead, "content")) ?? "",
    links: [...links],
  };
})()"#;

/// Reads what the loaded page shows.
pub async fn read(browser: &mut Browser) -> Result<PageContent, BrowserError> {
    let mut failure = BrowserError::Silent;
    for _ in 0..ATTEMPTS {
        match read_once(browser).await {
            // The page has navigated.
            Err(error @ BrowserError::Failed(_)) => failure = error,
            asked => return asked,
        }
    }
    Err(failure)
}

/// The isolated world of the current page. A navigation ends it.
pub async fn world(browser: &mut Browser) -> Result<i64, BrowserError> {
    let tree = browser.ask("Page.getFrameTree", json!({})).await?;
    let frame = &tree["frameTree"]["frame"]["id"];
    let world = json!({ "frameId": frame, "worldName": WORLD });
    let world = browser.ask("Page.createIsolatedWorld", world).await?;
    Ok(world["executionContextId"].as_i64().unwrap_or_default())
}

async fn read_once(browser: &mut Browser) -> Result<PageContent, BrowserError> {
    let world = world(browser).await?;
    let ask = json!({ "expression": *ASK, "contextId": world, "returnByValue": true });
    let mut answer = browser.ask("Runtime.evaluate", ask).await?;
    let content = parse(answer["result"]["value"].take()).ok_or_else(|| {
        let thrown = answer["exceptionDetails"]["exception"]["description"]
            .as_str()
            .unwrap_or_default();
        let thrown = thrown.lines().next().unwrap_or_default();
        BrowserError::Failed(format!("the page could not be read {thrown}"))
    })?;
    Ok(PageContent { world, ..content })
}

/// The answer, if it is well-formed, limited to what was asked for.
fn parse(answer: Value) -> Option<PageContent> {
    let mut content: PageContent = serde_json::from_value(answer).ok()?;
    content.overlay = content.overlay.chars().take(MAX_OVERLAY).collect();
    content.links.truncate(MAX_LINKS);
    content.surfaces = content.surfaces.min(MAX_SURFACES);
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    if content.instead.len() > 20 || !content.instead.bytes().all(is_name) {
        content.instead.clear();
    }
    Some(content)
}

/// Whether the page fills the window with something to draw, write or click on.
pub async fn has_surface(
    browser: &mut Browser,
    content: &PageContent,
) -> Result<bool, BrowserError> {
    if content.surface {
        return Ok(true);
    }
    for number in 0..content.surfaces {
        match has_handlers(browser, content.world, number).await {
            Ok(false) => {}
            // The page has navigated.
            Err(BrowserError::Failed(_)) => return Ok(false),
            found => return found,
        }
    }
    Ok(false)
}

/// Whether React has handlers for an element. React keeps them in a property of it, in the page's
/// own world: this lists properties and runs no code there.
async fn has_handlers(
    browser: &mut Browser,
    world: i64,
    number: usize,
) -> Result<bool, BrowserError> {
    let ask = json!({ "expression": format!("surfaces[{number}]"), "contextId": world });
    let element = browser.ask("Runtime.evaluate", ask).await?;
    let node = json!({ "objectId": element["result"]["objectId"] });
    let node = browser.ask("DOM.describeNode", node).await?;
    let object = json!({ "backendNodeId": node["node"]["backendNodeId"] });
    let object = browser.ask("DOM.resolveNode", object).await?;
    let properties = async |browser: &mut Browser, object: &Value| {
        let list = json!({ "objectId": object, "ownProperties": true });
        browser.ask("Runtime.getProperties", list).await
    };
    let own = properties(browser, &object["object"]["objectId"]).await?;
    let is_kept = |property: &&Value| property["name"].as_str().is_some_and(page::keeps_handlers);
    let own = own["result"].as_array().into_iter().flatten();
    let Some(kept) = own
        .into_iter()
        .find(is_kept)
        .map(|property| property["value"]["objectId"].clone())
    else {
        return Ok(false);
    };
    let kept = properties(browser, &kept).await?;
    let mut names = kept["result"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|property| property["name"].as_str());
    Ok(names.any(|name| {
        name.strip_prefix("on")
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({ "text": 4, "drawn": true, "surface": false, "surfaces": 0, "overlay": "", "instead": "", "links": ["http://a/"] })
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        assert!(parse(answer()).is_some());
        for (field, value) in [
            ("text", json!(-1)),
            ("text", json!("4")),
            ("text", json!(null)),
            ("drawn", json!(1)),
            ("surfaces", json!({})),
            ("overlay", json!(["x"])),
            ("links", json!("http://a/")),
            ("links", json!([7])),
            ("links", json!([null])),
            ("more", json!(1)),
        ] {
            let mut odd = answer();
            odd[field] = value;
            assert_eq!(parse(odd.clone()), None, "{odd}");
        }
        for odd in [json!(null), json!("{}"), json!([]), json!({})] {
            assert_eq!(parse(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn of_an_answer_no_more_is_taken_than_was_asked_for() {
        let mut much = answer();
        much["links"] = json!(vec!["http://a/"; MAX_LINKS + 1]);
        much["overlay"] = json!("é".repeat(MAX_OVERLAY + 1));
        much["surfaces"] = json!(1000);
        much["instead"] = json!("<not found>");
        let content = parse(much).unwrap_or_default();
        assert_eq!(
            (content.links.len(), content.overlay.chars().count()),
            (MAX_LINKS, MAX_OVERLAY)
        );
        assert_eq!(
            (content.surfaces, content.instead.as_str()),
            (MAX_SURFACES, "")
        );
    }
}
