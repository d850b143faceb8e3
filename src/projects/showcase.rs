//! The showcase: apps that were built before, which a project can start from with any model.

use super::{ProjectError, Projects};
use crate::{
    agent::recorded_apps,
    protocol::{AppEntry, Project, ShowcaseApp},
    store::NewFragment,
};

impl Projects {
    /// The apps of the showcase.
    pub fn showcase(&self) -> Result<Vec<ShowcaseApp>, ProjectError> {
        let apps = recorded_apps().map_err(ProjectError::Internal)?.into_iter();
        Ok(apps
            .map(|app| ShowcaseApp {
                slug: app.slug,
                title: app.title,
                description: app.description,
                category: app.category,
                prompt: app.prompt,
            })
            .collect())
    }

    /// A new project with the files of an app of the showcase, or `NotFound`.
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
