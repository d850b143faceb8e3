//! `codeflow doctor`: finds leftovers and losses in the database, the bucket and the data folder,
//! and repairs them with `--fix`. What may be somebody's work is left alone.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context, bail};

use super::{
    database::{DataLock, open_as_it_is},
    shelf::Shelf,
};
use crate::{
    agent::{INSTALLATION, PROJECT},
    config::{self, Database, Env, ObjectStorage},
    sandbox_host::leftovers::{self, KilledHost},
    store::{BlobHash, BlobShelf as _, LostFile, Store},
};

/// How many blobs are removed per batch.
const BLOBS_AT_A_TIME: u64 = 200;
/// A younger sandbox may still become its project's.
const YOUNGEST: Duration = Duration::from_secs(3600);
/// How many lost files are named.
const NAMED: usize = 10;

/// Reports what was found, or with `fix` what was repaired, line by line. Lost contents of versions
/// are taken from the backup, if it has them. Repairing requires the server to be stopped.
pub async fn doctor(env: &Env, fix: bool, backup: Option<&Path>) -> anyhow::Result<String> {
    let settings = config::Server::from_env(env)?;
    if let Database::File(path) = &settings.database
        && !path.exists()
    {
        bail!("there is no database at {}", path.display());
    }
    let _lock = fix
        .then(|| DataLock::take(&settings.data_dir))
        .transpose()?;
    let bucket = ObjectStorage::from_env(env)?;
    let store = open_as_it_is(&settings.database).await?;
    let looked = async {
        if !store.is_current().await? {
            bail!("the database is of an earlier version; codeflow migrate brings it up to date");
        }
        let store = store.clone().with_known_bucket(bucket.as_ref()).await?;
        let mut report = String::new();
        let differences = store.compare_with_bucket().await?;
        let shelf = backup.map(Shelf::of);
        let files = store.files_with(&differences.lost).await?;
        let mut pictures = differences.lost;
        for file in &files {
            pictures.remove(&file.hash);
        }
        lost_files(&store, fix, shelf.as_ref(), files, &mut report).await?;
        lost_pictures(&store, fix, shelf.as_ref(), &pictures, &mut report).await?;
        strays(&store, fix, differences.stray, &mut report).await?;
        blobs(&store, fix, &mut report).await?;
        sandboxes(&store, &settings.data_dir, fix, &mut report).await?;
        stale(&settings.data_dir, fix, &mut report)?;
        killed(&settings.data_dir, fix, &mut report).await?;
        Ok(report)
    };
    let report = looked.await;
    store.close().await;
    let mut report = report?;
    if report.is_empty() {
        return Ok("nothing is left over, and nothing is missing".to_owned());
    }
    if !fix {
        report.push_str("Nothing was changed; stop the server and add --fix to mend this.");
    }
    Ok(report.trim_end().to_owned())
}

/// Files of versions whose contents are gone: from the database, and these from the bucket.
async fn lost_files(
    store: &Store,
    fix: bool,
    shelf: Option<&Shelf>,
    from_bucket: Vec<LostFile>,
    report: &mut String,
) -> anyhow::Result<()> {
    let mut lost = store.lost_files().await?;
    lost.extend(from_bucket);
    let content = |file: &LostFile| shelf?.get(file.hash.as_str()).ok();
    let (found, gone): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|file| content(file).is_some());
    for (files, what) in [
        (
            &found,
            "their contents are in the backup, and --fix puts them back",
        ),
        (
            &gone,
            "their contents are gone; --fix takes them from their versions, which are then \
             incomplete",
        ),
    ] {
        if files.is_empty() {
            continue;
        }
        writeln!(report, "{} files of versions: {what}", files.len())?;
        for file in files.iter().take(NAMED) {
            let LostFile {
                project,
                version,
                path,
                ..
            } = file;
            writeln!(report, "  {path} of version {version} of project {project}")?;
        }
    }
    if fix {
        for file in &found {
            if let Some(content) = content(file) {
                store.put_back(&file.hash, &content).await?;
            }
        }
        if !gone.is_empty() {
            store.forget_files(&gone).await?;
        }
    }
    Ok(())
}

/// Pictures and images whose objects are missing from the bucket.
async fn lost_pictures(
    store: &Store,
    fix: bool,
    shelf: Option<&Shelf>,
    lost: &BTreeSet<BlobHash>,
    report: &mut String,
) -> anyhow::Result<()> {
    let (mut found, mut gone) = (0, 0);
    for hash in lost {
        match shelf.and_then(|shelf| shelf.get(hash.as_str()).ok()) {
            Some(content) => {
                found += 1;
                if fix {
                    store.put_back(hash, &content).await?;
                }
            }
            None => gone += 1,
        }
    }
    if found > 0 {
        writeln!(
            report,
            "{found} pictures and images whose objects are missing: they are in the backup, and \
             --fix puts them back"
        )?;
    }
    if gone > 0 {
        writeln!(
            report,
            "{gone} pictures and images whose objects are missing: they are gone"
        )?;
    }
    Ok(())
}

/// Objects in the bucket that nothing names.
async fn strays(
    store: &Store,
    fix: bool,
    stray: Vec<BlobHash>,
    report: &mut String,
) -> anyhow::Result<()> {
    if stray.is_empty() {
        return Ok(());
    }
    writeln!(
        report,
        "{} objects in the bucket that nothing names: {}",
        stray.len(),
        if fix {
            "the server removes them a day from now"
        } else {
            removed(fix)
        }
    )?;
    if fix {
        store.leave_to_sweep(stray).await?;
    }
    Ok(())
}

fn removed(fix: bool) -> &'static str {
    if fix { "removed" } else { "would be removed" }
}

async fn blobs(store: &Store, fix: bool, report: &mut String) -> anyhow::Result<()> {
    let unused = store.count_unused_blobs().await?;
    if unused > 0 {
        writeln!(
            report,
            "{unused} blobs that no version and no image has: {}",
            removed(fix)
        )?;
    }
    while fix && store.remove_unused_blobs(BLOBS_AT_A_TIME).await? > 0 {}
    Ok(())
}

/// Folders of sandboxes that were never finished, or whose project is gone or has another one.
async fn sandboxes(
    store: &Store,
    data_dir: &Path,
    fix: bool,
    report: &mut String,
) -> anyhow::Result<()> {
    let (needed, ours) = (
        store.sandboxes_of_projects().await?,
        store.installation_if_any().await?,
    );
    let folders = leftovers::folders(data_dir).context("the sandboxes' folders can't be read")?;
    for folder in folders {
        let why = match &folder.sandbox {
            None => "was never finished",
            Some(sandbox) => {
                let metadata = &sandbox.metadata;
                let installation = metadata.get(INSTALLATION);
                let is_ours = installation.is_none() || installation == ours.as_ref();
                let is_of_project = metadata.contains_key(PROJECT);
                let is_kept = needed.contains(&sandbox.id) || sandbox.age < YOUNGEST;
                if is_kept || !is_ours || !is_of_project {
                    continue;
                }
                "is of no project"
            }
        };
        writeln!(
            report,
            "sandbox {} {why}: {}",
            folder.path.display(),
            removed(fix)
        )?;
        if fix {
            leftovers::remove(&folder.path)
                .with_context(|| format!("{} can't be removed", folder.path.display()))?;
        }
    }
    Ok(())
}

fn stale(data_dir: &Path, fix: bool, report: &mut String) -> anyhow::Result<()> {
    for path in leftovers::stale_files(data_dir).context("the data folder can't be read")? {
        writeln!(
            report,
            "{} was left half-written: {}",
            path.display(),
            removed(fix)
        )?;
        if fix {
            leftovers::remove(&path)
                .with_context(|| format!("{} can't be removed", path.display()))?;
        }
    }
    Ok(())
}

/// Processes that a killed server of this data folder left running.
async fn killed(data_dir: &Path, fix: bool, report: &mut String) -> anyhow::Result<()> {
    for host in KilledHost::of(data_dir) {
        let folder = host.folder().display().to_string();
        writeln!(
            report,
            "{folder} and containers are of a server that was killed: {}",
            removed(fix)
        )?;
        if fix {
            let removed = host.remove().await;
            removed.with_context(|| format!("what {folder} is of can't be ended"))?;
        }
    }
    Ok(())
}
