//! What the app reports while an element is picked. It is untrusted: only what has the right shape
//! is read, and within limits.

use leptos::wasm_bindgen::JsValue;

use crate::{
    protocol::{ElementPlace, PickedElement},
    ui::browser::{list_of, number_of, text_of},
};

/// The longest text, in UTF-16 units, and the most places.
const LONGEST: u32 = 2000;
const MOST_PLACES: u32 = 8;
/// No file has so many lines, and no line so many columns.
const FARTHEST: f64 = 1e6;

pub enum PickNotice {
    Picked(PickedElement),
    /// The visitor has pressed Escape.
    Ended,
}

impl PickNotice {
    /// What a message says; `None` when it is about something else.
    pub fn read(message: &JsValue) -> Option<Self> {
        if text_of(message, "source", LONGEST)? != "codeflow-preview" {
            return None;
        }
        match text_of(message, "type", LONGEST)?.as_str() {
            "pick-ended" => Some(Self::Ended),
            "picked" => {
                let places = list_of(message, "places", MOST_PLACES)?;
                let element = PickedElement {
                    tag: text_of(message, "tag", LONGEST)?,
                    text: text_of(message, "text", LONGEST)?,
                    own_text: text_of(message, "ownText", LONGEST),
                    classes: text_of(message, "classes", LONGEST)?,
                    path: text_of(message, "path", LONGEST)?,
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
        tag: text_of(place, "tag", LONGEST)?,
        component: text_of(place, "component", LONGEST),
        file: text_of(place, "file", LONGEST)?,
        line: number("line")?,
        column: number("column")?,
    })
}
