//! Renaming a project: the row and its event in one transaction.

use super::{Result, Store, event, project, without_nul};
use crate::protocol::{Event, EventKind, ProjectId};

impl Store {
    /// Gives the project a title of its user's choice, which no run replaces. `NotFound` if there
    /// is no such project.
    pub async fn rename_project(&self, id: ProjectId, title: &str) -> Result<Option<Event>> {
        let title = without_nul(title);
        self.write(move |tx| {
            Box::pin(async move {
                project::rename(tx, id, &title).await?;
                event::append(tx, id, None, EventKind::Title { title }).await
            })
        })
        .await
    }
}
