//! Making sandboxes' disks: empty ones, and copies of others.

use std::path::Path;

use super::Containers;

impl Containers {
    /// Creates the disk of a sandbox in its folder.
    pub(in crate::sandbox_host) async fn make_disk(&self, folder: &Path) -> anyhow::Result<()> {
        self.machine()?.disks.create(folder).await
    }

    /// Creates the disk in a folder as a copy of another folder's, to which nothing may write
    /// meanwhile.
    pub(in crate::sandbox_host) async fn copy_disk(
        &self,
        from: &Path,
        to: &Path,
    ) -> anyhow::Result<()> {
        self.machine()?.disks.copy(from, to).await
    }
}
