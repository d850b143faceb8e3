//! A review of the diff before the check, by the model that is meant for small tasks.

use serde_json::Value;

use crate::{
    modes::page,
    support::{Feed, Model, NAMING, Reply, Server, data_dir},
};

const SMALL: (&str, &str) = ("AI_MODEL_NAMING", "small");

fn builds(words: &str) -> [Reply; 2] {
    [
        Reply::write("index.html", &format!("<h1>{words}</h1>\n")),
        Reply::done(),
    ]
}

/// What the reviewer was sent, in order.
fn reviews(model: &Model) -> Vec<String> {
    let all = model.requests().into_iter();
    let reviews = all.filter(|request: &Value| {
        let rules = request["messages"][0]["content"].as_str();
        rules.is_some_and(|rules| rules.starts_with("You review a change"))
    });
    reviews
        .inspect(|request| assert_eq!(request["model"], "small"))
        .map(|request| {
            request["messages"][1]["content"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn found(feed: &Feed) -> Option<String> {
    feed.find_tool("review-1")?.output
}

#[tokio::test]
async fn defects_in_the_diff_are_mended_before_the_check_and_once_at_most() {
    let data = data_dir();
    let defect = "- index.html:1: It says One, and Two was asked for";
    let model = Model::start([
        ("Build", [builds("One"), builds("Two")].concat()),
        ("Change", builds("Three").to_vec()),
        (NAMING, vec![Reply::Text(defect)]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[SMALL]);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    assert_eq!(page(&server, project).await, "<h1>Two</h1>\n");
    assert_eq!(found(&feed).as_deref(), Some(&defect[2..]));
    let run = server.workspace(project).await.runs[0].id;
    let steps = server.details(run).await.steps;
    let names = steps.iter().map(|step| &*step.name);
    let names: Vec<&str> = names
        .filter(|name| !name.contains("createOrUpdateFiles"))
        .skip_while(|name| *name != "turn-2")
        .take(4)
        .collect();
    assert_eq!(names, ["turn-2", "review-1", "turn-3", "turn-4"]);
    let [first] = &reviews(&model)[..] else {
        panic!("one review")
    };
    assert!(
        first.contains("Build") && first.contains("+<h1>One</h1>"),
        "{first}"
    );
    let asked = model.turns_of("Build")[2]["messages"].to_string();
    assert!(asked.contains("It says One") && asked.contains("<review_defects>"));

    server.send(project, "Change").await;
    // Nothing is scripted after the review: the app as it was is checked all the same.
    feed.succeeded(2).await;
    let second = &reviews(&model)[1];
    for line in ["-<h1>Two</h1>", "+<h1>Three</h1>"] {
        assert!(second.contains(line), "{second}");
    }
    assert_eq!(page(&server, project).await, "<h1>Three</h1>\n");
}

#[tokio::test]
async fn without_a_small_model_nothing_is_reviewed_and_a_review_that_fails_fails_no_run() {
    for (env, asked) in [
        (&[][..], 0),
        (&[SMALL, ("AGENT_MAX_REVIEWS", "0")], 0),
        (&[SMALL], 1),
    ] {
        let data = data_dir();
        let down = vec![Reply::Status(402, "empty")];
        let model = Model::start([("Build", builds("One").to_vec()), (NAMING, down)]).await;
        let server = Server::start_and(data.path(), &model, env);
        let project = server.create("Build").await;
        let mut feed = server.feed(project).await;
        feed.succeeded(1).await;
        assert_eq!(reviews(&model).len(), asked, "{env:?}");
        let said = found(&feed);
        assert_eq!(said.is_some(), asked > 0, "{said:?}");
    }
}
