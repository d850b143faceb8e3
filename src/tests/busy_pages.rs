//! Pages that many ask for at the same time.

use futures::{StreamExt, stream};

use crate::support::{Model, Reply, Server, data_dir, http};

/// How many are asked for, and of those how many at a time.
const PAGES: usize = 400;
const AT_A_TIME: usize = 24;

#[tokio::test]
async fn each_of_many_who_open_a_project_at_once_gets_its_page() {
    let (data, model) = (
        data_dir(),
        Model::start([("Build", vec![Reply::done().held()])]).await,
    );
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let page = format!("{}/projects/{project}", server.url());
    let titles: Vec<bool> = stream::iter(0..PAGES)
        .map(|_| async {
            let request = http().get(&page).header("accept", "text/html");
            let html = request.send().await.unwrap().text().await.unwrap();
            html.contains(" · CodeFlow</title>")
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    assert_eq!(titles, [true; PAGES]);
    server.stop();
}
