//! Changes to the app's files in the Code tab. Each change is an edit.

use sha2::{Digest, Sha256};

use super::{ProjectError, Projects, files::viewed};
use crate::{
    agent::{App, AppPath, Edited, RunError},
    protocol::{FileSaved, MAX_EDITED, MAX_UPLOAD, ProjectId},
    runs::ProjectApp,
    store::Edit,
};

impl Projects {
    /// Writes the file if its content still has the hash `base` (`None`: if there is no file yet);
    /// otherwise returns the current file.
    pub async fn write_file(
        &self,
        project: ProjectId,
        path: &str,
        content: Vec<u8>,
        base: Option<String>,
    ) -> Result<FileSaved, ProjectError> {
        self.expect_editor(project).await?;
        let own = AppPath::exact(path)?;
        if content.len() > MAX_UPLOAD {
            return Err(ProjectError::TooLarge(format!(
                "The file is {} MB; files of up to {} MB can be kept. Choose a smaller one.",
                content.len().div_ceil(1 << 20),
                MAX_UPLOAD >> 20
            )));
        }
        let hash = hex::encode(Sha256::digest(&content));
        let new = hash.clone();
        let changed = self
            .inner
            .edits
            .change(self.user()?, project, move |app| async move {
                let written = app.write_over(&own, content.clone(), &new, base.as_deref());
                Ok(match written.await? {
                    Edited::Differs => None,
                    Edited::Done => Some(Edit::Write {
                        path: own.as_str().to_owned(),
                        content,
                    }),
                })
            });
        if changed.await?.is_some() {
            self.inner.previews.changed(project);
            return Ok(FileSaved::Saved { hash });
        }
        let theirs = match self.file_content(project, path).await {
            Ok(content) => Some(viewed(path, content, true).await?),
            Err(ProjectError::NoFile) => None,
            Err(error) => return Err(error),
        };
        Ok(FileSaved::Conflict { theirs })
    }

    /// Writes text from the editor, as [`Projects::write_file`] does.
    pub async fn write_text(
        &self,
        project: ProjectId,
        path: &str,
        text: String,
        base: Option<String>,
    ) -> Result<FileSaved, ProjectError> {
        self.expect_editor(project).await?;
        if text.len() > MAX_EDITED {
            return Err(ProjectError::TooLarge(format!(
                "The text is {} kB; up to {} kB can be edited here. Upload the file instead.",
                text.len().div_ceil(1 << 10),
                MAX_EDITED >> 10
            )));
        }
        self.write_file(project, path, text.into_bytes(), base)
            .await
    }

    /// Creates the folder and its parents.
    pub async fn make_folder(&self, project: ProjectId, path: &str) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        let own = AppPath::exact(path)?;
        let path = path.to_owned();
        self.change_files(project, move |app| async move {
            app.make_folder(&own).await?;
            Ok(Some(Edit::Folder { path }))
        })
        .await
    }

    /// Moves a file or folder to a free path.
    pub async fn move_file(
        &self,
        project: ProjectId,
        from: &str,
        to: &str,
    ) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        let (own, own_to) = (AppPath::exact(from)?, AppPath::exact(to)?);
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change_files(project, move |app| async move {
            app.move_path(&own, &own_to).await?;
            Ok(Some(Edit::Move { from, to }))
        })
        .await
    }

    /// Deletes a file, or a folder with everything in it.
    pub async fn delete_file(&self, project: ProjectId, path: &str) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        let own = AppPath::exact(path)?;
        let path = path.to_owned();
        self.change_files(project, move |app| async move {
            app.delete_path(&own).await?;
            Ok(Some(Edit::Delete { path }))
        })
        .await
    }

    async fn change_files<Fut>(
        &self,
        project: ProjectId,
        work: impl FnOnce(App) -> Fut + Send + 'static,
    ) -> Result<(), ProjectError>
    where
        Fut: Future<Output = Result<Option<Edit>, RunError>> + Send + 'static,
    {
        self.inner.edits.change(self.user()?, project, work).await?;
        self.inner.previews.changed(project);
        Ok(())
    }
}
