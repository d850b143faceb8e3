//! `codeflow setup`: turns a machine into a server. It is a list of checks; each verifies a
//! requirement, meets it, or says what to do by hand. Running it again changes nothing.

mod ask;
mod check;
mod dns;
mod files;
mod machine;
mod names;
mod programs;
mod service;
mod settings;
mod settings_file;

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context, bail};

use crate::config::{ConfigError, Env};
use check::{Check, State};
use machine::Machine;

/// What `codeflow setup` is asked for.
#[derive(Debug, clap::Args)]
pub struct Setup {
    /// The builder's host name, such as build.example.com
    #[arg(long)]
    domain: Option<String>,
    /// The domain below which previews get their names, best of another site: preview.example.net
    #[arg(long)]
    preview_domain: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the apps' template out: `codeflow template build nextjs` builds it
    #[arg(long)]
    without_template: bool,
    /// Set up the system in this folder, without its services
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

/// What was found and done.
#[derive(Default)]
pub struct Report {
    /// One line for each requirement, and a summary.
    pub lines: String,
    changes: usize,
    by_hand: usize,
}

impl Report {
    /// Fails if something is left to do by hand.
    pub fn expect_nothing_left(&self) -> anyhow::Result<()> {
        match self.by_hand {
            0 => Ok(()),
            left => bail!(
                "{} left to do by hand; then run codeflow setup again",
                things(left)
            ),
        }
    }

    fn add(&mut self, word: &str, subject: &str, what: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.lines, "{word:<8} {subject}: {what}")?)
    }

    /// Runs one check, and meets the requirement unless this is a dry run.
    fn check(&mut self, check: &dyn Check, dry_run: bool) -> anyhow::Result<()> {
        let subject = check.subject();
        if check.comes_last() && self.by_hand > 0 {
            return self.add("later", &subject, "when the rest is done");
        }
        let looked = || check.look().with_context(|| subject.clone());
        let (word, what) = match looked()? {
            State::Is(what) => ("ok", what),
            State::Advice(what) => ("advice", what),
            State::ByHand(what) => ("by hand", what),
            State::Missing(what) if dry_run => ("would", what),
            State::Missing(what) => {
                check.make().with_context(|| subject.clone())?;
                self.changes += 1;
                self.add("done", &subject, &what)?;
                return match looked()? {
                    State::Is(_) => Ok(()),
                    State::Missing(what) => {
                        bail!("{subject}: it was done, and is still missing: {what}")
                    }
                    State::ByHand(what) => self.leave(&subject, &what),
                    State::Advice(what) => self.add("advice", &subject, &what),
                };
            }
        };
        match word {
            "by hand" => return self.leave(&subject, &what),
            "would" => self.changes += 1,
            _ => {}
        }
        self.add(word, &subject, &what)
    }

    fn leave(&mut self, subject: &str, what: &str) -> anyhow::Result<()> {
        self.by_hand += 1;
        self.add("by hand", subject, what)
    }
}

impl Setup {
    /// Sets up the machine.
    pub async fn run(self, env: &Env) -> anyhow::Result<Report> {
        for (name, domain) in [
            ("--domain", &self.domain),
            ("--preview-domain", &self.preview_domain),
        ] {
            if let Some(domain) = domain {
                names::public(domain).map_err(|why| ConfigError::new(name, domain, why))?;
            }
        }
        if !self.dry_run && !nix::unistd::geteuid().is_root() {
            bail!("setup changes the system, which takes root: sudo codeflow setup");
        }
        let machine = Machine::new(&self.root, env.program()?)?;
        // All of this blocks: on people, disks and other programs.
        let (setup, env) = (self, env.clone());
        tokio::task::spawn_blocking(move || setup.work(&machine, &env)).await?
    }

    fn work(&self, machine: &Machine, env: &Env) -> anyhow::Result<Report> {
        let wanted = settings::Wanted::find(
            machine,
            settings::GivenValues {
                domain: self.domain.as_deref(),
                preview_domain: self.preview_domain.as_deref(),
                env,
                can_ask: !self.dry_run && ask::can(),
            },
        )?;
        let mut report = Report::default();
        for check in self.checks(machine, &wanted) {
            report.check(&*check, self.dry_run)?;
        }
        report
            .lines
            .push_str(&match (report.changes, self.dry_run) {
                (0, _) => "Nothing was changed.".to_owned(),
                (changes, true) => format!("Nothing was changed; {} to do.", things(changes)),
                (changes, false) => format!("{} done.", things(changes)),
            });
        if !self.dry_run && report.by_hand == 0 && machine.is_this_one() {
            report.lines.push_str(
                "\njournalctl -u codeflow | grep administrator shows the link that makes the first \
                 account.",
            );
        }
        Ok(report)
    }

    /// The checks, in the order of their dependencies.
    fn checks<'a>(
        &self,
        machine: &'a Machine,
        wanted: &'a settings::Wanted,
    ) -> Vec<Box<dyn Check + 'a>> {
        let mut checks: Vec<Box<dyn Check + 'a>> = vec![
            Box::new(programs::Runtime),
            Box::new(programs::Node),
            Box::new(programs::Mkfs),
            Box::new(programs::Chromium),
            Box::new(programs::ControlGroups),
            Box::new(files::Program(machine)),
            Box::new(files::Folder(machine, "/etc/codeflow")),
            Box::new(files::Folder(machine, "/var/lib/codeflow")),
            Box::new(files::User(machine)),
            Box::new(settings::SettingsFile { machine, wanted }),
            Box::new(files::Unit(machine)),
            Box::new(files::Caddyfile { machine, wanted }),
            Box::new(dns::Lead { machine, wanted }),
        ];
        if !self.without_template {
            checks.push(Box::new(service::Template { machine }));
        }
        if machine.is_this_one() {
            checks.push(Box::new(service::Service));
        }
        checks
    }
}

fn things(count: usize) -> String {
    if count == 1 {
        "1 thing is".to_owned()
    } else {
        format!("{count} things are")
    }
}
