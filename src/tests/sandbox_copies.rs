//! Snapshots and forks: copies of a sandbox's files, each of which starts a sandbox of its own.

use std::{fs, path::Path};

use codeflow::sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ControlPlane, Host, PATIENCE, run, token, traces, until};

async fn connect(host: &Host, id: &str) -> Sandbox {
    host.client.connect(id, PATIENCE).await.unwrap()
}

/// Takes a snapshot, and returns its id.
async fn snapshot(host: &Host, sandbox: &str, body: Value) -> String {
    let taken = host
        .post(&format!("/sandboxes/{sandbox}/snapshots"), &body)
        .await;
    taken["snapshotID"].as_str().unwrap().to_owned()
}

/// Creates a sandbox from a snapshot.
async fn create_from(host: &Host, snapshot: &str) -> (String, Sandbox) {
    let request = json!({ "templateID": snapshot, "timeout": 300 });
    let made = host.post("/v2/sandboxes", &request).await;
    let id = made["sandboxID"].as_str().unwrap().to_owned();
    assert_eq!(made["templateID"], snapshot);
    let sandbox = connect(host, &id).await;
    (id, sandbox)
}

async fn fork(host: &Host, sandbox: &str, body: Value) -> Vec<Value> {
    let forks = host
        .post(&format!("/sandboxes/{sandbox}/fork"), &body)
        .await;
    forks.as_array().unwrap().clone()
}

async fn serves(host: &Host, sandbox: &str, text: &str) {
    until("its server answers", async || {
        let answer = host.preview(sandbox, 3000, "/").send().await.ok()?;
        answer.text().await.ok()?.contains(text).then_some(())
    })
    .await;
}

/// Makes another build of the template the current one.
fn rebuild_template(data: &Path) {
    let template = data.join("templates/nextjs");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([template.join("v1"), template.join("v2")])
        .status();
    assert!(copied.unwrap().success());
    fs::write(template.join("current"), "v2").unwrap();
}

fn folders(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("snapshots")).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_snapshot_has_the_files_of_its_moment_and_outlives_its_sandbox_and_the_host() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let original = sandbox.id().to_owned();
    run(
        &sandbox,
        "echo '<h1>Then</h1>' > index.html; rm app/page.tsx; ln -s index.html link; chmod 750 server.mjs; echo lost > /tmp/lost",
    )
    .await;
    let taken = snapshot(&host, &original, json!({})).await;
    assert_eq!(host.state(&original).await, "running");
    run(&sandbox, "echo '<h1>Later</h1>' > index.html").await;
    assert_eq!(
        host.status(Method::DELETE, &format!("/sandboxes/{original}"))
            .await,
        204
    );

    let data = host.stop().await;
    rebuild_template(data.path());
    fs::create_dir_all(data.path().join("snapshots/ihalf/layer/upper")).unwrap();
    let host = Host::start_on(data, |_| {}).await;
    // The snapshot's build stays, and nothing of unfinished ones.
    assert_eq!(folders(host.folder()), [taken.as_str()]);
    assert!(host.folder().join("templates/nextjs/v1").exists());

    let (id, copy) = create_from(&host, &taken).await;
    let look = "cat index.html link; ls app; stat -c %a server.mjs; cat /tmp/lost";
    let seen = run(&copy, look).await.1;
    assert!(
        seen.starts_with("<h1>Then</h1>\n<h1>Then</h1>\nicon.png\n750\n"),
        "{seen}"
    );
    serves(&host, &id, "Then").await;
    let listed = host.get(&format!("/v2/sandboxes?template={taken}")).await;
    assert_eq!(listed[0]["sandboxID"], id.as_str());

    // A sandbox that was made from it doesn't need it.
    let path = format!("/templates/{taken}");
    assert_eq!(host.status(Method::DELETE, &path).await, 204);
    assert_eq!(host.status(Method::DELETE, &path).await, 404);
    assert_eq!(folders(host.folder()), [] as [String; 0]);
    let request = json!({ "templateID": taken });
    assert_eq!(host.answer("/v2/sandboxes", &request).await.0, 404);
    assert_eq!(host.pause(&id, json!({ "memory": false })).await, 204);
    let data = host.stop().await;
    let host = Host::start_on(data, |_| {}).await;
    assert!(host.folder().join("templates/nextjs/v1").exists());
    let copy = connect(&host, &id).await;
    assert_eq!(run(&copy, "cat link").await.1, "<h1>Then</h1>\n");
    host.stop().await;
    assert_eq!(traces(&id), [] as [String; 0]);
}

#[tokio::test]
async fn forks_are_sandboxes_of_their_own_and_the_original_works_on() {
    let host = Host::start().await;
    let request = json!({
        "templateID": "nextjs", "timeout": 300, "metadata": { "a": "b" }, "envVars": { "MINE": "yes" },
        "autoPause": true, "network": { "allowPublicTraffic": true, "denyOut": ["0.0.0.0/0"] },
    });
    let made = host.post("/v2/sandboxes", &request).await;
    let original = made["sandboxID"].as_str().unwrap();
    let sandbox = connect(&host, original).await;
    // Two files that never differ by more than one, written all the time.
    run(
        &sandbox,
        "nohup sh -c 'n=0; while :; do n=$((n+1)); echo $n > one; echo $n > two; done' >/dev/null 2>&1 &",
    )
    .await;
    let number = async |sandbox: &Sandbox, file: &str| {
        let text = run(sandbox, &format!("cat {file}")).await.1;
        text.trim().parse::<u64>().ok()
    };
    until("it counts", async || number(&sandbox, "two").await).await;
    let forks = fork(&host, original, json!({ "count": 3, "timeout": 120 })).await;
    assert_eq!(forks.len(), 3);
    let mut ids = vec![original.to_owned()];
    for fork in &forks {
        assert_eq!(fork.get("error"), None, "{fork}");
        let id = fork["sandbox"]["sandboxID"].as_str().unwrap();
        let copy = connect(&host, id).await;
        let (one, two) = (number(&copy, "one").await, number(&copy, "two").await);
        // A file may have been cut, and not yet written again.
        if let (Some(one), Some(two)) = (one, two) {
            assert!(one == two || one == two + 1, "{one} {two}");
        }
        assert!(one.is_some() || two.is_some());
        // Memory is not copied.
        let look = "echo $MINE; cp two before; sleep 0.2; cmp two before && echo still";
        assert_eq!(run(&copy, look).await.1, "yes\nstill\n");
        run(&copy, &format!("echo {id} > own")).await;
        let detail = host.detail(id).await;
        assert_eq!(detail["metadata"], json!({ "a": "b" }));
        assert_eq!(detail["lifecycle"]["onTimeout"], "pause");
        assert_eq!(detail["network"]["denyOut"], json!(["0.0.0.0/0"]));
        assert_ne!(token(&host, id).await, token(&host, original).await);
        ids.push(id.to_owned());
    }
    for id in &ids[1..] {
        serves(&host, id, "<").await;
        assert_eq!(
            run(&connect(&host, id).await, "cat own").await.1,
            format!("{id}\n")
        );
    }
    assert_eq!(run(&sandbox, "cat own").await.0, 1);
    let before = number(&sandbox, "one").await;
    until("the original counts on", async || {
        (number(&sandbox, "one").await > before).then_some(())
    })
    .await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(folders(host.folder()), [] as [String; 0]);
    host.stop().await;
}

#[tokio::test]
async fn a_paused_sandbox_is_copied_as_it_is_and_stays_paused() {
    let host = Host::start().await;
    for memory in [true, false] {
        let sandbox = host.create().await;
        let id = sandbox.id();
        run(&sandbox, "echo kept > kept").await;
        assert_eq!(host.pause(id, json!({ "memory": memory })).await, 204);
        let taken = snapshot(&host, id, json!({})).await;
        let forks = fork(&host, id, json!({})).await;
        assert_eq!(host.state(id).await, "paused");
        let forked = forks[0]["sandbox"]["sandboxID"].as_str().unwrap();
        let (created, _) = create_from(&host, &taken).await;
        for copy in [forked, &created] {
            let copy = connect(&host, copy).await;
            assert_eq!(run(&copy, "cat kept").await.1, "kept\n");
        }
        assert_eq!(run(&sandbox, "cat kept").await.1, "kept\n");
    }
    host.stop().await;
}

#[tokio::test]
async fn snapshots_are_listed_by_sandbox_and_name_page_by_page_and_odd_requests_say_what_is_wrong()
{
    let host = Host::start().await;
    let (one, two) = (host.create().await, host.create().await);
    let first = snapshot(&host, one.id(), json!({ "name": "Mine" })).await;
    let second = snapshot(&host, one.id(), json!({ "name": "mine" })).await;
    let third = snapshot(&host, two.id(), json!({})).await;
    let listed = async |query: &str| {
        let answer = host
            .api(Method::GET, &format!("/snapshots{query}"))
            .send()
            .await
            .unwrap();
        let next = answer.headers().get("x-next-token").cloned();
        let found: Vec<Value> = answer.json().await.unwrap();
        let ids = found.iter().map(|found| found["snapshotID"].clone());
        let next = next.map(|token| token.to_str().unwrap().to_owned());
        (Vec::from_iter(ids), next)
    };
    assert_eq!(listed("").await.0, [&*third, &second, &first]);
    assert_eq!(listed("?name=mine").await.0, [&*second, &first]);
    assert_eq!(listed(&format!("?name={first}")).await.0, [&*first]);
    assert_eq!(listed("?name=none").await.0, [] as [Value; 0]);
    let of_two = format!("?sandboxID={}", two.id());
    assert_eq!(listed(&of_two).await.0, [&*third]);
    let (page, next) = listed("?limit=2").await;
    assert_eq!(page, [&*third, &second]);
    let (page, next) = listed(&format!("?limit=2&nextToken={}", next.unwrap())).await;
    assert_eq!((page, next), (vec![json!(first)], None));
    // The name means the youngest.
    let path = "/templates/mine";
    assert_eq!(host.status(Method::DELETE, path).await, 204);
    assert_eq!(listed("?name=mine").await.0, [&*first]);

    let id = one.id();
    for (path, body, status, message) in [
        (
            "snapshots",
            json!({ "name": "a b" }),
            400,
            "a snapshot's name has",
        ),
        (
            "snapshots",
            json!({ "name": "nextjs" }),
            409,
            "another name",
        ),
        (
            "fork",
            json!({ "count": 0 }),
            400,
            "count is a number from 1 to 16",
        ),
        (
            "fork",
            json!({ "count": 17 }),
            400,
            "count is a number from 1 to 16",
        ),
        ("fork", json!({ "timeout": 0 }), 400, "Timeout"),
    ] {
        let (answered, answer) = host.answer(&format!("/sandboxes/{id}/{path}"), &body).await;
        assert_eq!(answered, status, "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains(message),
            "{answer}"
        );
    }
    for path in ["/sandboxes/inone/snapshots", "/sandboxes/inone/fork"] {
        assert_eq!(host.answer(path, &json!({})).await.0, 404);
    }
    for query in ["?limit=0", "?nextToken=x"] {
        assert_eq!(
            host.status(Method::GET, &format!("/snapshots{query}"))
                .await,
            400
        );
    }
    let answer = host
        .api(Method::DELETE, "/templates/nextjs")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    assert!(host.folder().join("templates/nextjs/current").exists());
    host.stop().await;
}
