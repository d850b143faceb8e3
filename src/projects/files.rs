//! The app's files for the Code tab: from its sandbox, which has a run's latest writes, else from
//! the latest version.

use super::{ProjectError, Projects};
use crate::{
    agent::{Listing, RunError},
    protocol::{FileNode, FileView, ProjectId},
    render,
};

impl Projects {
    /// The app's files as a tree, folders first; empty when nothing was written yet.
    pub async fn list_files(&self, project: ProjectId) -> Result<Vec<FileNode>, ProjectError> {
        if self.inner.store.sandbox_of(project).await?.is_some() {
            match self.inner.apps.open(project).await {
                Ok(app) => match app.list().await {
                    Ok(listing) if listing.is_known => return Ok(listed(&listing)),
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

    /// One of the app's files, highlighted.
    pub async fn read_file(
        &self,
        project: ProjectId,
        path: &str,
    ) -> Result<FileView, ProjectError> {
        if self.inner.store.sandbox_of(project).await?.is_some() {
            match self.inner.apps.open(project).await {
                Ok(app) => match app.read_file(path).await {
                    Ok(Some(content)) => return highlighted(path, content).await,
                    Ok(None) => return Err(ProjectError::NoFile),
                    Err(error) => unreachable_sandbox(project, &error),
                },
                Err(error) => unreachable_sandbox(project, &error),
            }
        }
        let content = self
            .inner
            .store
            .latest_file(project, path)
            .await?
            .ok_or(ProjectError::NoFile)?;
        highlighted(path, content).await
    }
}

/// The file highlighted, on a thread that may block: a large one takes a tenth of a second.
async fn highlighted(path: &str, content: Vec<u8>) -> Result<FileView, ProjectError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || render::highlight(&path, &content))
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

/// Sorts paths into a tree.
fn tree(paths: Vec<String>) -> Vec<FileNode> {
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
            // A folder with some of its files left out.
            Some(node) => node.notice = notice,
            None => nodes.push(FileNode {
                name: name.to_owned(),
                path,
                children: None,
                notice,
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
