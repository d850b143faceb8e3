//! What followers receive, whatever happens around them.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::protocol::{NewPrompt, Status, TextPiece, UserId};

async fn seqs(follower: &mut Follower, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        if let FollowEvent::Event(next) = follower.next().await.unwrap() {
            seqs.push(next.event.seq);
        }
    }
    seqs
}

#[tokio::test]
async fn a_follower_receives_each_event_once_and_in_order_even_when_announcements_are_late_or_swapped()
 {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("db.sqlite"))
        .await
        .unwrap();
    let events = Events::new(store.clone());
    let (project, ..) = store
        .create_project(&UserId::local(), &NewPrompt::new("a").unwrap(), None, "a")
        .await
        .unwrap();
    let files = || EventKind::Files { files: Vec::new() };
    let mut follower = events.follow(project.id, 0);
    assert_eq!(seqs(&mut follower, 2).await, [1, 2]);

    let third = store.append_event(project.id, None, files()).await.unwrap();
    let fourth = store.append_event(project.id, None, files()).await.unwrap();
    events.announce(fourth);
    events.announce(third);
    events.publish(project.id, None, files()).await.unwrap();
    assert_eq!(seqs(&mut follower, 3).await, [3, 4, 5]);

    for _ in 0..BROADCAST_CAPACITY + 10 {
        events.publish(project.id, None, files()).await.unwrap();
    }
    let rest: Vec<i64> = (6..).take(BROADCAST_CAPACITY + 10).collect();
    assert_eq!(seqs(&mut follower, rest.len()).await, rest);
}

#[tokio::test]
async fn a_later_event_of_the_same_subject_replaces_the_earlier_one_and_a_repeated_one_is_no_event()
{
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("db.sqlite"))
        .await
        .unwrap();
    let (project, run, _) = store
        .create_project(&UserId::local(), &NewPrompt::new("a").unwrap(), None, "a")
        .await
        .unwrap();
    let status =
        |status| store.append_event(project.id, Some(run.id), EventKind::Status { status });
    assert!(status(Status::Thinking).await.unwrap().is_some());
    assert!(status(Status::Thinking).await.unwrap().is_none());
    assert!(status(Status::Saving).await.unwrap().is_some());
    let kept = store.events_after(project.id, 2, 10).await.unwrap();
    assert_eq!(kept.iter().map(|event| event.seq).collect::<Vec<_>>(), [4]);
}

#[tokio::test]
async fn a_channel_goes_with_the_last_follower_of_its_project() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("db.sqlite"))
        .await
        .unwrap();
    let events = Events::new(store.clone());
    let project = |text: &'static str| {
        let store = store.clone();
        async move {
            let prompt = NewPrompt::new(text).unwrap();
            store
                .create_project(&UserId::local(), &prompt, None, text)
                .await
                .unwrap()
                .0
                .id
        }
    };
    let (one, two) = (project("a").await, project("b").await);
    let (first, second) = (events.follow(one, 0), events.follow(one, 0));
    drop(first);
    let _other = events.follow(two, 0);
    assert_eq!(events.channels.lock().len(), 2);
    drop(second);
    let _other = events.follow(two, 0);
    assert_eq!(events.channels.lock().keys().collect::<Vec<_>>(), [&two]);
}

/// What happens around a project's followers.
#[derive(Debug, Clone)]
enum Happening {
    /// An event is saved and announced.
    Published(EventKind),
    /// An event is saved, and announced only after later ones.
    SavedOnly(EventKind),
    AnnouncedLate,
    /// A client receives at most so many of the events there are.
    Received {
        client: usize,
        events: usize,
    },
    /// A client's connection breaks; it comes back with the last event it has.
    Reconnected {
        client: usize,
    },
}

const CLIENTS: usize = 3;

fn kinds() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        any::<bool>().prop_map(|thinking| EventKind::Status {
            status: if thinking {
                Status::Thinking
            } else {
                Status::Saving
            }
        }),
        (1..3_u32, "[a-z]{1,4}").prop_map(|(turn, text)| EventKind::Text {
            turn,
            text: text.clone(),
            html: text
        }),
        (1..3_u32, "[a-z]{1,4}").prop_map(|(turn, text)| EventKind::TextPiece {
            turn,
            piece: TextPiece {
                offset: 0,
                text,
                html: Vec::new()
            }
        }),
        Just(EventKind::Files { files: Vec::new() }),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => kinds().prop_map(Happening::Published),
        2 => kinds().prop_map(Happening::SavedOnly),
        2 => Just(Happening::AnnouncedLate),
        4 => (0..CLIENTS, 1..100_usize).prop_map(|(client, events)| Happening::Received { client, events }),
        1 => (0..CLIENTS).prop_map(|client| Happening::Reconnected { client }),
    ]
}

/// A client and what it has received, in that order.
struct Client {
    follower: Follower,
    received: Vec<Event>,
}

impl Client {
    /// Receives at most so many of the events there are.
    async fn receive(&mut self, events: usize) {
        for _ in 0..events {
            let next =
                tokio::time::timeout(std::time::Duration::from_millis(3), self.follower.next())
                    .await;
            match next {
                Ok(next) => {
                    if let FollowEvent::Event(next) = next.unwrap() {
                        self.received.push(next.event.clone());
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// What it knows: the last event on each subject, and each event without one.
    fn knows(&self) -> BTreeMap<String, Event> {
        fold(&self.received)
    }
}

fn fold(events: &[Event]) -> BTreeMap<String, Event> {
    let key = |event: &Event| {
        event
            .kind
            .subject()
            .unwrap_or_else(|| event.seq.to_string())
    };
    events
        .iter()
        .map(|event| (key(event), event.clone()))
        .collect()
}

async fn play(store: &Store, happenings: Vec<Happening>) {
    let (project, run, _) = store
        .create_project(&UserId::local(), &NewPrompt::new("a").unwrap(), None, "a")
        .await
        .unwrap();
    let events = Events::new(store.clone());
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client {
            follower: events.follow(project.id, 0),
            received: Vec::new(),
        })
        .collect();
    let mut unannounced = Vec::new();
    for happening in happenings {
        match happening {
            Happening::Published(kind) => events
                .publish(project.id, Some(run.id), kind)
                .await
                .unwrap(),
            Happening::SavedOnly(kind) => unannounced.push(
                store
                    .append_event(project.id, Some(run.id), kind)
                    .await
                    .unwrap(),
            ),
            Happening::AnnouncedLate => events.announce(unannounced.pop().flatten()),
            Happening::Received { client, events } => clients[client].receive(events).await,
            Happening::Reconnected { client } => {
                let client = &mut clients[client];
                let last = client.received.last().map_or(0, |event| event.seq);
                client.follower = events.follow(project.id, last);
            }
        }
    }
    events.announce(unannounced.into_iter().flatten());
    // The last event, which everybody waits for.
    let title = || EventKind::Title {
        title: "end".to_owned(),
    };
    events
        .publish(project.id, Some(run.id), title())
        .await
        .unwrap();
    let saved = store.events_after(project.id, 0, 10_000).await.unwrap();
    for client in &mut clients {
        while client
            .received
            .last()
            .is_none_or(|event| event.kind != title())
        {
            if let FollowEvent::Event(next) = client.follower.next().await.unwrap() {
                client.received.push(next.event.clone());
            }
        }
        assert!(
            client.received.is_sorted_by(|one, next| one.seq < next.seq),
            "in order, none twice"
        );
        assert_eq!(client.knows(), fold(&saved), "nothing is missing");
    }
}

#[test]
fn any_interleaving_gives_every_client_the_same_ordered_sequence() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime
        .block_on(Store::open_file(&dir.path().join("db.sqlite")))
        .unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let played =
        TestRunner::new(config).run(&prop::collection::vec(happenings(), 1..100), |happenings| {
            runtime.block_on(play(&store, happenings));
            Ok(())
        });
    played.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(store.close());
}
