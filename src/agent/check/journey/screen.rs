//! What a visitor finds on the page: the elements of the browser's accessibility tree, the text,
//! and whether the page is dark. All of it comes from the browser itself, so the page's code can't
//! fake it, and only the needed parts are taken.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Element, Sight, Target, Theme, roles, words::DATA};
use crate::{
    agent::check::{browser::Browser, content, launch::BrowserError, picture},
    protocol::first_chars,
};

/// How many elements of a page are looked at.
const MAX_ELEMENTS: usize = 20_000;
/// The longest name and value of an element, in characters.
const MAX_NAME: usize = 300;
/// How many names are given of what is there instead, and how long each may be.
const MAX_NAMED: usize = 12;
const MAX_GIVEN: usize = 60;

/// The page's visible text, through an accessor that no element's name can shadow. The contents of
/// fields are not part of it.
const TEXT: &str = r#"(() => {
  const get = (type, name) => Object.getOwnPropertyDescriptor(type.prototype, name).get;
  const body = Reflect.apply(get(Document, "body"), document, []);
  return body instanceof HTMLElement ? Reflect.apply(get(HTMLElement, "innerText"), body, []).slice(0, 200000) : "";
})()"#;

/// An element of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub role: String,
    name: String,
    value: String,
    /// Those that it has, such as `checked`, and that are true.
    states: Vec<String>,
    /// The browser's id of its node.
    pub node: i64,
}

impl Found {
    pub fn is_disabled(&self) -> bool {
        self.states.iter().any(|state| state == "disabled")
    }
}

/// The elements that assistive technology finds, in the page's order.
pub async fn elements(browser: &mut Browser) -> Result<Vec<Found>, BrowserError> {
    let tree = browser
        .ask("Accessibility.getFullAXTree", json!({}))
        .await?;
    Ok(parse(&tree["nodes"]))
}

/// The tree's nodes come level by level, each with the ids of its children.
fn parse(nodes: &Value) -> Vec<Found> {
    let nodes = nodes.as_array().map_or(&[][..], Vec::as_slice);
    let mut by_id: HashMap<&str, &Value> = nodes
        .iter()
        .filter_map(|node| Some((node["nodeId"].as_str()?, node)))
        .collect();
    let mut next: Vec<&str> = nodes
        .first()
        .and_then(|root| root["nodeId"].as_str())
        .into_iter()
        .collect();
    let mut found = Vec::new();
    while let Some(id) = next.pop() {
        // Each node once, whatever the ids say.
        let Some(node) = by_id.remove(id) else {
            continue;
        };
        let children = node["childIds"].as_array().into_iter().flatten();
        next.extend(children.rev().filter_map(Value::as_str));
        // The document itself has its title as its name.
        let is_shown = node["ignored"] != true && node["role"]["value"] != "RootWebArea";
        if is_shown && found.len() < MAX_ELEMENTS {
            found.extend(element(node));
        }
    }
    found
}

fn element(node: &Value) -> Option<Found> {
    let said = |field: &Value| match &field["value"] {
        Value::String(text) => plain(first_chars(text, MAX_NAME)),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let properties = node["properties"].as_array().into_iter().flatten();
    let is_true = |property: &&Value| {
        let value = &property["value"]["value"];
        *value == true || *value == "true"
    };
    let states = properties
        .filter(is_true)
        .filter_map(|property| property["name"].as_str().map(str::to_owned));
    Some(Found {
        role: roles::of_browser(node["role"]["value"].as_str()?),
        name: said(&node["name"]),
        value: said(&node["value"]),
        states: states.collect(),
        node: node["backendDOMNodeId"].as_i64()?,
    })
}

/// On one line.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How names and texts are compared: without case, and with single spaces.
fn folded(text: &str) -> String {
    plain(text).to_lowercase()
}

/// The matching element, or what there is instead. Without a role, the target is one that `fits`
/// and has the name.
pub fn find<'a>(
    elements: &'a [Found],
    target: &Target,
    what: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<&'a Found, String> {
    let wanted = folded(&target.name);
    let has_role = |found: &&Found| match &target.role {
        Some(role) => roles::is_a(&found.role, role),
        None => fits(&found.role),
    };
    let of_kind: Vec<&Found> = elements.iter().filter(has_role).collect();
    let exact = |found: &Found| folded(&found.name) == wanted;
    let similar = |found: &Found| folded(&found.name).contains(&wanted);
    let matching = |is: &dyn Fn(&Found) -> bool| {
        let matching = of_kind.iter().filter(|found| is(found));
        matching.copied().nth(target.number - 1)
    };
    if let Some(found) = matching(&exact).or_else(|| matching(&similar)) {
        return Ok(found);
    }
    let what = target.role.as_deref().unwrap_or(what);
    let number = match target.number {
        1 => String::new(),
        number => format!(" number {number}"),
    };
    Err(format!(
        "there is no {what} named “{}”{number}. {}",
        target.name,
        there(&of_kind, what)
    ))
}

/// The names of the elements on the page, for whoever looked for another one.
fn there(found: &[&Found], what: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    for found in found.iter().filter(|found| !found.name.is_empty()) {
        let name = quoted(&found.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match (found.len(), names.len()) {
        (0, _) => format!("The page has no such {what} at all"),
        (count, 0) => format!("The page has {count} of that kind, and none has a name"),
        (_, count) => {
            let more = match count.saturating_sub(MAX_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            names.truncate(MAX_NAMED);
            format!("The page has these{DATA}: {}{more}", names.join(", "))
        }
    }
}

/// What the page says, so that it can't be taken for anything else.
fn quoted(text: &str) -> String {
    let text = first_chars(text, MAX_GIVEN);
    Value::from(text).to_string()
}

/// Whether the page shows something, and what; the error says what it shows instead. An element's
/// name may be longer than the wanted one, unless it must be `exact`.
pub async fn sees(
    browser: &mut Browser,
    sight: &Sight,
    exact: bool,
) -> Result<Result<String, String>, BrowserError> {
    match sight {
        Sight::Text(wanted) => {
            let shown = text(browser).await?;
            Ok(if contains(&shown, wanted) {
                Ok(format!("“{wanted}” is on the page"))
            } else {
                Err(format!(
                    "“{wanted}” is not on the page, which begins with{DATA}: {}",
                    Value::from(first_chars(&plain(&shown), 5 * MAX_GIVEN))
                ))
            })
        }
        Sight::Element(wanted) => {
            let elements = elements(browser).await?;
            Ok(find_sight(&elements, wanted, exact))
        }
    }
}

fn find_sight(elements: &[Found], wanted: &Element, exact: bool) -> Result<String, String> {
    let target = Target {
        name: wanted.name.clone(),
        role: Some(wanted.role.clone()),
        number: 1,
    };
    // Without a name, any element of the kind will do.
    find(elements, &target, "element", |_| true)?;
    let name = folded(&wanted.name);
    let is_named = |found: &Found| {
        let own = folded(&found.name);
        own == name || name.is_empty() || (!exact && own.contains(&name))
    };
    let named = elements
        .iter()
        .filter(|found| roles::is_a(&found.role, &wanted.role) && is_named(found));
    let is_so = |found: &Found, (state, is): &(&str, bool)| {
        found.states.iter().any(|own| own == state) == *is
    };
    let mut instead = None;
    for found in named {
        let value = wanted.value.as_ref();
        let wrong_value = value.filter(|value| folded(value) != folded(&found.value));
        let wrong_state = wanted.states.iter().find(|state| !is_so(found, state));
        let wrong = match (wrong_value, wrong_state) {
            (None, None) => return Ok(format!("{} {} is there", wanted.role, quoted(&found.name))),
            (Some(value), _) => format!(
                "the {} {} has the value {}, not “{value}”",
                wanted.role,
                quoted(&found.name),
                quoted(&found.value)
            ),
            (None, Some((state, is))) => format!(
                "the {} {} is {}{state}",
                wanted.role,
                quoted(&found.name),
                if *is { "not " } else { "" }
            ),
        };
        instead.get_or_insert(wrong);
    }
    Err(instead.unwrap_or_else(|| "its name is longer".to_owned()))
}

/// The text that the page shows.
async fn text(browser: &mut Browser) -> Result<String, BrowserError> {
    let world = content::world(browser).await?;
    let ask = json!({ "expression": TEXT, "contextId": world, "returnByValue": true });
    let answer = browser.ask("Runtime.evaluate", ask).await?;
    let text = answer["result"]["value"].as_str();
    Ok(text.unwrap_or_default().to_owned())
}

/// Whether the text is shown, and not as a part of a larger number.
fn contains(shown: &str, wanted: &str) -> bool {
    let (shown, wanted) = (folded(shown), folded(wanted));
    let mut places = shown.match_indices(&wanted);
    places.any(|(at, found)| {
        let (before, after) = (&shown[..at], &shown[at + found.len()..]);
        let begins = found.starts_with(|letter: char| letter.is_ascii_digit());
        let ends = found.ends_with(|letter: char| letter.is_ascii_digit());
        !(begins && is_digit_next(before.chars().rev()) || ends && is_digit_next(after.chars()))
    })
}

/// Whether a number continues here, perhaps after a decimal mark.
fn is_digit_next(mut letters: impl Iterator<Item = char>) -> bool {
    let next = match letters.next() {
        Some('.' | ',') => letters.next(),
        letter => letter,
    };
    next.is_some_and(|letter| letter.is_ascii_digit())
}

/// Whether most of the page is dark.
pub async fn theme(browser: &mut Browser) -> Result<Option<Theme>, BrowserError> {
    let shot = browser.screenshot().await?;
    Ok(picture::is_dark(&shot).map(|is_dark| if is_dark { Theme::Dark } else { Theme::Light }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tree() -> Value {
        json!([
            { "nodeId": "1", "role": { "value": "RootWebArea" }, "backendDOMNodeId": 10, "childIds": ["2", "4", "6", "7", "8", "9", "1", "x", 3] },
            { "nodeId": "2", "ignored": true, "role": { "value": "button" }, "name": { "value": "Hidden" }, "backendDOMNodeId": 1, "childIds": ["3"] },
            { "nodeId": "4", "role": { "value": "button" }, "name": { "value": "Add" }, "backendDOMNodeId": 3 },
            { "nodeId": "6", "role": { "value": "textbox" }, "name": { "value": "Name" }, "value": { "value": "Ada" }, "backendDOMNodeId": 4 },
            { "nodeId": "7", "role": { "value": "switch" }, "name": { "value": "Dark" }, "backendDOMNodeId": 5,
              "properties": [{ "name": "checked", "value": { "value": "true" } }, { "name": "focusable", "value": { "value": true } }] },
            { "nodeId": "8", "role": { "value": "button" }, "name": { "value": 7 } },
            { "nodeId": "9", "role": 7, "backendDOMNodeId": "x" },
            { "nodeId": "3", "role": { "value": "button" }, "name": { "value": "Add to\n cart" }, "backendDOMNodeId": 2 },
            "odd",
        ])
    }

    fn target(name: &str, number: usize) -> Target {
        Target {
            name: name.to_owned(),
            role: Some("button".to_owned()),
            number,
        }
    }

    #[test]
    fn an_element_is_found_by_its_name_the_exact_one_first() {
        let found = parse(&tree());
        let node = |name, number| {
            find(&found, &target(name, number), "element", |_| true).map(|found| found.node)
        };
        assert_eq!(node("add", 1), Ok(3));
        assert_eq!(node("Add to", 1), Ok(2));
        assert_eq!(node("Add", 2), Ok(3), "two contain it");
        let missing = node("Hidden", 1).unwrap_err();
        assert!(
            missing.contains(r#"no button named “Hidden”"#)
                && missing.ends_with(r#"data, no orders): "Add to cart", "Add""#),
            "{missing}"
        );
    }

    #[test]
    fn values_and_states_are_part_of_what_is_seen() {
        let found = parse(&tree());
        let sees =
            |role: &str, name: &str, value: Option<&str>, states: &[(&'static str, bool)]| {
                let wanted = Element {
                    role: role.to_owned(),
                    name: name.to_owned(),
                    value: value.map(str::to_owned),
                    states: states.to_vec(),
                };
                find_sight(&found, &wanted, false)
            };
        assert!(sees("textbox", "name", Some("Ada"), &[]).is_ok());
        assert!(sees("switch", "", None, &[("checked", true)]).is_ok());
        let wrong = sees("textbox", "Name", Some("Eve"), &[]).unwrap_err();
        assert_eq!(
            wrong,
            r#"the textbox "Name" has the value "Ada", not “Eve”"#
        );
        let wrong = sees("switch", "Dark", None, &[("checked", false)]).unwrap_err();
        assert_eq!(wrong, r#"the switch "Dark" is checked"#);
        assert!(sees("checkbox", "Dark", None, &[]).is_err());
    }

    #[test]
    fn a_text_is_found_whatever_its_case_and_never_in_the_middle_of_a_number() {
        assert!(contains("Buy  MILK\nsoon", "buy milk"));
        assert!(contains("1 item left", "1 item"));
        assert!(contains("Total: 12.50 €", "12.50"));
        for (shown, wanted) in [
            ("11 items", "1 item"),
            ("12.50", "12"),
            ("0.5", "5"),
            ("Milk", "Bread"),
        ] {
            assert!(!contains(shown, wanted), "{wanted} in {shown}");
        }
        assert!(contains("Add 2. Then 12.", "12"));
    }
}
