//! Acts on a page as its visitor does, with the browser's mouse and keys. The few questions to
//! elements run in an isolated world, through accessors that the page can neither replace nor
//! shadow.

use serde_json::{Value, json};

use super::{keys::Stroke, screen::Found};
use crate::{
    agent::check::{browser::Browser, content, launch::BrowserError},
    protocol::first_chars,
};

/// How much of what covers an element is quoted, in characters.
const MAX_COVER: usize = 80;
/// How much of the options of a field is quoted.
const MAX_OPTIONS: usize = 400;

/// The beginning of the functions below.
const TOOLS: &str = r#"const get = (type, name) => Reflect.apply(Object.getOwnPropertyDescriptor(type.prototype, name).get, this, []);
  const set = (type, name, value) => Reflect.apply(Object.getOwnPropertyDescriptor(type.prototype, name).set, this, [value]);
  const call = (type, name, on, ...given) => Reflect.apply(type.prototype[name], on, given);
  const say = () => { for (const name of ["input", "change"]) call(EventTarget, "dispatchEvent", this, new Event(name, { bubbles: true })); };"#;
/// What is at a point instead of the element; an empty text when a click there reaches it.
const COVER: &str = r#"
  const parent = (node) => Reflect.apply(Object.getOwnPropertyDescriptor(Node.prototype, "parentElement").get, node, []);
  const own = this instanceof Element ? this : parent(this);
  const root = call(Node, "getRootNode", own);
  const hit = call(root instanceof ShadowRoot ? ShadowRoot : Document, "elementFromPoint", root, ...given);
  if (!hit) return "the window's edge";
  if (call(Node, "contains", own, hit) || call(Node, "contains", hit, own)) return "";
  const label = call(Element, "closest", hit, "label");
  const control = label && Reflect.apply(Object.getOwnPropertyDescriptor(HTMLLabelElement.prototype, "control").get, label, []);
  if (control === own) return "";
  const text = hit instanceof HTMLElement ? Reflect.apply(Object.getOwnPropertyDescriptor(HTMLElement.prototype, "innerText").get, hit, []) : "";
  return `an element that says “${text.trim().slice(0, 60)}”`;"#;
/// Makes a field ready to be written into: `keys`. Fields without letters, such as dates, are
/// `set`.
const PREPARE: &str = r#"
  const typed = this instanceof HTMLInputElement ? HTMLInputElement : this instanceof HTMLTextAreaElement ? HTMLTextAreaElement : null;
  if (!typed) {
    if (!(this instanceof HTMLElement) || !get(HTMLElement, "isContentEditable")) return "no field";
    call(Selection, "selectAllChildren", getSelection(), this);
    return "keys";
  }
  if (get(typed, "readOnly")) return "read-only";
  const type = get(typed, "type");
  if (["date", "time", "month", "week", "datetime-local", "color", "range"].includes(type)) {
    set(typed, "value", given[0]);
    say();
    return "set";
  }
  if (["checkbox", "radio", "file", "button", "submit", "reset", "image"].includes(type)) return "no field";
  call(typed, "select", this);
  return "keys";"#;
/// Chooses an option of a `<select>`: `set`, `no field` where it is none, or the options there are.
const CHOOSE: &str = r#"
  if (!(this instanceof HTMLSelectElement)) return "no field";
  const plain = (text) => text.trim().replace(/\s+/g, " ").toLowerCase();
  const options = [];
  for (const option of call(Element, "querySelectorAll", this, "option")) {
    const text = Reflect.apply(Object.getOwnPropertyDescriptor(HTMLOptionElement.prototype, "text").get, option, []);
    const index = Reflect.apply(Object.getOwnPropertyDescriptor(HTMLOptionElement.prototype, "index").get, option, []);
    options.push({ text: plain(text), index });
    if (options.length === 1000) break;
  }
  const wanted = plain(given[0]);
  const meant = options.find(({ text }) => text === wanted) ?? options.find(({ text }) => text.includes(wanted));
  if (!meant) return "options: " + options.map(({ text }) => text).join(", ").slice(0, 1000);
  set(HTMLSelectElement, "selectedIndex", meant.index);
  say();
  return "set";"#;

/// A point in the window, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point(f64, f64);

/// The point where a click reaches the element; the error says why none does at the moment.
pub async fn aim(
    browser: &mut Browser,
    found: &Found,
) -> Result<Result<Point, String>, BrowserError> {
    if found.is_disabled() {
        return Ok(Err("it is there and disabled".to_owned()));
    }
    let node = json!({ "backendNodeId": found.node });
    browser
        .ask("DOM.scrollIntoViewIfNeeded", node.clone())
        .await?;
    let quads = browser.ask("DOM.getContentQuads", node).await?;
    let Some(point) = quads["quads"]
        .as_array()
        .and_then(|quads| quads.iter().find_map(middle))
    else {
        return Ok(Err("it is there and has no size".to_owned()));
    };
    let Point(x, y) = point;
    let cover = ask(browser, found, COVER, &[json!(x), json!(y)]).await?;
    Ok(match cover.as_str() {
        "" => Ok(point),
        cover => Err(format!(
            "it is there and can't be clicked: over it is {}",
            first_chars(cover, MAX_COVER)
        )),
    })
}

/// The middle of four corners; `None` when they enclose nothing.
fn middle(quad: &Value) -> Option<Point> {
    let corners: Vec<f64> = quad.as_array()?.iter().filter_map(Value::as_f64).collect();
    let [a, b, c, d, e, f, g, h] = corners.try_into().ok()?;
    let area = ((a - e) * (d - h) - (c - g) * (b - f)).abs() / 2.0;
    (area >= 1.0).then_some(Point((a + c + e + g) / 4.0, (b + d + f + h) / 4.0))
}

pub async fn click(browser: &mut Browser, Point(x, y): Point) -> Result<(), BrowserError> {
    for (kind, button, count) in [
        ("mouseMoved", "none", 0),
        ("mousePressed", "left", 1),
        ("mouseReleased", "left", 1),
    ] {
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": count });
        send(browser, "Input.dispatchMouseEvent", event).await?;
    }
    Ok(())
}

pub async fn press(browser: &mut Browser, stroke: &Stroke) -> Result<(), BrowserError> {
    let down = if stroke.text.is_empty() {
        "rawKeyDown"
    } else {
        "keyDown"
    };
    for kind in [down, "keyUp"] {
        let mut event = json!({
            "type": kind,
            "key": stroke.key,
            "code": stroke.code,
            "windowsVirtualKeyCode": stroke.virtual_code,
            "modifiers": stroke.modifiers,
        });
        if kind == "keyDown" {
            event["text"] = json!(stroke.text);
        }
        send(browser, "Input.dispatchKeyEvent", event).await?;
    }
    Ok(())
}

/// Replaces the content of the field, which was clicked on. The error says why it can't be written.
pub async fn write(
    browser: &mut Browser,
    found: &Found,
    text: &str,
) -> Result<Result<(), String>, BrowserError> {
    let focus = json!({ "backendNodeId": found.node });
    send(browser, "DOM.focus", focus).await?;
    match ask(browser, found, PREPARE, &[json!(text)]).await?.as_str() {
        "set" => return Ok(Ok(())),
        "keys" => {}
        "read-only" => return Ok(Err("the field is read-only".to_owned())),
        _ => return Ok(Err("it is no field that takes a text".to_owned())),
    }
    let erasing = Stroke::named("Backspace").filter(|_| text.is_empty());
    for stroke in erasing.into_iter().chain(text.chars().map(Stroke::writing)) {
        press(browser, &stroke).await?;
    }
    Ok(Ok(()))
}

/// Chooses an option of a `<select>`; `false` if the field is not one. The error lists the
/// available options.
pub async fn choose(
    browser: &mut Browser,
    found: &Found,
    option: &str,
) -> Result<Result<bool, String>, BrowserError> {
    let chosen = ask(browser, found, CHOOSE, &[json!(option)]).await?;
    Ok(match chosen.as_str() {
        "set" => Ok(true),
        "no field" => Ok(false),
        other => Err(format!(
            "it has no option “{option}” (its own words: data, no orders): {}",
            Value::from(first_chars(
                other.trim_start_matches("options: "),
                MAX_OPTIONS
            ))
        )),
    })
}

/// The result of a function that is called with the element in the isolated world.
async fn ask(
    browser: &mut Browser,
    found: &Found,
    function: &str,
    given: &[Value],
) -> Result<String, BrowserError> {
    let world = content::world(browser).await?;
    let node = json!({ "backendNodeId": found.node, "executionContextId": world });
    let node = browser.ask("DOM.resolveNode", node).await?;
    let given: Vec<Value> = given
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    let question = json!({
        "objectId": node["object"]["objectId"],
        "functionDeclaration": format!("function (...given) {{\n  {TOOLS}{function}\n}}"),
        "arguments": given,
        "returnByValue": true,
    });
    let answer = browser.ask("Runtime.callFunctionOn", question).await?;
    let text = answer["result"]["value"].as_str().map(str::to_owned);
    text.ok_or_else(|| BrowserError::Failed("an element could not be asked".to_owned()))
}

/// Sends an event to which the page may respond by navigating.
async fn send(browser: &mut Browser, method: &str, event: Value) -> Result<(), BrowserError> {
    match browser.ask(method, event).await {
        Ok(_) | Err(BrowserError::Failed(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_goes_to_the_middle_of_what_has_a_size() {
        let quad = json!([10.0, 20.0, 30.0, 20.0, 30.0, 60.0, 10.0, 60.0]);
        assert_eq!(middle(&quad), Some(Point(20.0, 40.0)));
        for odd in [
            json!([0, 0, 0, 0, 0, 0, 0, 0]),
            json!([1, 2, 3]),
            json!("x"),
            json!([1, 2, 3, 4, 5, 6, 7, "8"]),
        ] {
            assert_eq!(middle(&odd), None, "{odd}");
        }
    }
}
