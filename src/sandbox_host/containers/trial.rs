//! What works on this machine: a minimal container is run with all limits, or else without those
//! that fail.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Containers, Machine};
use crate::{
    cgroup::{self, Cgroup},
    sandbox_host::{
        bundle::HOME,
        capacity::Capacity,
        disk::{self, Disks, Layer},
        ids::Ranges,
        killed_hosts::Claim,
        names::random_id,
        privilege::Privilege,
        runtime::{Home, Runtime},
    },
};

impl Containers {
    /// Finds out what works here by running a minimal container: with all limits, or else without
    /// those that fail.
    pub(super) async fn look_around(&self, state: &Path) -> Result<Machine, String> {
        let privilege = Privilege::detect()
            .map_err(|error| format!("no sandboxes: {error:#}; or start CodeFlow as root"))?;
        let cgroup = cgroup::base().join(&self.name);
        let claim = Claim::take(&self.assembly, state, &cgroup).await;
        *self.claim.lock() = Some(claim.map_err(|error| format!("no sandboxes: {error:#}"))?);
        let images = Disks::prepare(state, self.settings.disk_mb, &privilege).await;
        let ranges = if privilege.is_rootless() {
            Err("only root can give each its own".to_owned())
        } else {
            Ranges::open().map_err(|error| format!("{error:#}"))
        };
        let trial = state.join("trial");
        let try_out = async |runtime: Runtime| {
            let attempt =
                async |limits: Option<&PathBuf>, disks: &Disks, ranges: Option<&Ranges>| {
                    let limits = limits.map(PathBuf::as_path);
                    self.try_out(&runtime, &privilege, limits, disks, ranges, &trial)
                        .await
                };
            let own = ranges.as_ref().ok();
            let Err(fault) = attempt(Some(&cgroup), &images, own).await else {
                return Ok((
                    runtime,
                    Some(cgroup.clone()),
                    images.clone(),
                    own.is_some(),
                    None,
                ));
            };
            let why = format!("{fault:#}");
            let folders = images.clone().without_images(&why);
            for own in own.map(Some).into_iter().chain([None]) {
                for (limits, disks) in [
                    (Some(&cgroup), &images),
                    (Some(&cgroup), &folders),
                    (None, &images),
                    (None, &folders),
                ] {
                    if attempt(limits, disks, own).await.is_ok() {
                        return Ok((
                            runtime,
                            limits.cloned(),
                            disks.clone(),
                            own.is_some(),
                            Some(why),
                        ));
                    }
                }
            }
            Err(fault)
        };
        let (runtime, cgroup, disks, own_ids, fault) =
            Runtime::find(self.settings.runtime.as_deref(), state, &privilege, try_out).await?;
        let fault = fault.unwrap_or_default();
        let mut unenforced = Vec::new();
        if cgroup.is_none() {
            unenforced.push(format!(
                "memory and processors (no control group can be made: {fault})"
            ));
        }
        unenforced.extend(disks.fault().map(str::to_owned));
        if !own_ids {
            let why = ranges.as_ref().err().unwrap_or(&fault);
            unenforced.push(format!(
                "what the kernel counts per user (all sandboxes share one range of user ids: {why})"
            ));
        }
        let capacity = Capacity::of(&self.settings);
        if let Some(cgroup) = &cgroup
            && let Err(fault) =
                Cgroup::new(cgroup.clone()).set_limits(capacity.memory, capacity.processes)
        {
            unenforced.push(format!(
                "memory and processes of all sandboxes together (the control group above them: \
                 {fault})"
            ));
        }
        let lacks_bound = !unenforced.is_empty();
        if let Some(cgroup) = &cgroup
            && !Cgroup::new(cgroup.clone()).divides_disk()
        {
            unenforced.push("shares of the disk's time (this kernel has no weights)".to_owned());
        }
        Ok(Machine {
            runtime,
            privilege,
            disks,
            ranges: ranges.ok().filter(|_| own_ids),
            cgroup,
            capacity,
            unenforced,
            lacks_bound,
        })
    }

    /// Runs a minimal container on a disk like a sandbox's.
    async fn try_out(
        &self,
        runtime: &Runtime,
        privilege: &Privilege,
        cgroup: Option<&Path>,
        disks: &Disks,
        ranges: Option<&Ranges>,
        folder: &Path,
    ) -> anyhow::Result<()> {
        if folder.exists() {
            disk::remove(folder)?;
        }
        let lower = folder.join("lower");
        fs::create_dir_all(&lower)?;
        disks.create(folder).await?;
        let socket = folder.join("egress.sock");
        fs::write(&socket, "")?;
        let id = format!("trial{}", random_id());
        let range = ranges.map(|ranges| ranges.take(&id)).transpose()?;
        let mut container = self.container(&id, privilege, range.as_deref(), Vec::new());
        container.cgroup = cgroup.map(|cgroup| cgroup.join(&id));
        container.args = vec!["/usr/bin/touch".to_owned(), format!("{HOME}/trial")];
        let home = Home::Overlay {
            lower,
            layer: Layer::of(folder),
        };
        let tried = runtime
            .run_to_end(&container, &self.pieces(home, socket, range), folder)
            .await;
        runtime.delete(&container.id).await?;
        if let Some(ranges) = ranges {
            ranges.release(&id);
        }
        disk::remove(folder)?;
        tried
    }
}
