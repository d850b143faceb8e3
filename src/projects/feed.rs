//! The feed of a project: its events from a given one on, each once and in order. While somebody
//! follows it, the project's preview is kept awake.

use super::{ProjectError, Projects, previews::PreviewWatch};
use crate::{
    protocol::ProjectId,
    runs::{FollowEvent, Follower},
    store::StoreError,
};

/// Why a feed can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("after={after} lies in the future; the last event is {last}")]
    Future { after: i64, last: i64 },
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Project(error.into())
    }
}

/// One follower of a project.
pub struct Feed {
    follower: Follower,
    _watch: PreviewWatch,
}

impl Feed {
    /// Waits for what comes next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FollowEvent, ProjectError> {
        Ok(self.follower.next().await?)
    }
}

impl Projects {
    /// Follows the project's events after `after`.
    pub async fn follow(&self, project: ProjectId, after: i64) -> Result<Feed, FollowError> {
        let last = self.inner.store.last_seq(project).await?;
        if after > last {
            return Err(FollowError::Future { after, last });
        }
        Ok(Feed {
            follower: self.inner.events.follow(project, after),
            _watch: self.inner.previews.watch(project),
        })
    }
}
