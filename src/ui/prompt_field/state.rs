//! The content of a prompt's field: its text, the attached image, and what is wrong with them.

use leptos::{html, prelude::*};

use crate::{
    protocol::{ApiError, ErrorCode, Image, NewPrompt},
    ui::browser,
};

/// The complaint about an image that the server does not have yet.
pub const STILL_UPLOADING: &str = "The image is still uploading. Try again in a moment.";

/// A chosen image.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// The file's name.
    pub name: String,
    /// Counts the chosen images, to tell a late response from the current one.
    pub number: u32,
    /// `None` until the server has it.
    pub image: Option<Image>,
}

impl Attached {
    /// An image that the server has.
    pub fn of(image: Image) -> Self {
        Self {
            name: "The message's image".to_owned(),
            number: 0,
            image: Some(image),
        }
    }

    pub fn is_uploading(&self) -> bool {
        self.image.is_none()
    }

    pub fn into_id(self) -> Option<String> {
        self.image.map(|image| image.id.into())
    }
}

/// The content to send: the text, and the id of the uploaded image.
pub type Prompt = (NewPrompt, Option<String>);

/// What is wrong with the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub text: String,
    /// Whether a plan with more credits would help.
    pub wants_credits: bool,
}

impl From<String> for Complaint {
    fn from(text: String) -> Self {
        Self {
            text,
            wants_credits: false,
        }
    }
}

impl From<ApiError> for Complaint {
    fn from(error: ApiError) -> Self {
        Self {
            wants_credits: error.code == ErrorCode::OutOfCredits,
            text: error.message,
        }
    }
}

/// The state of one field: a copy of its text, the image, and the complaint about them.
#[derive(Clone, Copy)]
pub struct PromptField {
    pub element: NodeRef<html::Textarea>,
    pub text: RwSignal<String>,
    pub image: RwSignal<Option<Attached>>,
    pub complaint: RwSignal<Option<Complaint>>,
    /// The name under which the text is stored until it is sent.
    draft: Option<StoredValue<String>>,
    /// Whether something else is in the field temporarily, which isn't stored.
    borrowed: StoredValue<bool>,
}

impl PromptField {
    /// A field whose text survives a reload, kept in the browser under this name.
    pub fn kept(draft: impl Into<String>) -> Self {
        let draft = StoredValue::new(draft.into());
        let field = Self {
            draft: Some(draft),
            ..Self::new()
        };
        Effect::new(move || {
            if let Some(element) = field.element.get()
                && element.value().is_empty()
                && let Some(text) = draft.with_value(|draft| browser::draft(draft))
            {
                field.fill(&text);
            }
        });
        field
    }

    fn new() -> Self {
        let field = Self {
            element: NodeRef::new(),
            text: RwSignal::new(String::new()),
            image: RwSignal::new(None),
            complaint: RwSignal::new(None),
            draft: None,
            borrowed: StoredValue::new(false),
        };
        // Text that was typed, or restored by the browser, before hydration.
        Effect::new(move || {
            if let Some(element) = field.element.get() {
                field.text.set(element.value());
            }
        });
        field
    }

    /// The text and image, if they can be sent; otherwise the field says why not and gets the
    /// focus.
    pub fn validated(self) -> Option<Prompt> {
        let image = self.image.get_untracked();
        let complaint = match NewPrompt::new(&self.text.get_untracked()) {
            Ok(_) if image.as_ref().is_some_and(Attached::is_uploading) => {
                STILL_UPLOADING.to_owned()
            }
            Ok(prompt) => return Some((prompt, image.and_then(Attached::into_id))),
            Err(error) => error.to_string(),
        };
        self.complain(complaint);
        self.focus();
        None
    }

    pub fn complain(self, complaint: impl Into<Complaint>) {
        self.complaint.try_set(Some(complaint.into()));
    }

    /// Puts the text into the field and the focus after it.
    pub fn fill(self, text: &str) {
        if let Some(element) = self.element.try_get_untracked().flatten() {
            element.set_value(text);
            self.text.set(text.to_owned());
            self.complaint.set(None);
            self.keep(text);
        }
    }

    /// Takes the content out of the field until it is given back; the text stays stored meanwhile,
    /// and nothing else is stored.
    pub fn lend(self) -> (String, Option<Attached>) {
        let held = (self.text.get_untracked(), self.image.get_untracked());
        self.borrowed.set_value(true);
        self.put((String::new(), None));
        held
    }

    /// Puts the content back.
    pub fn give_back(self, held: (String, Option<Attached>)) {
        self.borrowed.set_value(false);
        self.put(held);
    }

    /// Replaces the content with a text and an image.
    pub fn put(self, (text, image): (String, Option<Attached>)) {
        self.fill(&text);
        self.image.set(image);
    }

    /// Stores the text until it is sent, if this field does so.
    pub fn keep(self, text: &str) {
        if let Some(draft) = self.draft
            && self.borrowed.try_get_value() == Some(false)
        {
            draft.try_with_value(|draft| browser::keep_draft(draft, text));
        }
    }

    /// Clears the sent content from the field; a text or an image that changed meanwhile stays.
    pub fn clear(self, (sent, image): &Prompt) {
        if self
            .text
            .try_get_untracked()
            .is_some_and(|text| text.trim() == sent.as_str())
        {
            self.fill("");
        }
        let attached = self
            .image
            .try_get_untracked()
            .flatten()
            .and_then(Attached::into_id);
        if attached.is_some() && attached == *image {
            self.image.set(None);
        }
    }

    /// Whether its page was left.
    pub fn is_gone(self) -> bool {
        self.text.is_disposed()
    }

    pub fn focus(self) {
        if let Some(element) = self.element.get_untracked() {
            let _ = element.focus();
        }
    }
}
