//! Three servers on one PostgreSQL: how late an event is that another server has saved, and how
//! long a run stands still when the server that works on it dies. Then the cost of Restate.

use std::time::{Duration, Instant};

use futures::StreamExt as _;

use crate::{Model, Server, all_succeed, feeds, over_restate, postgres::Postgres, pretend_e2b};

const SERVERS: usize = 3;

pub async fn cluster(model: &Model) {
    let (postgres, e2b) = (Postgres::start().await, pretend_e2b::start().await);
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(Server::start_shared(model, &e2b, &postgres.url));
    }
    let all: Vec<&Server> = servers.iter().collect();
    feeds(&all, 1, "goal: p99 ≤ 50 ms").await;
    feeds(&all, 10, "goal: p99 ≤ 50 ms").await;

    let dying = servers.pop().expect("there are some");
    let project = dying.create("Talk").await;
    let url = |server: &Server| {
        format!(
            "ws://127.0.0.1:{}/ws/projects/{project}?after=0",
            server.port
        )
    };
    let (mut feed, _) = tokio_tungstenite::connect_async(url(&servers[0]))
        .await
        .unwrap();
    let mut hear_text = async || {
        loop {
            let frame = feed.next().await.expect("the feed goes on").unwrap();
            if frame
                .to_text()
                .unwrap_or_default()
                .contains(r#""type":"text_piece""#)
            {
                return;
            }
        }
    };
    hear_text().await;
    dying.kill();
    // What was saved before is heard at once.
    let settled = Duration::from_millis(500);
    while tokio::time::timeout(settled, hear_text()).await.is_ok() {}
    let begun = Instant::now();
    hear_text().await;
    println!(
        "a server dies → its run goes on elsewhere: {:.1} s (a lease lasts 15 s)",
        (begun.elapsed() + settled).as_secs_f64()
    );
    all_succeed(&servers[0], &[project]).await;
    drop(servers);
    over_restate::steps(model).await;
}
