//! Contents in the bucket as the store has them, on SQLite and on PostgreSQL: written before their
//! rows, checked when they are read, deleted long after their rows, and moved.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use codeflow::{
    protocol::{AppEntry, ProjectId, UserId},
    store::{NewFragment, Store, StoreError},
};
use reqwest::Method;

use super::{execute, number, settings};
use crate::support::{Postgres, S3, s3::Fault};

const SWEPT: Duration = Duration::from_secs(25 * 3600);

fn version(files: &[(&str, &str)], picture: Option<&[u8]>) -> NewFragment {
    let entries = files
        .iter()
        .map(|(path, content)| AppEntry::file(*path, content.as_bytes().to_vec()));
    NewFragment {
        project_title: "App".to_owned(),
        title: "App".to_owned(),
        entries: entries.collect(),
        partial: false,
        picture: picture.map(Into::into),
    }
}

async fn project(store: &Store, new: &NewFragment) -> ProjectId {
    let local = UserId::local();
    let made = store.create_ready_project(&local, "Build", "Done", new);
    made.await.unwrap().id
}

/// The files of the project's latest version.
async fn files(store: &Store, project: ProjectId) -> BTreeMap<String, Vec<u8>> {
    let version = store.latest_version(project).await.unwrap().unwrap();
    let entries = version.entries.into_iter();
    entries
        .map(|entry| (entry.path.clone(), entry.content().to_vec()))
        .collect()
}

async fn remove(store: &Store, project: ProjectId) {
    store
        .delete_project(&UserId::local(), project)
        .await
        .unwrap();
    let deleted = store.deleted_projects().await.unwrap()[0];
    assert!(store.begin_removal(deleted).await.unwrap());
    store.remove_project(project).await.unwrap();
    while store.remove_unused_blobs(100).await.unwrap() > 0 {}
}

/// Makes loose objects a day older.
async fn a_day_later(url: &str) {
    let millis = SWEPT.as_millis();
    execute(
        url,
        &format!("UPDATE loose_objects SET since = since - {millis}"),
    )
    .await;
}

async fn in_database(url: &str) -> i64 {
    number(
        url,
        "SELECT count(*) FROM blobs WHERE NOT in_bucket AND size > 0",
    )
    .await
}

async fn loose(url: &str) -> i64 {
    number(url, "SELECT count(*) FROM loose_objects WHERE state < 3").await
}

/// The databases that this is tried on.
async fn on_both(test: impl AsyncFn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    test(&format!("sqlite:{}", folder.path().join("a.db").display())).await;
    let postgres = Postgres::start().await;
    test(&postgres.url).await;
}

async fn open(url: &str, s3: &S3) -> Store {
    let store = Store::open(url).await.unwrap();
    store.with_bucket(Some(&settings(&s3.env()))).await.unwrap()
}

#[tokio::test]
async fn contents_are_written_several_at_a_time_and_what_is_lost_or_changed_is_that_file_alone() {
    on_both(async |url| {
        let s3 = S3::start().await;
        let store = open(url, &s3).await;
        let names: Vec<_> = (0..60)
            .map(|number| format!("file-{number:02}.txt"))
            .collect();
        let mut all: Vec<_> = names.iter().map(|name| (&**name, &**name)).collect();
        all.extend([("empty.txt", ""), ("same.txt", "file-00.txt")]);
        let new = version(&all, Some(b"a picture"));
        let id = project(&store, &new).await;
        assert!(
            (2..=16).contains(&s3.most_at_once()),
            "{}",
            s3.most_at_once()
        );
        assert_eq!(s3.contents().len(), 61);
        assert!(s3.has(b"a picture") && s3.has(b"file-59.txt"));
        assert_eq!((in_database(url).await, loose(url).await), (0, 0));
        let bytes = number(url, "SELECT sum(length(content)) FROM blobs").await;
        assert_eq!(bytes, 0);
        assert_eq!(files(&store, id).await.len(), 62);

        // Lists and copies need no object.
        s3.asked();
        assert_eq!(store.list_versions(id).await.unwrap().len(), 1);
        assert_eq!(store.latest_paths(id).await.unwrap().len(), 62);
        let copy = store.duplicate_project(&UserId::local(), id).await.unwrap();
        assert_eq!(s3.asked(), []);
        // What is there already is not written again.
        let again = project(&store, &new).await;
        assert!(!s3.asked().iter().any(|asked| asked.method == Method::PUT));
        assert_eq!(files(&store, copy.id).await, files(&store, again).await);

        s3.flip(b"file-07.txt");
        s3.lose(b"file-08.txt");
        for path in ["file-07.txt", "file-08.txt"] {
            let lost = store.latest_file(id, path).await;
            assert!(matches!(lost, Err(StoreError::LostContent(_))), "{lost:?}");
        }
        let kept = store.latest_file(id, "file-09.txt").await.unwrap();
        assert_eq!(kept.unwrap(), b"file-09.txt");
        let read = files(&store, id).await;
        assert_eq!(read.len(), 60);
        assert!(!read.contains_key("file-07.txt"));
        assert_eq!(store.compare_with_bucket().await.unwrap().lost.len(), 1);

        // A bucket that does not answer loses nothing: the version is not read at all.
        s3.fail(Some(Method::GET), Fault::Refused(503, "SlowDown"), 1000);
        let down = store.latest_version(id).await;
        assert!(matches!(down, Err(StoreError::Bucket(_))), "{down:?}");
        let line = down.unwrap_err().to_string();
        assert!(
            line.contains("S3_ENDPOINT=http") && line.contains("SlowDown"),
            "{line}"
        );
        s3.heal();
        // A slow one is read from at many places at once.
        s3.fail(
            Some(Method::GET),
            Fault::Slow(Duration::from_millis(200)),
            1000,
        );
        let begun = Instant::now();
        assert_eq!(files(&store, id).await.len(), 60);
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "{:?}",
            begun.elapsed()
        );
        s3.heal();
        // Short faults are not noticed.
        for fault in [Fault::Refused(500, "InternalError"), Fault::Reset] {
            s3.fail(None, fault, 2);
            assert_eq!(files(&store, id).await.len(), 60);
        }
        s3.fail(Some(Method::PUT), Fault::Reset, 2);
        project(&store, &version(&[("late.txt", "late")], None)).await;
        assert!(s3.has(b"late"));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_object_goes_a_day_after_its_last_row_and_never_while_it_is_wanted() {
    on_both(async |url| {
        let s3 = S3::start().await;
        let store = open(url, &s3).await;
        let new = version(
            &[("a.txt", "wanted again"), ("b.txt", "wanted no more")],
            None,
        );
        let first = project(&store, &new).await;
        remove(&store, first).await;
        assert_eq!((s3.contents().len(), loose(url).await), (2, 2));
        assert_eq!(store.remove_loose_objects(100).await.unwrap(), 0);
        assert_eq!(s3.contents().len(), 2, "not before a day has passed");
        a_day_later(url).await;

        // Saved again at the last moment: it is not written again, and stays.
        s3.asked();
        let again = version(&[("a.txt", "wanted again")], None);
        let second = project(&store, &again).await;
        assert!(!s3.asked().iter().any(|asked| asked.method == Method::PUT));
        assert_eq!(store.remove_loose_objects(100).await.unwrap(), 1);
        assert!(s3.has(b"wanted again") && !s3.has(b"wanted no more"));
        assert_eq!(loose(url).await, 0);
        assert_eq!(files(&store, second).await["a.txt"], b"wanted again");

        // Wanted while it is being deleted: the database keeps it meanwhile.
        remove(&store, second).await;
        a_day_later(url).await;
        s3.fail(
            Some(Method::POST),
            Fault::Refused(400, "InvalidRequest"),
            100,
        );
        let refused = store.remove_loose_objects(100).await;
        assert!(matches!(refused, Err(StoreError::Bucket(_))), "{refused:?}");
        s3.heal();
        let third = project(&store, &again).await;
        assert_eq!(in_database(url).await, 1);
        assert_eq!(store.remove_loose_objects(100).await.unwrap(), 1);
        assert!(!s3.has(b"wanted again"));
        assert_eq!(files(&store, third).await["a.txt"], b"wanted again");
        // A request to delete it may arrive late, so it is not written again at once.
        assert_eq!(store.move_to_bucket().await.unwrap(), 0);
        a_day_later(url).await;
        assert_eq!(store.remove_loose_objects(100).await.unwrap(), 0);
        assert_eq!(store.move_to_bucket().await.unwrap(), 1);
        assert!(s3.has(b"wanted again"));
        assert_eq!((in_database(url).await, loose(url).await), (0, 0));
        assert_eq!(files(&store, third).await["a.txt"], b"wanted again");

        // A save that fails half-way leaves loose objects, and the next one succeeds.
        s3.fail(Some(Method::PUT), Fault::Refused(403, "AccessDenied"), 1);
        let new = version(&[("c.txt", "c"), ("d.txt", "d")], None);
        let local = UserId::local();
        let failed = store.create_ready_project(&local, "Build", "Done", &new);
        let line = failed.await.unwrap_err().to_string();
        assert!(line.contains("S3_ACCESS_KEY (not shown)"), "{line}");
        assert_eq!(loose(url).await, 2);
        project(&store, &new).await;
        assert!(s3.has(b"c") && s3.has(b"d"));
        assert_eq!(loose(url).await, 0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_is_set_later_is_used_beside_the_database_and_contents_move_to_it() {
    on_both(async |url| {
        let s3 = S3::start().await;
        let store = Store::open(url).await.unwrap();
        let store = store.with_bucket(None).await.unwrap();
        let old = version(&[("a.txt", "old"), ("empty.txt", "")], Some(b"a picture"));
        let first = project(&store, &old).await;
        let before = files(&store, first).await;
        store.close().await;
        assert_eq!(s3.contents().len(), 0);

        let store = open(url, &s3).await;
        assert_eq!(files(&store, first).await, before);
        let both = version(&[("a.txt", "old"), ("b.txt", "new")], None);
        let second = project(&store, &both).await;
        assert_eq!((in_database(url).await, s3.contents().len()), (2, 1));
        assert_eq!(files(&store, second).await.len(), 2);

        s3.fail(Some(Method::PUT), Fault::Refused(403, "AccessDenied"), 1);
        assert!(store.move_to_bucket().await.is_err());
        assert_eq!(files(&store, second).await.len(), 2);
        assert_eq!(store.move_to_bucket().await.unwrap(), 2);
        assert_eq!(store.move_to_bucket().await.unwrap(), 0);
        assert_eq!((in_database(url).await, s3.contents().len()), (0, 3));
        assert_eq!(files(&store, first).await, before);
        assert_eq!(files(&store, second).await["a.txt"], b"old");
        let differences = store.compare_with_bucket().await.unwrap();
        assert!(differences.lost.is_empty() && differences.stray.is_empty());
        store.close().await;

        // Without it, and with another one, what is missing is said.
        let refused = async |bucket| {
            let store = Store::open(url).await.unwrap();
            let refused = store.with_bucket(bucket).await;
            refused.unwrap_err().to_string()
        };
        let line = refused(None).await;
        assert!(
            line.starts_with("S3_BUCKET is not set: the contents of 3 files and images"),
            "{line}"
        );
        let other = S3::start().await;
        let others = settings(&other.env());
        let line = refused(Some(&others)).await;
        assert!(
            line.contains("S3_BUCKET=codeflow-files: the contents of 3 files"),
            "{line}"
        );
        other.put("codeflow-installation", b"somebody else's".to_vec());
        let line = refused(Some(&others)).await;
        assert!(line.contains("is that of another installation"), "{line}");
    })
    .await;
}
