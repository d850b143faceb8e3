//! The recordings as data: `recordings/<slug>/recording.json`, with the files that its calls write
//! beside it, in the folder `build` and in one per follow-up. Files that a follow-up writes
//! identically in every app are in `recordings/shared/<follow-up>`.

use anyhow::Context;
use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "src/llm/demo/recordings/"]
struct Files;

/// All recordings, in the order of their slugs.
pub struct Recordings {
    all: Vec<Recording>,
}

/// A recorded build and its follow-ups.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recording {
    #[serde(skip)]
    pub slug: String,
    pub title: String,
    /// A one-sentence description and a category, for the showcase.
    pub description: String,
    pub category: String,
    pub prompt: String,
    /// Another prompt matches when it has every word of one of these groups.
    pub keywords: Vec<Vec<String>>,
    pub turns: Vec<Turn>,
    pub follow_ups: Vec<FollowUp>,
}

/// A recorded change of the built app.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowUp {
    pub slug: String,
    pub title: String,
    pub prompt: String,
    pub keywords: Vec<Vec<String>>,
    pub turns: Vec<Turn>,
}

/// One answer of the model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    pub say: String,
    #[serde(default)]
    pub calls: Vec<Call>,
    /// The summary, in the last turn.
    #[serde(default)]
    pub summary: Option<String>,
}

/// A tool call.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Call {
    /// `createOrUpdateFiles` with contents from beside the recording, or `readFiles`.
    Files { tool: String, files: Vec<String> },
    Plain {
        tool: String,
        arguments: serde_json::Value,
    },
}

/// A recorded build's app.
#[derive(Debug)]
pub struct RecordedApp {
    pub slug: String,
    pub title: String,
    pub description: String,
    pub category: String,
    pub prompt: String,
    /// The model's summary.
    pub summary: String,
}

impl RecordedApp {
    /// The files that are not in the template, by their paths in the app.
    pub fn files(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let folder = format!("{}/build/", self.slug);
        Files::iter().filter_map(move |path| {
            let inside = path.strip_prefix(&folder)?.to_owned();
            Some((inside, Files::get(&path)?.data.into_owned()))
        })
    }
}

/// The apps of all recorded builds. Fails if a recording can't be read, which is a fault of the
/// build.
pub fn recorded_apps() -> anyhow::Result<Vec<RecordedApp>> {
    let apps = Recordings::load()?.all.into_iter().map(|recording| {
        let summary = recording.turns.into_iter().find_map(|turn| turn.summary);
        RecordedApp {
            summary: summary.unwrap_or_default(),
            slug: recording.slug,
            title: recording.title,
            description: recording.description,
            category: recording.category,
            prompt: recording.prompt,
        }
    });
    Ok(apps.collect())
}

impl Recordings {
    /// Fails if a recording can't be read, which is a fault of the build.
    pub fn load() -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for path in Files::iter() {
            let Some(slug) = path.strip_suffix("/recording.json") else {
                continue;
            };
            let file =
                Files::get(&path).with_context(|| format!("the recording {path} is missing"))?;
            let mut recording: Recording = serde_json::from_slice(&file.data)
                .with_context(|| format!("the recording {path} can't be read"))?;
            recording.slug = slug.to_owned();
            all.push(recording);
        }
        // The todo app, which the README names, comes first in lists.
        all.sort_by_key(|recording| (recording.slug != "todo-app", recording.slug.clone()));
        Ok(Self { all })
    }

    pub(super) fn all(&self) -> &[Recording] {
        &self.all
    }

    /// The content of a file of a build (`<slug>/build`) or a follow-up (`<slug>/<follow-up>`);
    /// empty if it is missing, which a test rules out.
    pub(super) fn content(&self, folder: &str, path: &str) -> String {
        let part = folder.rsplit('/').next().unwrap_or_default();
        let file = Files::get(&format!("{folder}/{path}"))
            .or_else(|| Files::get(&format!("shared/{part}/{path}")));
        file.map(|file| String::from_utf8_lossy(&file.data).into_owned())
            .unwrap_or_default()
    }
}
