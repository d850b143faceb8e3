//! Sandboxes waiting to be handed out, with their page compiled. If control groups can be used,
//! they are frozen and use no processor. They have no record, so that a host that dies leaves none
//! behind.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::sandbox::Sandbox;
use crate::sandbox_host::{running_container::RunningContainer, template::Template};

/// The waiting sandboxes.
#[derive(Default)]
pub(super) struct Pool {
    warm: Mutex<Vec<Warm>>,
    /// Notified when a sandbox was handed out, so that another one may be made.
    pub(super) handed_out: Notify,
}

/// A waiting sandbox, with its container.
pub(super) struct Warm {
    pub sandbox: Arc<Sandbox>,
    pub container: Arc<RunningContainer>,
}

impl Warm {
    /// Whether it is running and was made from this build.
    fn is_of(&self, name: &str, version: &str) -> bool {
        let record = self.sandbox.record();
        record.template == name && record.version == version && !self.container.ended.is_cancelled()
    }
}

impl Pool {
    pub(super) fn add(&self, warm: Warm) {
        self.warm.lock().push(warm);
    }

    /// Takes one of this build.
    pub(super) fn take(&self, name: &str, version: &str) -> Option<Warm> {
        let mut warm = self.warm.lock();
        let index = warm.iter().position(|warm| warm.is_of(name, version))?;
        Some(warm.swap_remove(index))
    }

    /// Takes any.
    pub(super) fn take_any(&self) -> Option<Warm> {
        self.warm.lock().pop()
    }

    pub(super) fn take_all(&self) -> Vec<Warm> {
        std::mem::take(&mut *self.warm.lock())
    }

    /// Takes those of none of these builds.
    pub(super) fn take_outdated(&self, templates: &[(String, Template)]) -> Vec<Warm> {
        let is_outdated = |warm: &mut Warm| {
            !templates
                .iter()
                .any(|(name, template)| warm.is_of(name, &template.version))
        };
        self.warm.lock().extract_if(.., is_outdated).collect()
    }

    /// The number of waiting ones of this build.
    pub(super) fn count(&self, name: &str, version: &str) -> usize {
        let warm = self.warm.lock();
        warm.iter().filter(|warm| warm.is_of(name, version)).count()
    }

    /// The waiting containers.
    pub(super) fn containers(&self) -> Vec<(Arc<Sandbox>, Arc<RunningContainer>)> {
        let warm = self.warm.lock();
        warm.iter()
            .map(|warm| (warm.sandbox.clone(), warm.container.clone()))
            .collect()
    }
}
