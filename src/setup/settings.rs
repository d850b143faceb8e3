//! `/etc/codeflow/codeflow.env`: the package's commented file, with the names and the model from
//! flags, this command's variables, or a person at the terminal. Existing settings stay.

use std::os::unix::fs::PermissionsExt;

use tokio::runtime::Handle;

use super::{
    ask,
    check::{Check, State},
    machine::Machine,
    names,
    settings_file::{set, value, variables},
};
use crate::config::{self, ConfigError, Env};

/// The file.
pub(super) const PATH: &str = "/etc/codeflow/codeflow.env";
/// Only root may read it: it holds keys.
const MODE: u32 = 0o600;
const EMPTY: &str = include_str!("../../packaging/codeflow.env");
/// The example names in [`EMPTY`].
const EXAMPLES: [&str; 2] = ["https://build.example.com", "preview.example.net"];
/// The supported providers, and the variables of their keys.
const PROVIDERS: [(&str, &str); 4] = [
    ("openai", "OPENAI_API_KEY"),
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("gemini", "GEMINI_API_KEY"),
    ("openrouter", "OPENROUTER_API_KEY"),
];
/// Other variables that choose the model.
const OTHER_MODELS: [&str; 3] = ["AI_PROVIDER", "OLLAMA_BASE_URL", "OPENAI_BASE_URL"];

/// Values given without asking.
pub(super) struct GivenValues<'a> {
    pub domain: Option<&'a str>,
    pub preview_domain: Option<&'a str>,
    /// The models' variables.
    pub env: &'a Env,
    /// Whether somebody can answer questions.
    pub can_ask: bool,
}

/// The values to set, and those that are still missing.
#[derive(Default)]
pub(super) struct Wanted {
    values: Vec<(&'static str, String)>,
    /// For each missing value, how to give it.
    unsaid: Vec<&'static str>,
    /// Existing values that a flag differs from.
    kept: Vec<String>,
}

impl Wanted {
    /// Collects the values; asks for missing ones if somebody can answer.
    pub fn find(machine: &Machine, said: GivenValues) -> anyhow::Result<Self> {
        let text = machine.read(PATH)?;
        let mut wanted = Self::default();
        let url = said.domain.map(|name| format!("https://{name}"));
        let is_said = wanted.keep_or_set(&text, "PUBLIC_URL", url);
        if !is_said && said.can_ask {
            let name = ask_name("The builder's host name (build.example.com):", "")?;
            wanted
                .values
                .push(("PUBLIC_URL", format!("https://{name}")));
        } else if !is_said {
            wanted
                .unsaid
                .push("its host name: --domain build.example.com");
        }
        let is_said = wanted.keep_or_set(
            &text,
            "SANDBOX_DOMAIN",
            said.preview_domain.map(str::to_owned),
        );
        if !is_said && said.can_ask {
            let own = wanted.domain(&text).unwrap_or_default();
            let question = format!(
                "The previews' domain, best of another site than {own} (Enter for preview.{own}):"
            );
            let name = ask_name(&question, &format!("preview.{own}"))?;
            wanted.values.push(("SANDBOX_DOMAIN", name));
        } else if !is_said {
            wanted
                .unsaid
                .push("the previews' domain: --preview-domain preview.example.net");
        }
        wanted.find_model(&text, &said)?;
        Ok(wanted)
    }

    /// Keeps the variable's value if the text has one; otherwise sets it.
    fn keep_or_set(&mut self, text: &str, name: &'static str, said: Option<String>) -> bool {
        let found = value(text, name).filter(|value| !EXAMPLES.contains(&value.as_str()));
        match (found, said) {
            (Some(found), Some(said)) if found != said => self.kept.push(format!("{name}={found}")),
            (None, Some(said)) => self.values.push((name, said)),
            (None, None) => return false,
            (Some(_), _) => {}
        }
        true
    }

    fn find_model(&mut self, text: &str, from: &GivenValues) -> anyhow::Result<()> {
        let keys = PROVIDERS.map(|(_, variable)| variable);
        let all = || keys.into_iter().chain(OTHER_MODELS);
        if all().any(|name| value(text, name).is_some()) {
            return Ok(());
        }
        let said = all().filter_map(|name| Some((name, from.env.var(name)?)));
        let mut said: Vec<_> = said.collect();
        if said.is_empty() && from.can_ask {
            said.push(ask_model()?);
        }
        if said.is_empty() {
            self.unsaid.push(
                "the model: OPENAI_API_KEY=… (or another provider's key, or AI_PROVIDER=demo) \
                 before the command",
            );
        }
        for (name, value) in said {
            // Characters that systemd would interpret.
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte);
            if !value.bytes().all(is_plain) {
                let expected = "letters, digits and signs, without quotes and spaces";
                return Err(ConfigError::new(name, "(not shown)", expected).into());
            }
            self.values.push((name, value));
        }
        Ok(())
    }

    /// The file's new text.
    fn applied(&self, text: &str) -> String {
        let text = if text.is_empty() { EMPTY } else { text };
        let values = self.values.iter();
        values.fold(text.to_owned(), |text, (name, value)| {
            set(&text, name, value)
        })
    }

    /// The builder's host name.
    fn domain(&self, text: &str) -> Option<String> {
        let url = value(&self.applied(text), "PUBLIC_URL")?;
        let (_, authority) = url.split_once("://")?;
        let host = authority.split([':', '/']).next()?;
        (!EXAMPLES.contains(&url.as_str())).then(|| host.to_owned())
    }

    /// The builder's host name and the previews' domain, once both are known.
    pub fn domains(&self, machine: &Machine) -> anyhow::Result<Option<(String, String)>> {
        let text = machine.read(PATH)?;
        let previews = value(&self.applied(&text), "SANDBOX_DOMAIN")
            .filter(|name| !EXAMPLES.contains(&name.as_str()))
            .and_then(|name| Some(name.split(':').next()?.to_owned()));
        Ok(self.domain(&text).zip(previews))
    }
}

/// Asks for a public name; Enter chooses `usual`, if there is one.
fn ask_name(question: &str, usual: &str) -> anyhow::Result<String> {
    loop {
        let answer = ask::text(question)?;
        let name = if answer.is_empty() { usual } else { &answer };
        match names::public(name) {
            Ok(()) => return Ok(name.to_owned()),
            Err(_) if answer.is_empty() => anyhow::bail!("setup ends: no name was said"),
            Err(why) => ask::say(&format!("“{answer}” is none: {why}"))?,
        }
    }
}

fn ask_model() -> anyhow::Result<(&'static str, String)> {
    let known: Vec<&str> = PROVIDERS.iter().map(|(name, _)| *name).collect();
    let question = format!(
        "The model's provider ({}; Enter for the demo, without a model):",
        known.join(", ")
    );
    loop {
        let answer = ask::text(&question)?;
        if answer.is_empty() {
            return Ok(("AI_PROVIDER", "demo".to_owned()));
        }
        if let Some((_, variable)) = PROVIDERS.iter().find(|(name, _)| *name == answer) {
            let key = ask::secret(&format!("{variable}:"))?;
            if !key.is_empty() {
                return Ok((*variable, key));
            }
        }
    }
}

/// The service's variables.
pub(super) fn of_service(machine: &Machine) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = variables(&machine.read(PATH)?);
    let data = machine.at("/var/lib/codeflow").display().to_string();
    variables.push(("CODEFLOW_DATA_DIR".to_owned(), data));
    Ok(variables)
}

/// The settings file: it exists, only root can read it, and the server starts with it.
pub(super) struct SettingsFile<'a> {
    pub machine: &'a Machine,
    pub wanted: &'a Wanted,
}

impl Check for SettingsFile<'_> {
    fn subject(&self) -> String {
        PATH.to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let text = self.machine.read(PATH)?;
        if self.wanted.applied(&text) != text {
            let names: Vec<&str> = self.wanted.values.iter().map(|(name, _)| *name).collect();
            let done = if text.is_empty() {
                "write it"
            } else {
                "add to it"
            };
            return Ok(State::Missing(match names.len() {
                0 => done.to_owned(),
                _ => format!("{done}: {}", names.join(", ")),
            }));
        }
        let mode = self.machine.at(PATH).metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            return Ok(State::Missing("close it to others than root".to_owned()));
        }
        if !self.wanted.unsaid.is_empty() {
            let unsaid = self.wanted.unsaid.join("; ");
            return Ok(State::ByHand(format!(
                "say {unsaid}; or set it in the file"
            )));
        }
        let env = Env::of(of_service(self.machine)?, &self.machine.program);
        if let Err(error) = Handle::current().block_on(config::Settings::from_env(&env)) {
            return Ok(State::ByHand(error.to_string()));
        }
        Ok(match &self.wanted.kept[..] {
            [] => State::Is("the server starts with it".to_owned()),
            kept => State::Advice(format!(
                "{} is kept; edit the file instead",
                kept.join(", ")
            )),
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        let text = self.wanted.applied(&self.machine.read(PATH)?);
        self.machine.write(PATH, MODE, text.as_bytes())
    }
}
