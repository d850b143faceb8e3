//! Journeys: an app that compiles and loads is no result while it does not do what its journeys
//! show, whatever its pages say of themselves, and none is dropped in silence.

use serde_json::{Value, json};

use super::{browser_env, browser_folder, no_browser_is_left};
use crate::support::{Model, Reply, Server, data_dir};

/// A list of tasks that can be filtered, a dark mode and a greeting, all of which work.
const SOUND: &str = include_str!("journeys.html");

/// What a page replaces in its own world, so that whoever asks there gets the answer that all is
/// well.
const FAKE: &str = r#"<script>
const fake = "Hello, Ada! Buy milk Bake bread";
for (const type of [HTMLElement, HTMLInputElement, HTMLBodyElement])
  for (const name of ["innerText", "role", "ariaLabel", "ariaChecked"])
    Object.defineProperty(type.prototype, name, { get: () => fake, set() {} });
Object.getOwnPropertyDescriptor = () => ({ get: () => fake, set() {} });
Reflect.apply = () => fake;
document.elementFromPoint = Document.prototype.elementFromPoint = () => null;
Node.prototype.contains = () => true;
Element.prototype.getBoundingClientRect = () => ({ x: 0, y: 0, width: 0, height: 0 });
window.requestIdleCallback = () => {};
window.matchMedia = () => ({ matches: true });
String.prototype.toLowerCase = String.prototype.trim = () => fake;
Array.prototype.find = Array.prototype.includes = () => true;
</script>
<form name="body" id="innerText" hidden><input name="role"><input name="innerText"></form>"#;

/// The journeys that the model writes, by their files.
fn journeys() -> Value {
    let journey = |file: &str, title: &str, steps: Value| {
        let content = json!({ "title": title, "steps": steps }).to_string();
        json!({ "path": format!("tests/journeys/{file}.json"), "content": content })
    };
    json!([
        journey(
            "greet",
            "A visitor is greeted",
            json!([
                { "open": "/" },
                { "type": "Ada", "into": "Your name" },
                { "see": "Your name", "role": "textbox", "value": "Ada" },
                { "click": "Greet", "role": "button" },
                { "see": "Hello, Ada!" },
            ])
        ),
        journey(
            "keep",
            "A task survives a reload",
            json!([
                { "open": "/" },
                { "not_see": "Buy milk" },
                { "type": "Buy milk", "into": "New task" },
                { "press": "Enter" },
                { "see": "Buy milk" },
                { "reload": true },
                { "see": "Buy milk", "role": "checkbox", "checked": false },
            ])
        ),
        journey(
            "filter",
            "Done tasks can be hidden",
            json!([
                { "open": "/" },
                { "type": "Buy milk", "into": "New task" },
                { "click": "Add" },
                { "type": "Bake bread", "into": "New task" },
                { "click": "Add" },
                { "click": "Buy milk", "role": "checkbox" },
                { "select": "Open tasks", "from": "Show" },
                { "not_see": "Buy milk" },
                { "see": "Bake bread" },
            ])
        ),
        journey(
            "dark",
            "The dark mode stays",
            json!([
                { "open": "/" },
                { "theme": "light" },
                { "click": "Dark mode", "role": "switch" },
                { "theme": "dark" },
                { "reload": true },
                { "theme": "dark" },
                { "see": "Dark mode", "role": "switch", "checked": true },
            ])
        ),
    ])
}

const TITLES: [&str; 4] = [
    "A visitor is greeted",
    "A task survives a reload",
    "Done tasks can be hidden",
    "The dark mode stays",
];

/// The sound page with these changes; each must be one.
fn page(changes: &[(&str, &str)]) -> String {
    let mut page = SOUND.to_owned();
    for (from, to) in changes {
        assert_eq!(page.matches(from).count(), 1, "{from}");
        page = page.replace(from, to);
    }
    page
}

fn write(page: &str) -> Reply {
    Reply::write("index.html", page)
}

/// Removes all journeys but the greeting's.
fn delete() -> Reply {
    let command = "cd tests/journeys && rm keep.json filter.json dark.json";
    Reply::call("terminal", json!({ "command": command }))
}

#[tokio::test]
async fn what_does_not_do_what_its_journeys_show_is_no_result_until_it_is_mended() {
    let idle = page(&[
        ("element(\"greet\").onclick = ", "const greet = "),
        (
            "localStorage.setItem(\"tasks\", JSON.stringify(tasks))",
            "{}",
        ),
        (
            "element(\"show\").value === \"All tasks\" || !task.done",
            "true",
        ),
        (
            "    const isDark = localStorage.getItem(\"dark\") === \"yes\";",
            "    const isDark = window.wasDark = \"wasDark\" in window && !window.wasDark;",
        ),
        (
            "<title>Tasks</title>",
            &format!("<title>Tasks</title>{FAKE}"),
        ),
    ]);
    let throwing = page(&[(
        "    setTimeout(() => {",
        "    setTimeout(() => { throw new Error(\"no words left\"); }); setTimeout(() => {",
    )]);
    let written = Reply::call("createOrUpdateFiles", json!({ "files": journeys() }));
    let script = [
        (
            "Build",
            vec![
                written,
                write(&idle),
                Reply::done(),
                write(SOUND),
                Reply::done(),
            ],
        ),
        (
            "Make it nicer",
            vec![
                write(&throwing),
                delete(),
                Reply::done(),
                write(SOUND),
                Reply::done(),
            ],
        ),
    ];
    let (data, folder) = (data_dir(), browser_folder());
    let model = Model::start(script).await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    // What the model reads before this turn of it, counted from 1.
    let read = |prompt: &str, turn: usize| {
        let turns = model.turns_of(prompt);
        let last = turns[turn - 1]["messages"].as_array().unwrap().last();
        last.unwrap()["content"].as_str().unwrap().to_owned()
    };

    let message = feed.succeeded(1).await;
    for title in TITLES {
        assert!(message.content.contains(title), "{}", message.content);
    }
    let failed = read("Build", 4);
    for said in [
        "found 4 problems",
        "A journey fails (tests/journeys/greet.json)",
        "“A visitor is greeted” fails at step 5 of 5, {\"see\":\"Hello, Ada!\"}",
        "“A task survives a reload” fails at step 7 of 7",
        "there is no checkbox named “Buy milk”",
        "“Done tasks can be hidden” fails at step 8 of 9, {\"not_see\":\"Buy milk\"}",
        "“The dark mode stays” fails at step 6 of 7, {\"theme\":\"dark\"}: most of the page is light",
    ] {
        assert!(failed.contains(said), "{said} is not in {failed}");
    }

    // A follow-up that breaks one, and drops the others in silence.
    server.send(project, "Make it nicer").await;
    let message = feed.succeeded(2).await;
    let names = |title: &str| message.content.contains(title);
    assert!(names(TITLES[0]) && !names(TITLES[1]), "{}", message.content);
    let failed = read("Make it nicer", 4);
    for said in [
        "found 4 problems",
        "A journey is gone (tests/journeys/dark.json)",
        "Write it again as it was",
        "The page threw: Error: no words left",
    ] {
        assert!(failed.contains(said), "{said} is not in {failed}");
    }

    no_browser_is_left(&folder).await;
}
