//! The showcase: finished apps that a project can start from, with any model.

use super::{ProjectError, Projects};
use crate::{
    agent::recorded_apps,
    protocol::{AppEntry, Project, ShowcaseApp},
    store::NewFragment,
};

/// The maximum number of shared apps in the list, latest first.
const MAX_SHARED: u64 = 24;

impl Projects {
    /// The apps of the showcase: those that come with CodeFlow, then those that users shared.
    pub async fn showcase(&self) -> Result<Vec<ShowcaseApp>, ProjectError> {
        let apps = recorded_apps().map_err(ProjectError::Internal)?.into_iter();
        let apps = apps.map(|app| ShowcaseApp {
            slug: app.slug,
            title: app.title,
            description: app.description,
            category: app.category,
            prompt: app.prompt,
            shared: None,
        });
        let shared = self
            .inner
            .store
            .listed_shares(MAX_SHARED)
            .await?
            .into_iter();
        let shared = shared.map(|app| ShowcaseApp {
            shared: Some(match app.has_picture {
                true => format!("/s/{}/picture", app.slug),
                false => "/social.png".to_owned(),
            }),
            slug: app.slug,
            title: app.title,
            description: "Shared by its maker. Open it, or make your own from it.".to_owned(),
            category: app.category,
            prompt: String::new(),
        });
        Ok(apps.chain(shared).collect())
    }

    /// A new project with the files of a showcase app, or `NotFound`.
    pub async fn start_from(&self, slug: &str) -> Result<Project, ProjectError> {
        let mut apps = recorded_apps().map_err(ProjectError::Internal)?.into_iter();
        let app = apps.find(|app| app.slug == slug);
        let app = app.ok_or(ProjectError::NotFound("app"))?;
        let entries = app
            .files()
            .map(|(path, content)| AppEntry::file(path, content));
        let new = NewFragment {
            project_title: app.title.clone(),
            title: app.title.clone(),
            entries: entries.collect(),
            partial: true,
            picture: None,
        };
        let store = &self.inner.store;
        Ok(store
            .create_ready_project(self.user()?, &app.prompt, &app.summary, &new)
            .await?)
    }
}
