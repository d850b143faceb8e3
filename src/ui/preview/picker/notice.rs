//! The app's reports while an element is picked. They are untrusted: only well-formed ones are
//! accepted, within limits.

use leptos::wasm_bindgen::JsValue;

use crate::{
    protocol::{ElementPlace, PickedElement},
    ui::browser::{list_of, number_of, text_of},
};

/// The maximum length of a text, in UTF-16 units, and the maximum number of places.
const MAX_TEXT_UNITS: u32 = 2000;
const MAX_PLACES: u32 = 8;
/// The maximum line and column: no file has more.
const FARTHEST: f64 = 1e6;

pub enum PickNotice {
    Picked(PickedElement),
    /// The user has pressed Escape.
    Ended,
}

impl PickNotice {
    /// The notice in a message; `None` if it is about something else.
    pub fn read(message: &JsValue) -> Option<Self> {
        if text_of(message, "source", MAX_TEXT_UNITS)? != "codeflow-preview" {
            return None;
        }
        match text_of(message, "type", MAX_TEXT_UNITS)?.as_str() {
            "pick-ended" => Some(Self::Ended),
            "picked" => {
                let places = list_of(message, "places", MAX_PLACES)?;
                let element = PickedElement {
                    tag: text_of(message, "tag", MAX_TEXT_UNITS)?,
                    text: text_of(message, "text", MAX_TEXT_UNITS)?,
                    own_text: text_of(message, "ownText", MAX_TEXT_UNITS),
                    classes: text_of(message, "classes", MAX_TEXT_UNITS)?,
                    path: text_of(message, "path", MAX_TEXT_UNITS)?,
                    places: places
                        .iter()
                        .filter_map(|place| read_place(&place))
                        .collect(),
                };
                Some(Self::Picked(element.bounded()))
            }
            _ => None,
        }
    }
}

fn read_place(place: &JsValue) -> Option<ElementPlace> {
    let number = |key| {
        let number = number_of(place, key)?;
        (1.0..FARTHEST).contains(&number).then_some(number as u32)
    };
    Some(ElementPlace {
        tag: text_of(place, "tag", MAX_TEXT_UNITS)?,
        component: text_of(place, "component", MAX_TEXT_UNITS),
        file: text_of(place, "file", MAX_TEXT_UNITS)?,
        line: number("line")?,
        column: number("column")?,
    })
}
