//! The last checks: the apps' template, and the service.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use tokio::runtime::Handle;

use super::{
    check::{Check, State},
    machine::{Machine, run},
    settings,
};
use crate::{config::DEFAULT_TEMPLATE, sandbox_host::template};

/// The template that apps start from.
pub(super) struct Template<'a> {
    pub machine: &'a Machine,
}

impl Check for Template<'_> {
    fn subject(&self) -> String {
        format!("template {DEFAULT_TEMPLATE}")
    }

    fn look(&self) -> anyhow::Result<State> {
        let data = self.machine.at("/var/lib/codeflow");
        // Without Node.js there is no template.
        let is_ready = Handle::current().block_on(template::is_ready(&data, DEFAULT_TEMPLATE));
        Ok(if is_ready.unwrap_or(false) {
            State::Is("built".to_owned())
        } else {
            State::Missing("build it, which takes some minutes".to_owned())
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        let status = Command::new(&self.machine.program)
            .args(["template", "build", DEFAULT_TEMPLATE])
            .envs(settings::of_service(self.machine)?)
            .stdin(Stdio::null())
            .status()
            .context("the template can't be built")?;
        if !status.success() {
            bail!("it can't be built (see above)");
        }
        Ok(())
    }

    fn comes_last(&self) -> bool {
        true
    }
}

/// The service: enabled, and running.
pub(super) struct Service;

impl Check for Service {
    fn subject(&self) -> String {
        "service codeflow".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        if !std::path::Path::new("/run/systemd/system").is_dir() {
            return Ok(State::ByHand(
                "this machine has no systemd; start codeflow serve with the variables of \
                 /etc/codeflow/codeflow.env and CODEFLOW_DATA_DIR=/var/lib/codeflow"
                    .to_owned(),
            ));
        }
        let is = |what: &str| {
            let asked = [what, "--quiet", "codeflow"].map(str::to_owned);
            run("systemctl", &asked).is_ok()
        };
        Ok(if is("is-enabled") && is("is-active") {
            State::Is("enabled, and running".to_owned())
        } else {
            State::Missing("enable and start it".to_owned())
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        run(
            "systemctl",
            &["enable", "--now", "codeflow"].map(str::to_owned),
        )
    }

    fn comes_last(&self) -> bool {
        true
    }
}
