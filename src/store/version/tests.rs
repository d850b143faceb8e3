//! Versions are counted, grown, restored and named as their users expect.

use super::*;
use crate::{
    protocol::{AppEntry, NewPrompt, UserId},
    store::testing::with_project,
};

fn new(title: &str, files: &[(&str, &str)]) -> NewFragment {
    let entries = files
        .iter()
        .map(|(path, content)| AppEntry::file(*path, content.as_bytes().to_vec()));
    NewFragment {
        project_title: String::new(),
        title: title.to_owned(),
        entries: entries.collect(),
        partial: false,
        picture: None,
    }
}

async fn paths(store: &Store, project: ProjectId, id: FragmentId) -> Vec<String> {
    let version = store.find_version(project, id).await.unwrap();
    let texts = version.entries.into_iter().map(|entry| {
        let content = String::from_utf8_lossy(entry.content()).into_owned();
        format!("{}={content}", entry.path)
    });
    texts.collect()
}

#[tokio::test]
async fn a_sitting_is_one_version_and_restoring_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, project, run) = with_project(&folder).await;
    let id = project.id;
    let prompt = NewPrompt::new("Build").unwrap();
    let save = async |new: &NewFragment, grows| store.save_version(id, new, grows).await.unwrap();

    let (first, _) = save(&new("One", &[("a", "1")]), None).await.unwrap();
    assert_eq!(
        (first.number, first.author, first.changed),
        (1, Author::You, Some(1))
    );
    assert!(save(&new("Same", &[("a", "1")]), None).await.is_none());
    let (second, _) = save(&new("Two", &[("a", "2")]), None).await.unwrap();
    let grown = new("Two, too", &[("a", "2"), ("b", "2"), ("c", "2")]);
    let (grown, events) = save(&grown, Some(second.id)).await.unwrap();
    assert_eq!(
        (grown.id, grown.number, grown.changed),
        (second.id, 2, Some(3))
    );
    assert_eq!((grown.title.as_str(), events.len()), ("Two, too", 1));
    // Only the latest grows.
    let (third, _) = save(&new("Three", &[("a", "3")]), Some(first.id))
        .await
        .unwrap();
    assert_eq!(third.number, 3);

    let refused = store
        .restore_version(id, first.id, &new("", &[("a", "3")]), &UserId::local())
        .await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "the run has not ended"
    );
    store.abandon_run(run.id).await.unwrap();
    let unsaved = new("Unsaved", &[("a", "4")]);
    let (restored, events) = store
        .restore_version(id, first.id, &unsaved, &UserId::local())
        .await
        .unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(
        (
            restored.number,
            restored.author,
            restored.restored,
            restored.title.as_str()
        ),
        (5, Author::Restore, Some(1), "One")
    );
    assert_eq!(store.restoring(id).await.unwrap(), Some(restored.id));
    store.restored(id, first.id).await.unwrap();
    assert_eq!(
        store.restoring(id).await.unwrap(),
        Some(restored.id),
        "another one"
    );
    store.restored(id, restored.id).await.unwrap();
    assert_eq!(store.restoring(id).await.unwrap(), None);

    let versions = store.list_versions(id).await.unwrap();
    let mut all = Vec::new();
    for version in &versions {
        all.push((
            version.number,
            paths(&store, id, version.id).await.join(" "),
        ));
    }
    let expected = [
        (5, "a=1"),
        (4, "a=4"),
        (3, "a=3"),
        (2, "a=2 b=2 c=2"),
        (1, "a=1"),
    ];
    assert_eq!(
        all,
        expected.map(|(number, files)| (number, files.to_owned()))
    );
    let stranger = store
        .create_project(&UserId::local(), &prompt, None, "Other")
        .await
        .unwrap()
        .0
        .id;
    let foreign = store
        .restore_version(stranger, first.id, &unsaved, &UserId::local())
        .await;
    assert!(foreign.is_err());
    assert!(store.find_version(stranger, first.id).await.is_err());
    store.close().await;
}

#[tokio::test]
async fn a_project_that_its_user_named_keeps_its_title() {
    let folder = tempfile::tempdir().unwrap();
    let (store, project, run) = with_project(&folder).await;
    let event = store.rename_project(project.id, "Mine").await.unwrap();
    assert!(event.is_some());
    let reply = super::super::Reply::Result {
        content: "Done".to_owned(),
        fragment: NewFragment {
            project_title: "The run's".to_owned(),
            ..new("One", &[("a", "1")])
        },
        journeys: Vec::new(),
    };
    store.finish_run(run.id, &reply).await.unwrap();
    assert_eq!(store.find_project(project.id).await.unwrap().title, "Mine");
    let versions = store.list_versions(project.id).await.unwrap();
    assert_eq!(versions[0].author, Author::Agent);
    store.close().await;
}
