//! Draining: a host that is about to be stopped for good takes no new sandboxes. A file in its data
//! folder says so, which outlives a restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Sandboxes;

fn mark(data_dir: &Path) -> PathBuf {
    data_dir.join("draining")
}

impl Sandboxes {
    pub(in crate::sandbox_host) fn is_draining(&self) -> bool {
        mark(&self.settings().data_dir).exists()
    }

    /// Begins or ends the draining. The sandboxes that wait to be handed out go with it.
    pub(in crate::sandbox_host) async fn drain(&self, is_wanted: bool) -> io::Result<()> {
        let mark = mark(&self.settings().data_dir);
        if !is_wanted {
            return match fs::remove_file(mark) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => {
                    tracing::info!("this host takes new sandboxes");
                    self.pool.handed_out.notify_one();
                    Ok(())
                }
            };
        }
        fs::write(mark, "")?;
        tracing::info!("this host is being drained: it takes no new sandboxes");
        while self.give_up_waiting().await {}
        Ok(())
    }
}
