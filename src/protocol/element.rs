//! An element that was picked in the preview: what it is, where it was written, and what can be
//! changed in its source. The app itself reports it, so every field is bounded on arrival.

use serde::{Deserialize, Serialize};

use super::first_chars;

/// The maximum number of places of an element, and the maximum length of a text, in characters.
const MAX_PLACES: usize = 8;
pub const MAX_ELEMENT_TEXT: usize = 2000;
/// How much of an element's text is quoted in a message, in characters.
const QUOTED: usize = 120;

/// Where an element was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementPlace {
    /// The element's name: `button`, or a component.
    pub tag: String,
    /// The component that wrote it, where one is known.
    #[serde(default)]
    pub component: Option<String>,
    /// The path of the app's file.
    pub file: String,
    /// Counted from 1; columns are UTF-16 units.
    pub line: u32,
    pub column: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickedElement {
    /// Its name in HTML.
    pub tag: String,
    /// Its text, including that of its children.
    #[serde(default)]
    pub text: String,
    /// Its text, if it contains nothing else.
    #[serde(default)]
    pub own_text: Option<String>,
    #[serde(default)]
    pub classes: String,
    /// The path of its page.
    #[serde(default)]
    pub path: String,
    /// Its own place, then that of the component it is part of, and so on outwards.
    #[serde(default)]
    pub places: Vec<ElementPlace>,
}

impl PickedElement {
    /// Such as `<button> in AddForm`.
    pub fn label(&self) -> String {
        let component = self
            .places
            .first()
            .and_then(|place| place.component.as_deref());
        match component {
            Some(component) => format!("<{}> in {component}", self.tag),
            None => format!("<{}>", self.tag),
        }
    }

    /// How a message refers to it, for people and the model.
    pub fn reference(&self) -> String {
        let plain = |text: &str| {
            text.chars()
                .filter(|sign| *sign != '`' && !sign.is_control())
                .collect::<String>()
        };
        let mut reference = format!("Picked element: `<{}>`", plain(&self.tag));
        if !self.text.is_empty() {
            let text = plain(&self.text);
            let shown = first_chars(&text, QUOTED);
            let more = if shown.len() < text.len() { "…" } else { "" };
            reference += &format!(" with the text `{shown}{more}`");
        }
        for (number, place) in self.places.iter().take(3).enumerate() {
            let component = match &place.component {
                Some(component) => format!(" (component `{}`)", plain(component)),
                None => String::new(),
            };
            let verb = match number {
                0 => "written in".to_owned(),
                _ => format!("part of `{}`, used in", plain(&place.tag)),
            };
            let (file, line) = (plain(&place.file), place.line);
            reference += &format!(", {verb} `{file}:{line}`{component}");
        }
        if !self.path.is_empty() {
            reference += &format!(", on the page `{}`", plain(&self.path));
        }
        reference + "."
    }

    /// The same element with texts and places cut to their limits.
    pub fn bounded(mut self) -> Self {
        let cut = |text: &mut String, most: usize| text.truncate(first_chars(text, most).len());
        cut(&mut self.tag, 60);
        cut(&mut self.text, 200);
        cut(&mut self.classes, MAX_ELEMENT_TEXT);
        cut(&mut self.path, 200);
        if let Some(text) = &mut self.own_text {
            cut(text, MAX_ELEMENT_TEXT);
        }
        self.places.truncate(MAX_PLACES);
        for place in &mut self.places {
            cut(&mut place.tag, 80);
            cut(&mut place.file, 300);
            if let Some(component) = &mut place.component {
                cut(component, 80);
            }
        }
        self
    }
}

/// The part of an element that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementPart {
    Text,
    Classes,
}

/// A part's value as its source spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementSource {
    pub place: ElementPlace,
    pub value: String,
}

/// The parts of a picked element that its source contains literally, so that they can be changed
/// there; for the others, why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementSources {
    pub text: Result<ElementSource, String>,
    pub classes: Result<ElementSource, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tag: &str, component: &str, file: &str, line: u32) -> ElementPlace {
        ElementPlace {
            tag: tag.to_owned(),
            component: Some(component.to_owned()),
            file: file.to_owned(),
            line,
            column: 7,
        }
    }

    #[test]
    fn a_message_names_the_element_and_its_places_whatever_the_app_calls_them() {
        let picked = PickedElement {
            tag: "button".to_owned(),
            text: "Add `it`\nnow".to_owned(),
            own_text: None,
            classes: String::new(),
            path: "/shop".to_owned(),
            places: vec![
                place("button", "Button", "components/ui/button.tsx", 50),
                place("Button", "Home", "app/page.tsx", 12),
            ],
        };
        assert_eq!(
            picked.reference(),
            "Picked element: `<button>` with the text `Add itnow`, written in `components/ui/button.tsx:50` (component `Button`), part of \
             `Button`, used in `app/page.tsx:12` (component `Home`), on the page `/shop`."
        );
        assert_eq!(picked.label(), "<button> in Button");
    }

    #[test]
    fn no_app_can_report_an_element_without_bounds() {
        let long = "ü".repeat(9000);
        let picked = PickedElement {
            tag: long.clone(),
            text: long.clone(),
            own_text: Some(long.clone()),
            classes: long.clone(),
            path: long.clone(),
            places: vec![place(&long, &long, &long, 1); 100],
        }
        .bounded();
        assert_eq!(picked.places.len(), MAX_PLACES);
        assert!(picked.reference().chars().count() < 2500);
        assert!(serde_json::to_string(&picked).is_ok_and(|json| json.len() < 30_000));
    }
}
