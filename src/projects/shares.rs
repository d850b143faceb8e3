//! Sharing: the owner gives a project a public link. Whoever has it sees one version of the app in
//! a sandbox of the share's own, reads its files if that is allowed, and can remix it. A wrong slug
//! reveals nothing.

use std::net::IpAddr;

use super::{ImageContent, ProjectError, Projects, files::viewed};
use crate::{
    accounts::Token,
    agent::{FIRST_PAGE, recorded_apps},
    protocol::{
        AppNode, FragmentId, Project, ProjectId, Share, ShareState, SharedApp, SharedSource,
    },
    store::{FileKind, OpenShare},
};

impl Projects {
    /// How the project is shared, and how it could be.
    pub async fn share(&self, project: ProjectId) -> Result<ShareState, ProjectError> {
        self.expect_owner(project).await?;
        let store = &self.inner.store;
        let share = store.share_of(project).await?;
        let version = match share.as_ref().and_then(|share| share.version) {
            Some(id) => Some(store.find_version(project, id).await?.fragment),
            None => store.newest_version(project).await?,
        };
        Ok(ShareState {
            share,
            version: version.map(|version| (version.id, version.number)),
            categories: categories()?,
        })
    }

    /// Shares the project, or changes how it is shared; the link stays the same. `Conflict` while
    /// there is no version.
    pub async fn set_share(
        &self,
        project: ProjectId,
        version: Option<FragmentId>,
        source: bool,
        category: Option<String>,
    ) -> Result<Share, ProjectError> {
        self.expect_owner(project).await?;
        let category = category.filter(|category| !category.is_empty());
        if let Some(category) = &category
            && !categories()?.contains(category)
        {
            return Err(ProjectError::Invalid {
                field: "category",
                why: "Choose one of the showcase's categories.".to_owned(),
            });
        }
        let share = Share {
            slug: Token::new().expose().to_owned(),
            version,
            source,
            category,
        };
        let store = &self.inner.store;
        let share = store.set_share(project, share).await?;
        let shown = store.find_share(&share.slug).await?.fragment.id;
        self.inner.shared.end(project, Some(shown)).await;
        tracing::info!(project.id = %project, "project shared");
        Ok(share)
    }

    /// Makes the project private: its link stops working, and its visitors are disconnected.
    pub async fn end_share(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        self.inner.store.end_share(project).await?;
        self.inner.shared.end(project, None).await;
        tracing::info!(project.id = %project, "project is private");
        Ok(())
    }

    /// The shared app's current state; its sandbox is created or woken. Pages repeat the call while
    /// a visitor, identified by this address, looks. `TooMany` if that costs too much; the owner is
    /// never limited.
    pub async fn open_share(
        &self,
        slug: &str,
        visitor: Option<IpAddr>,
    ) -> Result<SharedApp, ProjectError> {
        let shared = self.find_share(slug, visitor).await?;
        let (views, visits) = (&self.inner.shared, &self.inner.visits);
        let id = shared.fragment.id;
        let is_owner = self.user().is_ok_and(|user| *user == shared.owner);
        if !is_owner {
            visits.look(shared.project)?;
            if let Some(visitor) = visitor
                && !views.is_open(id)
            {
                visits.start(visitor)?;
            }
        }
        Ok(SharedApp {
            preview: views.look(shared.project, id).await?,
            title: shared.title,
            version: shared.fragment.number,
            source: shared.source,
            picture: shared.picture.is_some(),
        })
    }

    async fn find_share(
        &self,
        slug: &str,
        visitor: Option<IpAddr>,
    ) -> Result<OpenShare, ProjectError> {
        if let Some(visitor) = visitor {
            self.inner.visits.ask(visitor)?;
        }
        Ok(self.inner.store.find_share(slug).await?)
    }

    /// The files of the shared app, and the text of the one at the path, or else of its page.
    /// `NotFound` if visitors may not read them.
    pub async fn share_source(
        &self,
        slug: &str,
        visitor: Option<IpAddr>,
        path: Option<&str>,
    ) -> Result<SharedSource, ProjectError> {
        let shared = self.find_share(slug, visitor).await?;
        if !shared.source {
            return Err(ProjectError::NotFound("shared source"));
        }
        let (store, version) = (&self.inner.store, shared.fragment.id);
        let files = store.version_files(version).await?.into_iter();
        let files = files.filter(|file| file.kind != FileKind::Folder);
        let paths: Vec<String> = files.map(|file| file.path).collect();
        let first = paths.iter().find(|path| *path == FIRST_PAGE);
        let path = path.or_else(|| first.or(paths.first()).map(String::as_str));
        let path = path.ok_or(ProjectError::NoFile)?;
        let content = match store.version_file(version, path).await? {
            Some(AppNode::File { content, .. }) => content,
            Some(AppNode::Link { target }) => format!("→ {target}").into_bytes(),
            Some(AppNode::Folder) | None => return Err(ProjectError::NoFile),
        };
        Ok(SharedSource {
            title: shared.title,
            file: viewed(path, content, false).await?,
            paths,
        })
    }

    /// A picture of the shared app, or `NotFound`.
    pub async fn share_picture(&self, slug: &str) -> Result<ImageContent, ProjectError> {
        Ok(self.inner.store.share_picture(slug).await?)
    }

    /// A new project of the user's with the files of the shared app.
    pub async fn remix(&self, slug: &str) -> Result<Project, ProjectError> {
        Ok(self.inner.store.remix(self.user()?, slug).await?)
    }

    /// Whether the sandbox shows a shared app, which anyone with its address may see.
    pub fn is_shared(&self, sandbox: &str) -> bool {
        self.inner.shared.has(sandbox)
    }
}

/// The categories of the showcase.
fn categories() -> Result<Vec<String>, ProjectError> {
    let apps = recorded_apps().map_err(ProjectError::Internal)?;
    let mut categories: Vec<String> = apps.into_iter().map(|app| app.category).collect();
    categories.sort();
    categories.dedup();
    Ok(categories)
}
