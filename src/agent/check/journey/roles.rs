//! The roles of elements (w3.org/TR/wai-aria, 5.4), as journeys and the browser name them.

/// The roles that a journey may name.
const ROLES: [&str; 52] = [
    "alert",
    "alertdialog",
    "article",
    "banner",
    "button",
    "cell",
    "checkbox",
    "columnheader",
    "combobox",
    "complementary",
    "contentinfo",
    "dialog",
    "feed",
    "figure",
    "form",
    "grid",
    "gridcell",
    "group",
    "heading",
    "image",
    "link",
    "list",
    "listbox",
    "listitem",
    "log",
    "main",
    "menu",
    "menubar",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "meter",
    "navigation",
    "option",
    "progressbar",
    "radio",
    "radiogroup",
    "region",
    "row",
    "search",
    "searchbox",
    "slider",
    "spinbutton",
    "status",
    "switch",
    "tab",
    "table",
    "tablist",
    "tabpanel",
    "textbox",
    "toolbar",
    "treeitem",
];
/// Other words for these roles.
const ALIASES: [(&str, &str); 14] = [
    ("btn", "button"),
    ("img", "image"),
    ("picture", "image"),
    ("textfield", "textbox"),
    ("textarea", "textbox"),
    ("input", "textbox"),
    ("field", "textbox"),
    ("select", "combobox"),
    ("dropdown", "combobox"),
    ("toggle", "switch"),
    ("a", "link"),
    ("nav", "navigation"),
    ("modal", "dialog"),
    ("li", "listitem"),
];
/// Roles that the browser names differently (third_party/blink/renderer/modules/accessibility).
const BROWSERS: [(&str, &str); 10] = [
    ("img", "image"),
    ("popupbutton", "button"),
    ("togglebutton", "button"),
    ("disclosuretriangle", "button"),
    ("menulistoption", "option"),
    ("listboxoption", "option"),
    ("textfield", "textbox"),
    ("textfieldwithcombobox", "combobox"),
    ("comboboxmenubutton", "combobox"),
    ("comboboxselect", "combobox"),
];
/// The roles of elements that can be used: a click on a name means one of these.
const USABLE: [&str; 18] = [
    "button",
    "link",
    "checkbox",
    "switch",
    "radio",
    "tab",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "option",
    "combobox",
    "textbox",
    "searchbox",
    "spinbutton",
    "slider",
    "treeitem",
    "gridcell",
    "row",
];
/// The roles of fields that can be written into. The browser has its own names
/// for dates and colours.
const FIELDS: [&str; 11] = [
    "textbox",
    "searchbox",
    "spinbutton",
    "combobox",
    "slider",
    "date",
    "datetime",
    "inputtime",
    "timefield",
    "colorwell",
    "grid",
];

/// The role that a journey means; `None` if there is none.
pub fn meant(word: &str) -> Option<&'static str> {
    let word = word.trim().to_lowercase();
    let known = ALIASES.into_iter().find(|(alias, _)| *alias == word);
    let word = known.map_or(word.as_str(), |(_, role)| role);
    ROLES.into_iter().find(|role| *role == word)
}

/// A role as the browser names it, in a journey's words.
pub fn of_browser(name: &str) -> String {
    let name = name.to_lowercase();
    let known = BROWSERS.into_iter().find(|(theirs, _)| *theirs == name);
    known.map_or(name, |(_, role)| role.to_owned())
}

/// Whether an element with this role is one of the wanted kind.
pub fn is_a(role: &str, wanted: &str) -> bool {
    role == wanted || (wanted == "textbox" && role == "searchbox")
}

pub fn is_usable(role: &str) -> bool {
    USABLE.contains(&role)
}

pub fn is_field(role: &str) -> bool {
    FIELDS.contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_be_named_by_its_usual_words() {
        assert_eq!(meant("Button"), Some("button"));
        assert_eq!(meant("dropdown"), Some("combobox"));
        assert_eq!(meant("thing"), None);
        assert!(ALIASES.iter().all(|(alias, _)| meant(alias).is_some()));
        assert!(is_a(&of_browser("searchbox"), "textbox"));
        assert_eq!(of_browser("ListItem"), "listitem");
    }
}
