//! What axe (Deque, MPL-2.0) finds that keeps people from using a page: text that can't be read,
//! buttons, links and fields without a name, wrong ARIA. It runs in the isolated world of the check
//! and never fails a check: what it can't say in time is not said.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{browser::Browser, launch::BrowserError};
use crate::{agent::text::plain, protocol::first_chars};

/// The program, as `build.rs` finds it among the npm packages; empty where those are not installed.
const AXE: &str = include_str!(concat!(env!("OUT_DIR"), "/axe.js"));
/// How long it may take, on a machine that is not busy.
const ANSWER: Duration = Duration::from_secs(2);
/// How long its code may compute on any machine, in milliseconds.
const MAX_MS: u32 = 10_000;
/// How many elements are named for a rule.
const MAX_ELEMENTS: usize = 3;
/// How much of an element is shown, in characters.
const MAX_HTML: usize = 160;
/// Text with less contrast than this is hard to read for most people. What WCAG asks of small text
/// (4.5) is more than the template's own muted colours have.
const MIN_CONTRAST: f64 = 3.0;

/// The rules, with what to do when they are broken (dequeuniversity.com/rules/axe). Those that judge
/// a page's structure are left out: an app works without them.
const RULES: [(&[&str], &str); 6] = [
    (
        &["color-contrast"],
        "Text can hardly be read on its background: give both colours with a contrast of at least \
         4.5 to 1",
    ),
    (
        &["button-name", "input-button-name", "aria-command-name"],
        "A button has no name, so that nobody who hears the page knows what it does: give it text \
         or an aria-label",
    ),
    (
        &["link-name"],
        "A link has no name, so that nobody who hears the page knows where it leads: give it text \
         or an aria-label",
    ),
    (
        &[
            "label",
            "select-name",
            "aria-input-field-name",
            "aria-toggle-field-name",
        ],
        "A field has no label, so that nobody who hears the page knows what to enter: connect it \
         with a <label>, or give it an aria-label",
    ),
    (
        &[
            "image-alt",
            "input-image-alt",
            "role-img-alt",
            "svg-img-alt",
        ],
        "An image has no alternative text: describe it in alt, or leave alt empty if it only \
         decorates",
    ),
    (
        &[
            "aria-allowed-attr",
            "aria-hidden-body",
            "aria-required-attr",
            "aria-roles",
            "aria-valid-attr",
            "aria-valid-attr-value",
        ],
        "An element's role or aria attributes are wrong: correct or remove them",
    ),
];

/// Elements that move or fade have no colours to judge; those that will come to rest soon are waited
/// for. Pages with very many elements take too long.
const ASK: &str = r#"(async () => {
  if (document.getElementsByTagName("*").length > 3000) return [];
  const moving = () => document.getAnimations().filter((each) => each.playState === "running");
  const soon = moving().filter((each) => each.effect.getComputedTiming().endTime < 1000).map((each) => each.finished);
  await Promise.race([Promise.allSettled(soon), new Promise((ready) => setTimeout(ready, 1000))]);
  const exclude = moving().map((each) => each.effect.target).filter((each) => each?.isConnected && each !== document.documentElement && each !== document.body);
  const { violations } = await axe.run({ include: [document], exclude }, {
    runOnly: { type: "rule", values: RULES }, resultTypes: ["violations"], iframes: false, ancestry: false, xpath: false,
  });
  const of = ({ impact, html, any }) => ({ impact: String(impact), html: html.slice(0, 1000), contrast: any[0]?.data?.contrastRatio ?? null });
  return violations.slice(0, 50).map(({ id, nodes }) => ({ rule: id, elements: nodes.slice(0, 100).map(of) }));
})()"#;

#[derive(Debug, Deserialize)]
struct Violation {
    rule: String,
    elements: Vec<Element>,
}

#[derive(Debug, Deserialize)]
struct Element {
    impact: String,
    html: String,
    /// How much its colours differ, for the rule on contrast.
    contrast: Option<f64>,
}

/// Something that keeps people from using a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barrier {
    /// What is wrong, and what to do about it.
    pub advice: &'static str,
    /// The first elements that have it.
    pub elements: String,
}

/// The barriers on the loaded page, one of each kind; `world` is its isolated world.
pub async fn barriers(browser: &mut Browser, world: i64) -> Vec<Barrier> {
    if AXE.is_empty() {
        return Vec::new();
    }
    match ask(browser, world).await {
        Ok(answer) => read(answer),
        Err(error) => {
            tracing::debug!(%error, "axe did not examine a page");
            Vec::new()
        }
    }
}

async fn ask(browser: &mut Browser, world: i64) -> Result<Value, BrowserError> {
    let load = json!({ "expression": AXE, "contextId": world, "timeout": MAX_MS });
    browser.ask_within("Runtime.evaluate", load, ANSWER).await?;
    let rules: Vec<&str> = RULES
        .iter()
        .flat_map(|(rules, _)| *rules)
        .copied()
        .collect();
    let run = json!({
        "expression": ASK.replace("RULES", &json!(rules).to_string()), "contextId": world,
        "awaitPromise": true, "returnByValue": true, "timeout": MAX_MS,
    });
    let mut answer = browser.ask_within("Runtime.evaluate", run, ANSWER).await?;
    Ok(answer["result"]["value"].take())
}

/// Reads the answer like any other input: another shape says nothing.
fn read(answer: Value) -> Vec<Barrier> {
    let violations: Vec<Violation> = serde_json::from_value(answer).unwrap_or_default();
    let barrier = |(rules, advice): &(&[&str], &'static str)| {
        let elements: Vec<&Element> = violations
            .iter()
            .filter(|violation| rules.contains(&&*violation.rule))
            .flat_map(|violation| &violation.elements)
            .filter(|element| element.is_barrier())
            .collect();
        let shown = elements.iter().take(MAX_ELEMENTS);
        let shown: Vec<String> = shown.map(|element| element.shown()).collect();
        let more = match elements.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!shown.is_empty()).then(|| Barrier {
            advice,
            elements: format!("{}{more}", shown.join(", ")),
        })
    };
    RULES.iter().filter_map(barrier).collect()
}

impl Element {
    fn is_barrier(&self) -> bool {
        matches!(&*self.impact, "serious" | "critical")
            && self.contrast.is_none_or(|contrast| contrast < MIN_CONTRAST)
    }

    fn shown(&self) -> String {
        let html = plain::line(&self.html);
        let contrast = self.contrast.map(|contrast| format!(" ({contrast} to 1)"));
        format!(
            "{}{}",
            first_chars(&html, MAX_HTML),
            contrast.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(impact: &str, html: &str, contrast: Option<f64>) -> Value {
        json!({ "impact": impact, "html": html, "contrast": contrast })
    }

    #[test]
    fn each_kind_of_barrier_is_reported_once_with_a_few_elements() {
        let nameless = vec![element("critical", "<button></button>", None); MAX_ELEMENTS + 2];
        let pale = [
            element("serious", "<p>hint</p>", Some(2.1)),
            element("serious", "<p>muted</p>", Some(4.3)),
        ];
        let found = read(json!([
            { "rule": "button-name", "elements": nameless },
            { "rule": "color-contrast", "elements": pale },
            { "rule": "link-name", "elements": [element("minor", "<a></a>", None)] },
            { "rule": "region", "elements": [element("serious", "<p>", None)] },
        ]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].advice.starts_with("Text can hardly be read")
                && found[0].elements == "<p>hint</p> (2.1 to 1)",
            "{found:?}"
        );
        assert_eq!(
            found[1].elements,
            "<button></button>, <button></button>, <button></button> and 2 more"
        );
    }

    #[test]
    fn an_answer_of_another_shape_says_nothing_and_a_long_one_is_cut() {
        for odd in [json!(null), json!("x"), json!([{ "rule": 7 }]), json!([{}])] {
            assert!(read(odd.clone()).is_empty(), "{odd}");
        }
        let long = element("critical", &"<b>".repeat(5000), None);
        let found = read(json!([{ "rule": "label", "elements": [long] }]));
        assert!(found[0].elements.len() <= MAX_HTML, "{found:?}");
    }
}
