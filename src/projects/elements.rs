//! Changing an element that was picked in the preview: its text and its classes, where a source
//! contains them literally. The places are reported by the app, so each is looked up and compared
//! before anything is written. The change is an edit like those of the Code tab.

use sha2::{Digest, Sha256};

use super::{ProjectError, Projects};
use crate::{
    agent::{
        AppPath,
        jsx::{self, Element, Literal, collapsed},
    },
    protocol::{
        ElementPart, ElementPlace, ElementSource, ElementSources, FileSaved, MAX_EDITED,
        MAX_ELEMENT_TEXT, PickedElement, ProjectId,
    },
};

/// Folders with code that is not the app's own.
const FOREIGN: [&str; 2] = ["node_modules/", ".next/"];
const NOT_THERE: &str =
    "The source has changed since the element was picked. Pick it again, then change it.";

impl Projects {
    /// The parts of the element that its source contains literally.
    pub async fn element_sources(
        &self,
        project: ProjectId,
        element: PickedElement,
    ) -> Result<ElementSources, ProjectError> {
        self.expect_viewer(project).await?;
        let element = element.bounded();
        let mut sources = Vec::new();
        for place in &element.places {
            match self.source(project, &place.file).await {
                Ok(source) => sources.push((place, source)),
                Err(
                    ProjectError::NoFile | ProjectError::Invalid { .. } | ProjectError::Refused(_),
                ) => {}
                Err(error) => return Err(error),
            }
        }
        let found: Vec<(&ElementPlace, Element<'_>)> = sources
            .iter()
            .filter_map(|(place, source)| {
                let element = Element::find(source, &place.tag, place.line, place.column)?;
                Some((*place, element))
            })
            .collect();
        Ok(ElementSources {
            text: text_of(&element, &found),
            classes: classes_of(&element, &found),
        })
    }

    /// Changes a part of the element at this place, if its value there is still `from`.
    pub async fn change_element(
        &self,
        project: ProjectId,
        place: ElementPlace,
        part: ElementPart,
        from: &str,
        to: &str,
    ) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        if to.chars().count() > MAX_ELEMENT_TEXT || to.contains('\0') {
            return Err(ProjectError::Refused(format!(
                "Texts and classes of up to {MAX_ELEMENT_TEXT} characters can be changed here. Edit the file in the Code tab instead."
            )));
        }
        let source = self.source(project, &place.file).await?;
        let changed =
            changed(&source, &place, part, from, to).ok_or(ProjectError::Conflict(NOT_THERE))?;
        let base = hex::encode(Sha256::digest(&source));
        match self
            .write_text(project, &place.file, changed, Some(base))
            .await?
        {
            FileSaved::Saved { .. } => Ok(()),
            FileSaved::Conflict { .. } => Err(ProjectError::Conflict(NOT_THERE)),
        }
    }

    /// A source file of the app that may contain elements.
    async fn source(&self, project: ProjectId, path: &str) -> Result<String, ProjectError> {
        let own = AppPath::exact(path)?;
        let is_foreign = FOREIGN
            .iter()
            .any(|folder| own.as_str().starts_with(folder));
        let is_source = [".tsx", ".jsx", ".js"]
            .iter()
            .any(|end| path.ends_with(end));
        if is_foreign || !is_source {
            return Err(ProjectError::NoFile);
        }
        let content = self.file_content(project, path).await?;
        if content.len() > MAX_EDITED {
            return Err(ProjectError::NoFile);
        }
        String::from_utf8(content).map_err(|_| ProjectError::NoFile)
    }
}

/// The source with the change; `None` if the part's value there is not `from`.
fn changed(
    source: &str,
    place: &ElementPlace,
    part: ElementPart,
    from: &str,
    to: &str,
) -> Option<String> {
    let element = Element::find(source, &place.tag, place.line, place.column)?;
    let literal = match part {
        ElementPart::Text => element.text(),
        ElementPart::Classes => element.classes(),
    };
    let is_from = match &literal {
        Literal::Written { value, .. } => collapsed(value) == collapsed(from),
        Literal::Absent { .. } => from.trim().is_empty(),
        Literal::Computed { .. } => false,
    };
    if !is_from {
        return None;
    }
    match part {
        ElementPart::Text => jsx::with_text(source, &literal, to),
        ElementPart::Classes => jsx::with_classes(source, &literal, to),
    }
}

/// A text counts only if it equals what the page shows: components may have changed it on the way.
fn text_of(
    picked: &PickedElement,
    found: &[(&ElementPlace, Element<'_>)],
) -> Result<ElementSource, String> {
    let Some(shown) = &picked.own_text else {
        return Err("There is more than text in this element. Pick a part of it.".to_owned());
    };
    let shown = collapsed(shown);
    for (place, element) in found {
        if let Literal::Written { value, .. } = element.text()
            && value == shown
        {
            return Ok(ElementSource {
                place: (*place).clone(),
                value,
            });
        }
    }
    Err(computed("This text is", found))
}

/// The classes of the element itself, or those that its component was given and passes on.
fn classes_of(
    picked: &PickedElement,
    found: &[(&ElementPlace, Element<'_>)],
) -> Result<ElementSource, String> {
    let shown: Vec<&str> = picked.classes.split_whitespace().collect();
    for (number, (place, element)) in found.iter().enumerate() {
        let value = match element.classes() {
            Literal::Written { value, .. } => {
                // Classes that were passed on may have been merged with others.
                let is_shown = value.split_whitespace().all(|class| shown.contains(&class));
                if number == 0 && !is_shown {
                    break;
                }
                value
            }
            Literal::Absent { .. } if number > 0 || shown.is_empty() => String::new(),
            Literal::Computed { forwards: true } => continue,
            Literal::Absent { .. } | Literal::Computed { forwards: false } => break,
        };
        return Ok(ElementSource {
            place: (*place).clone(),
            value,
        });
    }
    Err(computed("These classes are", found))
}

fn computed(what: &str, found: &[(&ElementPlace, Element<'_>)]) -> String {
    match found.first() {
        Some((place, _)) => format!(
            "{what} computed in {}:{}. Change it in the Code tab, or ask for the change in the chat.",
            place.file, place.line
        ),
        None => {
            "The source of this element is not known. Ask for the change in the chat.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUTTON: &str = "export function Button({ className, ...props }) {\n  return <button className={cn(base, className)} {...props} />;\n}\n";
    const PAGE: &str = "export default function Home() {\n  return <Button>Add it</Button>;\n}\n";

    fn place(tag: &str, line: u32, file: &str) -> ElementPlace {
        ElementPlace {
            tag: tag.to_owned(),
            component: None,
            file: file.to_owned(),
            line,
            column: 10,
        }
    }

    fn picked(own_text: Option<&str>, classes: &str) -> PickedElement {
        PickedElement {
            tag: "button".to_owned(),
            text: String::new(),
            own_text: own_text.map(str::to_owned),
            classes: classes.to_owned(),
            path: "/".to_owned(),
            places: Vec::new(),
        }
    }

    #[test]
    fn what_a_component_was_given_is_changed_where_it_is_used() {
        let places = [
            place("button", 2, "components/button.tsx"),
            place("Button", 2, "app/page.tsx"),
        ];
        let found: Vec<_> = places
            .iter()
            .zip([BUTTON, PAGE])
            .filter_map(|(place, source)| {
                Some((
                    place,
                    Element::find(source, &place.tag, place.line, place.column)?,
                ))
            })
            .collect();
        let text = text_of(&picked(Some(" Add\n it"), "px-2"), &found);
        assert_eq!(
            text.as_ref().map(|text| text.place.file.as_str()),
            Ok("app/page.tsx")
        );
        let classes = classes_of(&picked(None, "px-2"), &found);
        assert_eq!(
            classes.map(|classes| (classes.place.tag, classes.value)),
            Ok(("Button".to_owned(), String::new()))
        );
        let other = text_of(&picked(Some("Added"), ""), &found);
        assert_eq!(
            other,
            Err("This text is computed in components/button.tsx:2. Change it in the Code tab, or ask for the change in the chat.".to_owned())
        );
        assert!(text_of(&picked(None, ""), &found).is_err());
        assert!(classes_of(&picked(None, ""), &found[..1]).is_err());
    }

    #[test]
    fn nothing_is_changed_that_is_not_what_was_picked() {
        let place = place("Button", 2, "app/page.tsx");
        let change = |from: &str, to: &str| changed(PAGE, &place, ElementPart::Text, from, to);
        assert_eq!(change("Added", "x"), None);
        assert_eq!(
            change("Add it", "Add {it}").as_deref(),
            Some(
                "export default function Home() {\n  return <Button>Add &#123;it&#125;</Button>;\n}\n"
            )
        );
        let classes = changed(PAGE, &place, ElementPart::Classes, "", "mt-2");
        assert!(classes.is_some_and(|source| source.contains("<Button className=\"mt-2\">Add it")));
    }
}
