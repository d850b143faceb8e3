//! Building a template: its sources are in this binary; a build installs its packages in a
//! container like a sandbox's, starts its dev server once and keeps the cache.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;

use super::{
    builds::{Manifest, Template},
    lock::TemplatesLock,
    sources::{known, sources, version},
};
use crate::{
    config, e2b,
    sandbox_host::{
        containers::{Boot, Containers, USUAL_SHARES},
        disk::size_of_files,
        egress::Policy,
        first_page,
        names::random_id,
        running_container::RunningContainer,
        runtime::Home,
    },
};

/// A cache that has not grown for this long is complete.
const QUIET_PERIOD: Duration = Duration::from_secs(4);
/// How long the dev server may take to write its cache. It writes when it falls idle, and every two
/// minutes in any case.
const CACHE_TIMEOUT: Duration = Duration::from_secs(150);
/// A dev server that fell idle while it was writing notices only after its next request.
const REQUEST_INTERVAL: Duration = Duration::from_secs(10);

/// Builds the template from its sources, unless it is up to date. A failed or cancelled build
/// leaves the earlier one unchanged.
pub async fn build(
    settings: &config::SandboxHost,
    name: &str,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let sources = sources(name);
    if sources.is_empty() {
        bail!(
            "there is no template '{name}'; there is: {}",
            known().join(", ")
        );
    }
    let version = version(&sources).await?;
    let folder = settings.data_dir.join("templates").join(name);
    let is_ready =
        || Template::find(&settings.data_dir, name).is_some_and(|built| built.version == version);
    if is_ready() {
        tracing::info!(template = name, "the template is ready");
        return Ok(());
    }
    let _lock = TemplatesLock::acquire(&settings.data_dir, &format!("building template {name}"))?;
    // Another build may have finished a moment ago.
    if is_ready() {
        tracing::info!(template = name, "the template is ready");
        return Ok(());
    }

    // An earlier build, current once more: sandboxes may depend on it.
    if Template::find_version(&settings.data_dir, name, &version).is_some() {
        make_current(&folder, &version)?;
        tracing::info!(template = name, "the template is ready again");
        return Ok(());
    }

    let begun = Instant::now();
    let containers = Containers::prepare(settings.clone(), "build").await?;
    let staging = folder.join(".building");
    let built = tokio::select! {
        built = fill(&containers, &sources, name, &staging) => built,
        () = stop => Err(anyhow::anyhow!("it was stopped")),
    };
    containers.close().await;
    if let Err(error) = built {
        let _ = fs::remove_dir_all(&staging);
        return Err(error.context(format!("template {name} can't be built")));
    }

    let place = folder.join(&version);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::rename(&staging, &place)?;
    make_current(&folder, &version)?;
    tracing::info!(
        template = name,
        seconds = begun.elapsed().as_secs(),
        "the template is built"
    );
    Ok(())
}

/// Whether the template is built from this binary's sources and for this machine's Node.js.
pub async fn is_ready(data_dir: &Path, name: &str) -> anyhow::Result<bool> {
    let version = version(&sources(name)).await?;
    Ok(Template::find(data_dir, name).is_some_and(|built| built.version == version))
}

/// Creates a new folder with the complete template.
async fn fill(
    containers: &Containers,
    sources: &[(String, Vec<u8>)],
    name: &str,
    staging: &Path,
) -> anyhow::Result<()> {
    containers
        .runtime()
        .map_err(|fault| anyhow::anyhow!("{fault}"))?;
    if staging.exists() {
        fs::remove_dir_all(staging)?;
    }
    let home = staging.join("home");
    write_sources(containers, sources, &home).context("the template's sources can't be written")?;
    let manifest_json =
        fs::read(home.join("template.json")).context("the template has no template.json")?;
    fs::rename(home.join("template.json"), staging.join("template.json"))?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest_json).context("template.json can't be read")?;
    let work = staging.join("container");
    fs::create_dir(&work)?;
    prepare_home(containers, &manifest, name, &work, &home).await?;
    Ok(fs::remove_dir_all(&work)?)
}

/// Makes this the version that new sandboxes start from.
fn make_current(folder: &Path, version: &str) -> std::io::Result<()> {
    let part = folder.join("current.part");
    fs::write(&part, version)?;
    fs::rename(part, folder.join("current"))
}

fn write_sources(
    containers: &Containers,
    sources: &[(String, Vec<u8>)],
    home: &Path,
) -> anyhow::Result<()> {
    fs::create_dir_all(home)?;
    containers.give(home)?;
    for (path, content) in sources {
        let file = home.join(path);
        if let Some(parent) = Path::new(path).parent() {
            let mut folder = home.to_owned();
            for part in parent {
                folder.push(part);
                if !folder.exists() {
                    fs::create_dir(&folder)?;
                    containers.give(&folder)?;
                }
            }
        }
        fs::write(&file, content)?;
        containers.give(&file)?;
    }
    Ok(())
}

/// Installs the packages and starts the dev server once, in containers with the template itself as
/// their home.
async fn prepare_home(
    containers: &Containers,
    manifest: &Manifest,
    name: &str,
    work: &Path,
    home: &Path,
) -> anyhow::Result<()> {
    let id = random_id();
    let boot = |start| Boot {
        home: Home::Folder(home.to_owned()),
        start,
        envs: Vec::new(),
        policy: Policy::default(),
        shares: USUAL_SHARES,
    };
    if let Some(install) = &manifest.install {
        tracing::info!(
            template = name,
            command = install,
            "installing the template's packages (a minute or two, once)"
        );
        let container = containers.start(&id, work, boot(None)).await?;
        let installed = succeed(&container, install).await;
        containers.stop(&id, work, &container).await;
        installed?;
    }
    let Some(server) = &manifest.server else {
        return Ok(());
    };
    tracing::info!(
        template = name,
        "starting its dev server once, to fill the cache"
    );
    let container = containers
        .start(&id, work, boot(Some((server.start.clone(), server.port))))
        .await?;
    let shown = first_page::wait_for(&container, server.port).await;
    let shown = match shown {
        Ok(()) => Ok(()),
        Err(error) => Err(
            match run(&container, "tail -n 30 /tmp/dev-server.log").await {
                Ok((_, log)) => error.context(format!("its dev server said:\n{}", tail(&log))),
                Err(_) => error,
            },
        ),
    };
    if shown.is_ok()
        && let Some(cache) = &server.cache
        && !is_written(home.join(cache), &container, server.port).await
    {
        tracing::warn!(
            template = name,
            folder = cache,
            "its dev server wrote no cache: each sandbox compiles its first page anew"
        );
    }
    let warmed = match &server.warm {
        Some(warm) if shown.is_ok() => succeed(&container, warm).await,
        Some(_) | None => Ok(()),
    };
    containers.stop(&id, work, &container).await;
    shown.and(warmed)
}

/// Waits until the cache has grown and is at rest; false when that does not happen in time.
async fn is_written(cache: PathBuf, container: &RunningContainer, port: u16) -> bool {
    let written = async {
        let first = size(&cache).await;
        let (mut last, mut since) = (first, Instant::now());
        let mut asked = Instant::now();
        while last <= first || since.elapsed() < QUIET_PERIOD {
            tokio::time::sleep(QUIET_PERIOD / 8).await;
            if last <= first && asked.elapsed() > REQUEST_INTERVAL {
                // Whether it answers does not matter: the cache shows it.
                first_page::wait_for(container, port).await.ok();
                asked = Instant::now();
            }
            let now = size(&cache).await;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    };
    tokio::time::timeout(CACHE_TIMEOUT, written).await.is_ok()
}

async fn size(folder: &Path) -> u64 {
    let folder = folder.to_owned();
    let size = tokio::task::spawn_blocking(move || size_of_files(&folder));
    size.await.unwrap_or_default()
}

/// Runs a command in the container; errors when it does.
async fn succeed(container: &RunningContainer, command: &str) -> anyhow::Result<()> {
    match run(container, command).await? {
        (0, _) => Ok(()),
        (code, output) => bail!("'{command}' ended with {code}:\n{}", tail(&output)),
    }
}

/// Runs a command in the container and returns its exit code and output.
async fn run(container: &RunningContainer, command: &str) -> anyhow::Result<(i32, Vec<u8>)> {
    let start = serde_json::json!({ "process": { "cmd": "/bin/bash", "args": ["-l", "-c", command] }, "stdin": false });
    let request = Request::builder()
        .method(Method::POST)
        .uri("/process.Process/Start")
        .header(header::HOST, "envd")
        .header(header::CONTENT_TYPE, e2b::STREAM)
        .body(Body::from(e2b::frame(0, start.to_string().as_bytes())))?;
    let mut body = container.request(request).await?.into_body();
    let (mut buffer, mut output, mut code) = (bytes::BytesMut::new(), Vec::new(), None);
    while let Some(piece) = body.frame().await {
        if let Ok(piece) = piece?.into_data() {
            buffer.extend_from_slice(&piece);
        }
        while let Some(frame) = e2b::take_frame(&mut buffer)? {
            let message: serde_json::Value = serde_json::from_slice(&frame.message)?;
            let event = &message["event"];
            for name in ["stdout", "stderr"] {
                if let Some(text) = event["data"][name].as_str() {
                    output.extend(STANDARD.decode(text)?);
                }
            }
            if event["end"].is_object() {
                code = Some(
                    i32::try_from(event["end"]["exitCode"].as_i64().unwrap_or(0)).unwrap_or(-1),
                );
            }
        }
    }
    Ok((
        code.context("the command's container ended before it")?,
        output,
    ))
}

/// The end of a command's output, for an error.
fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
