//! The app's files for the Code tab: from its sandbox, which has a run's latest writes, or else
//! from the latest version.

use std::collections::BTreeSet;

use super::{ProjectError, Projects};
use crate::{
    agent::{AppPath, Listing, RunError},
    protocol::{FileMatches, FileNode, FileView, MAX_UPLOAD, ProjectId},
    render,
};

/// The maximum length of a search text, in bytes.
const MAX_SEARCH: usize = 500;

impl Projects {
    /// The app's files as a tree, folders first; empty when nothing was written yet.
    pub async fn list_files(&self, project: ProjectId) -> Result<Vec<FileNode>, ProjectError> {
        self.expect_viewer(project).await?;
        if self.inner.store.sandbox_of(project).await?.is_some() {
            match self.inner.apps.open(project).await {
                Ok(app) => match app.list().await {
                    Ok(listing) if listing.is_known => {
                        let mut nodes = listed(&listing);
                        let edited = self.inner.store.edited_paths(project).await?;
                        mark_edited(&mut nodes, &edited);
                        return Ok(nodes);
                    }
                    Ok(_) => {
                        tracing::warn!(
                            project.id = %project,
                            "the sandbox's files can't be listed; showing the latest version's"
                        );
                    }
                    Err(error) => unreachable_sandbox(project, &error),
                },
                Err(error) => unreachable_sandbox(project, &error),
            }
        }
        Ok(tree(self.inner.store.latest_paths(project).await?))
    }

    /// A file in the newest version, without highlighted lines.
    pub async fn read_saved_file(
        &self,
        project: ProjectId,
        path: &str,
    ) -> Result<FileView, ProjectError> {
        self.expect_viewer(project).await?;
        let content = self.inner.store.latest_file(project, path).await?;
        viewed(path, content.ok_or(ProjectError::NoFile)?, true).await
    }

    /// One of the app's files: highlighted, unless `plain`, and as text.
    pub async fn read_file(
        &self,
        project: ProjectId,
        path: &str,
        plain: bool,
    ) -> Result<FileView, ProjectError> {
        self.expect_viewer(project).await?;
        let content = self.file_content(project, path).await?;
        viewed(path, content, plain).await
    }

    /// The content of one of the app's files, 32 MiB at most.
    pub async fn file_content(
        &self,
        project: ProjectId,
        path: &str,
    ) -> Result<Vec<u8>, ProjectError> {
        self.expect_viewer(project).await?;
        // No file of the app can have this path.
        let own = AppPath::exact(path).map_err(|_| ProjectError::NoFile)?;
        if self.inner.store.sandbox_of(project).await?.is_some() {
            match self.inner.apps.open(project).await {
                Ok(app) => match app.read_own(&own, MAX_UPLOAD).await {
                    Ok(Some(content)) => return Ok(content),
                    Ok(None) => return Err(ProjectError::NoFile),
                    Err(RunError::User(why)) => return Err(ProjectError::Refused(why)),
                    Err(error) => unreachable_sandbox(project, &error),
                },
                Err(error) => unreachable_sandbox(project, &error),
            }
        }
        let content = self.inner.store.latest_file(project, path).await?;
        content.ok_or(ProjectError::NoFile)
    }

    /// The lines of the app's files that contain the text.
    pub async fn search_files(
        &self,
        project: ProjectId,
        text: &str,
    ) -> Result<FileMatches, ProjectError> {
        self.expect_viewer(project).await?;
        if text.is_empty() || text.len() > MAX_SEARCH || text.contains(['\n', '\r', '\0']) {
            return Err(ProjectError::Invalid {
                field: "text",
                why: "Search for a text of one line, up to 500 characters.".to_owned(),
            });
        }
        if !self.inner.apps.exists(project).await? {
            return Ok(FileMatches::default());
        }
        let app = self.inner.apps.open(project).await?;
        Ok(app.search(text).await?)
    }
}

/// The file, prepared for display. Highlighting runs on a blocking thread, because a large file
/// takes a tenth of a second.
pub(super) async fn viewed(
    path: &str,
    content: Vec<u8>,
    plain: bool,
) -> Result<FileView, ProjectError> {
    let path = path.to_owned();
    let viewing = move || match plain {
        true => render::plain_view(&path, &content),
        false => render::highlight(&path, &content),
    };
    tokio::task::spawn_blocking(viewing)
        .await
        .map_err(|error| ProjectError::Internal(error.into()))
}

fn unreachable_sandbox(project: ProjectId, error: &RunError) {
    tracing::warn!(
        project.id = %project,
        %error,
        "the sandbox's files can't be read; showing the latest version's"
    );
}

/// The files of the app's folder as a tree, with a notice on those that versions leave out.
fn listed(listing: &Listing) -> Vec<FileNode> {
    let mut roots = Vec::new();
    for path in listing.paths() {
        insert(&mut roots, "", path, None);
    }
    for left in listing.left_out.iter().filter(|left| left.path != ".") {
        insert(&mut roots, "", &left.path, Some(&left.reason));
    }
    sort(&mut roots);
    roots
}

fn mark_edited(nodes: &mut [FileNode], edited: &BTreeSet<String>) {
    for node in nodes {
        node.edited = node.children.is_none() && edited.contains(&node.path);
        if let Some(children) = &mut node.children {
            mark_edited(children, edited);
        }
    }
}

/// Sorts paths into a tree.
pub(super) fn tree(paths: Vec<String>) -> Vec<FileNode> {
    let mut roots = Vec::new();
    for path in paths {
        insert(&mut roots, "", &path, None);
    }
    sort(&mut roots);
    roots
}

fn insert(nodes: &mut Vec<FileNode>, folder: &str, rest: &str, notice: Option<&str>) {
    let (name, below) = match rest.split_once('/') {
        Some((name, below)) => (name, Some(below)),
        None => (rest, None),
    };
    let path = if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    };
    let Some(below) = below else {
        let notice = notice.map(str::to_owned);
        match nodes.iter_mut().find(|node| node.name == name) {
            // A folder of which some files are left out.
            Some(node) => node.notice = notice,
            None => nodes.push(FileNode {
                name: name.to_owned(),
                path,
                children: None,
                notice,
                edited: false,
            }),
        }
        return;
    };
    let index = match nodes
        .iter()
        .position(|node| node.name == name && node.children.is_some())
    {
        Some(index) => index,
        None => {
            nodes.push(FileNode {
                name: name.to_owned(),
                path: path.clone(),
                children: Some(Vec::new()),
                notice: None,
                edited: false,
            });
            nodes.len() - 1
        }
    };
    if let Some(children) = &mut nodes[index].children {
        insert(children, &path, below, notice);
    }
}

fn sort(nodes: &mut [FileNode]) {
    nodes.sort_by(|a, b| {
        b.children
            .is_some()
            .cmp(&a.children.is_some())
            .then_with(|| a.name.cmp(&b.name))
    });
    for node in nodes {
        if let Some(children) = &mut node.children {
            sort(children);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(nodes: &[FileNode]) -> String {
        let name = |node: &FileNode| match &node.children {
            Some(children) => format!("{}/[{}]", node.name, outline(children)),
            None => node.name.clone(),
        };
        nodes.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_become_a_tree_with_folders_first() {
        let paths = [
            "package.json",
            "app/page.tsx",
            "app/api/route.ts",
            "a.txt",
            "app/layout.tsx",
        ];
        let tree = tree(paths.map(str::to_owned).to_vec());
        assert_eq!(
            outline(&tree),
            "app/[api/[route.ts] layout.tsx page.tsx] a.txt package.json"
        );
        assert_eq!(
            tree[0]
                .children
                .as_ref()
                .map(|children| children[1].path.as_str()),
            Some("app/layout.tsx")
        );
    }
}
