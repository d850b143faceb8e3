//! Builds that compile and load, and do not do what was asked: none is a result while a journey
//! covers it, and its sound twin is one. Four more are in `journeys`.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{browser_env, browser_folder, no_browser_is_left};
use crate::support::{Model, Reply, Server, data_dir};

/// What each page begins with.
const HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>A build</title>
<script>const $ = (id) => document.getElementById(id);</script>"#;

/// A page, what makes it one that does not do what was asked, and the journey that shows it.
struct Build {
    name: &'static str,
    title: &'static str,
    page: &'static str,
    /// What is in the page, and what is there instead where it is broken.
    sound: &'static str,
    broken: &'static str,
    /// What follows the page's opening.
    steps: fn() -> Value,
    /// The step that fails, counted from 1.
    fails_at: usize,
}

const BUILDS: [Build; 8] = [
    Build {
        name: "form",
        title: "A form keeps what was entered",
        page: r#"<form id="form">
          <label>Name <input id="name"></label> <label>Email <input id="email"></label>
          <button>Send</button>
        </form><p id="said"></p>
        <script>$("form").onsubmit = (event) => {
          event.preventDefault();
          const isRight = $("email").value.includes("@");
          $("said").textContent = isRight ? "Thank you!" : "Enter an email address.";
          if (isRight) $("form").reset();
        };</script>"#,
        sound: "if (isRight)",
        broken: "",
        steps: || {
            json!([
                { "type": "Ada", "into": "Name" },
                { "type": "ada", "into": "Email" },
                { "click": "Send", "role": "button" },
                { "see": "Enter an email address." },
                { "see": "Name", "role": "textbox", "value": "Ada" },
            ])
        },
        fails_at: 6,
    },
    Build {
        name: "delete",
        title: "The right row is deleted",
        page: r#"<ul id="list"></ul>
        <script>
        const rows = ["Milk", "Bread", "Eggs"];
        const draw = () => $("list").replaceChildren(...rows.map((row, at) => {
          const item = document.createElement("li");
          item.innerHTML = `${row} <button aria-label="Delete ${row}">×</button>`;
          item.querySelector("button").onclick = () => { rows.splice(at, 1); draw(); };
          return item;
        }));
        draw();</script>"#,
        sound: "splice(at, 1)",
        broken: "splice(at + 1, 1)",
        steps: || {
            json!([
                { "click": "Delete Bread", "role": "button" },
                { "not_see": "Bread" },
                { "see": "Eggs" },
            ])
        },
        fails_at: 3,
    },
    Build {
        name: "counter",
        title: "Each click counts one",
        page: r#"<button id="add">Add one</button> <p>Count: <span id="count">0</span></p>
        <script>let count = 0; $("add").onclick = () => { $("count").textContent = ++count; };</script>"#,
        sound: "++count",
        broken: "count++",
        steps: || {
            json!([
                { "see": "Count: 0" },
                { "click": "Add one" },
                { "see": "Count: 1" },
                { "click": "Add one" },
                { "see": "Count: 2" },
            ])
        },
        fails_at: 4,
    },
    Build {
        name: "search",
        title: "A city is found in any case",
        page: r#"<label>Search <input id="search" type="search"></label> <ul id="list"></ul>
        <script>
        const draw = () => {
          const wanted = $("search").value.toLowerCase();
          const found = ["Lisbon", "Berlin"].filter((city) => city.toLowerCase().includes(wanted));
          $("list").innerHTML = found.map((city) => `<li>${city}</li>`).join("");
        };
        $("search").oninput = draw;
        draw();</script>"#,
        sound: "city.toLowerCase()",
        broken: "city",
        steps: || {
            json!([
                { "type": "lis", "into": "Search" },
                { "not_see": "Berlin" },
                { "see": "Lisbon" },
            ])
        },
        fails_at: 4,
    },
    Build {
        name: "tabs",
        title: "Each tab shows its own",
        page: r#"<div role="tablist">
          <button role="tab" aria-selected="true">Overview</button>
          <button role="tab" aria-selected="false">Prices</button>
        </div><div role="tabpanel" id="panel">All about tea</div>
        <script>
        const tabs = [...document.querySelectorAll("[role=tab]")];
        const texts = ["All about tea", "From 9 € a month"];
        tabs.forEach((tab, at) => { tab.onclick = () => {
          tabs.forEach((other) => other.setAttribute("aria-selected", other === tab));
          $("panel").textContent = texts[at];
        }; });</script>"#,
        sound: "texts[at]",
        broken: "texts[0]",
        steps: || {
            json!([
                { "click": "Prices", "role": "tab" },
                { "see": "Prices", "role": "tab", "selected": true },
                { "see": "From 9 € a month" },
                { "not_see": "All about tea" },
            ])
        },
        fails_at: 4,
    },
    Build {
        name: "dialog",
        title: "A dialog closes",
        page: r#"<button id="open">About</button>
        <dialog id="about" aria-label="About us"><p>We bake bread.</p> <button id="close">Close</button></dialog>
        <script>
        $("open").onclick = () => $("about").showModal();
        $("close").onclick = () => $("about").close();</script>"#,
        sound: r#"$("about").close()"#,
        broken: "{}",
        steps: || {
            json!([
                { "click": "About", "role": "button" },
                { "see": "About us", "role": "dialog" },
                { "click": "Close", "role": "button" },
                { "not_see": "About us", "role": "dialog" },
            ])
        },
        fails_at: 5,
    },
    Build {
        name: "sort",
        title: "Prices are sorted as numbers",
        page: r#"<button id="sort">Sort by price</button> <ul id="list"></ul>
        <script>
        const prices = [100, 9, 10];
        const draw = () => { $("list").innerHTML = prices.map((price) => `<li>${price} €</li>`).join(""); };
        $("sort").onclick = () => { prices.sort((a, b) => a - b); draw(); };
        draw();</script>"#,
        sound: "sort((a, b) => a - b)",
        broken: "sort()",
        steps: || {
            json!([
                { "see": "100 € 9 € 10 €" },
                { "click": "Sort by price" },
                { "see": "9 € 10 € 100 €" },
            ])
        },
        fails_at: 4,
    },
    Build {
        name: "total",
        title: "The total follows the quantity",
        page: r#"<p>Tea, 4 €</p> <label>Quantity <input id="count" type="number" value="1" min="1"></label>
        <p>Total: <span id="total">4 €</span></p>
        <script>$("count").oninput = () => { $("total").textContent = `${4 * $("count").value} €`; };</script>"#,
        sound: r#"4 * $("count").value"#,
        broken: "4",
        steps: || json!([{ "type": "3", "into": "Quantity" }, { "see": "Total: 12 €" }]),
        fails_at: 3,
    },
];

impl Build {
    /// The page, as it should be or not.
    fn file(&self, is_sound: bool) -> Value {
        assert_eq!(self.page.matches(self.sound).count(), 1, "{}", self.name);
        let page = match is_sound {
            true => self.page.to_owned(),
            false => self.page.replace(self.sound, self.broken),
        };
        json!({ "path": format!("{}.html", self.name), "content": format!("{HEAD}{page}") })
    }

    fn journey(&self) -> Value {
        let mut steps = vec![json!({ "open": format!("/{}", self.name) })];
        steps.extend((self.steps)().as_array().unwrap().clone());
        let content = json!({ "title": self.title, "steps": steps }).to_string();
        json!({ "path": format!("tests/journeys/{}.json", self.name), "content": content })
    }
}

fn write(files: Vec<Value>) -> Reply {
    Reply::call("createOrUpdateFiles", json!({ "files": files }))
}

#[tokio::test]
async fn a_build_that_does_not_do_what_was_asked_is_no_result_and_its_sound_twin_is() {
    let pages = |is_sound| BUILDS.iter().map(|build| build.file(is_sound)).collect();
    let replies = vec![
        write(BUILDS.iter().map(Build::journey).collect()),
        write(pages(false)),
        Reply::done(),
        write(pages(true)),
        Reply::done(),
    ];
    let (data, folder) = (data_dir(), browser_folder());
    let model = Model::start([("Build", replies)]).await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let message = feed.succeeded(1).await;
    for build in &BUILDS {
        assert!(message.content.contains(build.title), "{}", message.content);
    }
    let passed = message.journeys.iter().map(|passed| passed.title.as_str());
    let titles = BUILDS.iter().map(|build| build.title);
    assert_eq!(passed.collect::<HashSet<_>>(), titles.collect());

    let turns = model.turns_of("Build");
    let last = turns[3]["messages"].as_array().unwrap().last().unwrap();
    let report = last["content"].as_str().unwrap();
    assert!(report.contains("found 8 problems"), "{report}");
    for Build {
        name,
        title,
        fails_at,
        ..
    } in &BUILDS
    {
        for said in [
            format!("A journey fails (tests/journeys/{name}.json)"),
            format!("“{title}” fails at step {fails_at} of "),
        ] {
            assert!(report.contains(&said), "{said} is not in {report}");
        }
    }
    no_browser_is_left(&folder).await;
}
