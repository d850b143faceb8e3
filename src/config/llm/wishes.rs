//! Overrides of what is known about models: the protocol, the reasoning effort, the abilities.

use crate::config::{ConfigError, Env};

/// The OpenAI protocol to use (`AI_API`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Responses at OpenAI's own address, chat completions elsewhere; a refusal switches to the
    /// other.
    Auto,
    Responses,
    Chat,
}

/// The reasoning effort of a model (`AI_REASONING`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasoning {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// An ability that a model may have (`AI_ABILITIES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    Tools,
    /// Several tool calls in one answer.
    Parallel,
    Vision,
    Thinking,
    Caching,
}

const APIS: [(&str, Api); 3] = [
    ("auto", Api::Auto),
    ("responses", Api::Responses),
    ("chat", Api::Chat),
];
const EFFORTS: [(&str, Reasoning); 7] = [
    ("none", Reasoning::None),
    ("minimal", Reasoning::Minimal),
    ("low", Reasoning::Low),
    ("medium", Reasoning::Medium),
    ("high", Reasoning::High),
    ("xhigh", Reasoning::XHigh),
    ("max", Reasoning::Max),
];
const ABILITIES: [(&str, Ability); 5] = [
    ("tools", Ability::Tools),
    ("parallel", Ability::Parallel),
    ("vision", Ability::Vision),
    ("thinking", Ability::Thinking),
    ("caching", Ability::Caching),
];

impl Api {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(chosen(env, "AI_API", &APIS)?.unwrap_or(Self::Auto))
    }
}

impl Reasoning {
    /// `None` for the model's default.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        chosen(env, "AI_REASONING", &EFFORTS)
    }

    /// Its name in providers' APIs.
    pub fn as_str(self) -> &'static str {
        let named = EFFORTS.iter().find(|(_, reasoning)| *reasoning == self);
        named.map_or("medium", |(name, _)| name)
    }
}

/// The abilities listed in `AI_ABILITIES`; `None` if it is not set.
pub fn abilities(env: &Env) -> Result<Option<Vec<Ability>>, ConfigError> {
    let Some(list) = env.var("AI_ABILITIES") else {
        return Ok(None);
    };
    let names = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let listed = names.map(|name| named("AI_ABILITIES", name, &ABILITIES));
    listed.collect::<Result<Vec<_>, _>>().map(Some)
}

fn chosen<T: Copy>(
    env: &Env,
    variable: &'static str,
    choices: &[(&str, T)],
) -> Result<Option<T>, ConfigError> {
    let value = env.var(variable);
    value
        .map(|value| named(variable, &value, choices))
        .transpose()
}

fn named<T: Copy>(
    variable: &'static str,
    name: &str,
    choices: &[(&str, T)],
) -> Result<T, ConfigError> {
    let found = choices.iter().find(|(choice, _)| *choice == name);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        ConfigError::new(variable, name, format!("{} or {last}", others.join(", ")))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn env(name: &str, value: &str) -> Env {
        Env::of([(name, value)], "/usr/bin/codeflow")
    }

    #[test]
    fn wishes_are_read_and_a_wrong_one_is_named_with_what_it_may_be() {
        assert_eq!(Api::from_env(&env("X", "x")).unwrap(), Api::Auto);
        assert_eq!(Api::from_env(&env("AI_API", "chat")).unwrap(), Api::Chat);
        assert_eq!(Reasoning::from_env(&env("X", "x")).unwrap(), None);
        for (name, effort) in EFFORTS {
            let read = Reasoning::from_env(&env("AI_REASONING", name)).unwrap();
            assert_eq!(read.map(Reasoning::as_str), Some(effort.as_str()));
        }
        assert_eq!(abilities(&env("X", "x")).unwrap(), None);
        assert_eq!(
            abilities(&env("AI_ABILITIES", "tools, vision")).unwrap(),
            Some(vec![Ability::Tools, Ability::Vision])
        );
        let errors = [
            Api::from_env(&env("AI_API", "rest")).unwrap_err(),
            Reasoning::from_env(&env("AI_REASONING", "huge")).unwrap_err(),
            abilities(&env("AI_ABILITIES", "tools,smell")).unwrap_err(),
        ];
        assert_eq!(
            errors.map(|error| error.to_string()),
            [
                "AI_API=rest: auto, responses or chat",
                "AI_REASONING=huge: none, minimal, low, medium, high, xhigh or max",
                "AI_ABILITIES=smell: tools, parallel, vision, thinking or caching",
            ]
        );
    }
}
