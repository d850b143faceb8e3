//! How journeys are read: as documented, as models write them, and with every mistake.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

const FILE: &str = "tests/journeys/add.json";

fn journey(value: &Value) -> Result<Journey, String> {
    read(FILE, value.to_string().as_bytes())
}

/// The action of a step between two that make it a journey.
fn action_of(step: Value) -> Result<Action, String> {
    let journey = journey(&json!([{ "open": "/" }, step, { "see": "Milk" }]))?;
    Ok(journey.steps[1].action.clone())
}

fn target(name: &str, role: Option<&str>) -> Target {
    Target {
        name: name.to_owned(),
        role: role.map(str::to_owned),
        number: 1,
    }
}

#[test]
fn a_journey_is_read_as_it_is_documented() {
    let written = json!({
        "title": "A task\n is kept",
        "steps": [
            { "open": "/tasks" },
            { "type": "Milk", "into": "New task" },
            { "click": "Add", "role": "button" },
            { "see": "Milk" },
            { "select": "Done", "from": "Show" },
            { "not_see": "Milk" },
            { "press": "Control+K", "comment": "the search" },
            { "reload": true },
            { "see": "New task", "role": "textbox", "value": "" },
            { "see": "Dark mode", "role": "switch", "checked": true },
            { "theme": "dark" },
        ],
    });
    let journey = journey(&written).unwrap();
    assert_eq!((&*journey.title, &*journey.file), ("A task is kept", FILE));
    let actions: Vec<Action> = journey.steps.into_iter().map(|step| step.action).collect();
    let element = |name: &str, role: &str| Element {
        role: role.to_owned(),
        name: name.to_owned(),
        value: None,
        states: Vec::new(),
    };
    assert_eq!(
        actions,
        [
            Action::Open("/tasks".to_owned()),
            Action::Type {
                text: "Milk".to_owned(),
                field: target("New task", None)
            },
            Action::Click(target("Add", Some("button"))),
            Action::See(Sight::Text("Milk".to_owned())),
            Action::Select {
                option: "Done".to_owned(),
                field: target("Show", None)
            },
            Action::NotSee(Sight::Text("Milk".to_owned())),
            Action::Press(Stroke::named("Control+K").unwrap()),
            Action::Reload,
            Action::See(Sight::Element(Element {
                value: Some(String::new()),
                ..element("New task", "textbox")
            })),
            Action::See(Sight::Element(Element {
                states: vec![("checked", true)],
                ..element("Dark mode", "switch")
            })),
            Action::Theme(Theme::Dark),
        ]
    );
}

#[test]
fn a_step_that_can_mean_only_one_thing_is_taken_so() {
    let click = Action::Click(target("Add", Some("button")));
    for written in [
        json!({ "click": { "role": "button", "name": "Add" } }),
        json!({ "Click": "Add", "role": "Button" }),
        json!({ "action": "click", "name": "Add", "role": "btn" }),
        json!({ "click": "Add", "role": "button", "number": 1, "why": null }),
    ] {
        assert_eq!(action_of(written.clone()), Ok(click.clone()), "{written}");
    }
    let fill = Action::Type {
        text: "7".to_owned(),
        field: target("Guests", None),
    };
    for written in [
        json!({ "fill": "7", "label": "Guests" }),
        json!({ "type": 7, "in": "Guests" }),
        json!({ "type": { "text": "7", "into": "Guests" } }),
        json!({ "action": "fill", "field": "Guests", "value": "7" }),
    ] {
        assert_eq!(action_of(written.clone()), Ok(fill.clone()), "{written}");
    }
    assert_eq!(action_of(json!("reload")), Ok(Action::Reload));
    assert_eq!(
        action_of(json!({ "notSee": "Milk" })),
        Ok(Action::NotSee(Sight::Text("Milk".to_owned())))
    );
    let bare = read(
        FILE,
        "\u{feff}[{\"open\":\"/\"},{\"see\":\"Milk\"}]".as_bytes(),
    );
    assert_eq!(bare.unwrap().title, "add");
}

#[test]
fn every_mistake_is_a_sentence_that_says_what_to_write() {
    for (step, said) in [
        (
            json!({ "click": "" }),
            r#"“click” says nothing; write { "click""#,
        ),
        (json!({ "hover": "Add" }), r#"a step is one of { "open""#),
        (json!(7), "it is no object"),
        (
            json!({ "click": "Add", "see": "Milk" }),
            "both “click” and “see”",
        ),
        (
            json!({ "click": "Add", "role": "thing" }),
            "there is no role “thing”; write one",
        ),
        (
            json!({ "click": "Add", "number": 0 }),
            "write 1 for the first",
        ),
        (json!({ "click": ["Add"] }), "“click” is a text"),
        (
            json!({ "click": "Add", "timeout": 5 }),
            "a step waits by itself",
        ),
        (
            json!({ "click": "Add", "selector": ".a" }),
            "“selector” has no meaning",
        ),
        (json!({ "type": "Milk" }), r#""into": "New task""#),
        (json!({ "type": "Milk", "into": " " }), "it names no field"),
        (json!({ "select": "Done" }), r#""from": "Show""#),
        (json!({ "press": "Hyper+K" }), "there is no key “Hyper+K”"),
        (
            json!({ "open": "https://example.com" }),
            "a path of the app",
        ),
        (json!({ "open": "//example.com/" }), "a path of the app"),
        (json!({ "see": " " }), "it says nothing"),
        (json!({ "see": "Milk", "checked": true }), "add its role"),
        (
            json!({ "see": "Milk", "role": "checkbox", "checked": "yes" }),
            "is true or false",
        ),
        (json!({ "theme": "blue" }), r#"{ "theme": "light" }"#),
        (
            json!({ "see": "a".repeat(MAX_TEXT + 1) }),
            "is longer than 300 characters",
        ),
    ] {
        let mistake = action_of(step.clone()).unwrap_err();
        assert!(
            mistake.starts_with(&format!("{FILE}, step 2 (")),
            "{mistake}"
        );
        assert!(mistake.contains(said), "{step}: {mistake}");
    }
}

#[test]
fn what_is_no_journey_is_refused_with_its_file_s_name() {
    let many = vec![json!({ "see": "Milk" }); MAX_STEPS + 1];
    for (written, said) in [
        ("{ \"steps\": [ // none".to_owned(), "is not JSON"),
        ("\"steps\"".to_owned(), "is no journey"),
        (json!({ "stages": [] }).to_string(), "has no list of steps"),
        (json!([]).to_string(), "has no steps"),
        (
            json!([{ "see": "Milk" }]).to_string(),
            r#"Write { "open": "/" } before"#,
        ),
        (
            json!([{ "open": "/" }]).to_string(),
            "checks nothing after its last step",
        ),
        (
            json!([{ "open": "/" }, { "see": "a" }, { "click": "Add" }]).to_string(),
            r#"End it with a step such as { "see": "…" }."#,
        ),
        (json!(many).to_string(), "a journey may have 40"),
        (" ".repeat(MAX_FILE + 1), "is larger than 16 kB"),
    ] {
        let mistake = read(FILE, written.as_bytes()).unwrap_err();
        assert!(
            mistake.starts_with(FILE) && mistake.contains(said),
            "{mistake}"
        );
    }
    assert!(read(FILE, &[0xff, 0xfe]).is_err());
}
