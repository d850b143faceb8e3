//! What a run begins with: the system prompt, the previous messages, the app's files, and the
//! user's message.

mod design;
mod improve;
mod memory;
mod titles;

pub use design::Design;
pub use memory::{NOTES, REQUEST_BEGINNING, earlier_requests};
use serde::{Deserialize, Serialize};
pub use titles::{Titles, provisional_title};

use super::{nextjs::prompts, text::secrets};
use crate::{
    llm::{ChatMessage, Omission},
    protocol::{LeftOut, Message, Mode, Role, Spent, list_left_out},
};

/// The prompt's version in a comment on the first line, then role, environment, rules, and how to
/// end. Parts about the framework are in [`prompts`], under the names in braces.
const BUILD_PROMPT: &str = include_str!("input/prompts/system.md");
const PLAN_PROMPT: &str = include_str!("input/prompts/plan.md");
const ASK_PROMPT: &str = include_str!("input/prompts/ask.md");
/// How many paths the model sees; it explores a larger project with tools.
const MAX_PATHS: usize = 400;
/// How much of the recently changed files the model sees, in bytes: in total, and per file.
const MAX_CHANGED: usize = 32 << 10;
const MAX_CHANGED_FILE: usize = 12 << 10;

/// The heading above the contents of the files that were changed last.
const CHANGED: &str = "\n\nThose that were changed last, as they are now:\n";

/// A message from before this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrevMessage {
    pub role: Role,
    pub content: String,
}

impl PrevMessage {
    /// The message, with its image's description if that is known.
    pub fn new(message: Message, design: Option<&Design>) -> Self {
        let design = design.filter(|design| !design.spec.is_empty());
        let content = match (design, message.image) {
            (Some(design), _) => design.before(&message.content),
            (None, Some(_)) => format!("{}\n\n[an image was attached]", message.content),
            (None, None) => message.content,
        };
        Self {
            role: message.role,
            content,
        }
    }

    pub(super) fn to_chat(&self) -> ChatMessage {
        match self.role {
            Role::User => ChatMessage::User {
                content: self.content.clone(),
            },
            Role::Assistant => ChatMessage::Assistant {
                content: self.content.clone(),
                tool_calls: Vec::new(),
                thoughts: None,
            },
        }
    }
}

/// The app's files, as the model sees them.
#[derive(Debug, Clone, Copy)]
pub struct CodeFiles<'a> {
    pub paths: &'a [String],
    /// The recently changed files, latest first: paths and contents.
    pub changed: &'a [(String, Vec<u8>)],
    /// The file with the project's notes, if there is one.
    pub notes: Option<&'a [u8]>,
    /// Files in the app's folder that versions leave out.
    pub left_out: &'a [LeftOut],
}

/// The beginning of a run's chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInput {
    pub messages: Vec<ChatMessage>,
    /// The version of its system prompt.
    #[serde(default)]
    pub prompt_version: u32,
    /// The description of the message's image.
    #[serde(default)]
    pub design: Option<Design>,
    /// The cost of that description.
    #[serde(default)]
    pub spent: Spent,
}

impl AgentInput {
    /// The constant parts come first, for the providers' prompt caches; the user's message comes
    /// last, word for word. `plan` is the note about the plan to follow.
    pub fn new(
        mode: Mode,
        plan: Option<String>,
        previous: &[PrevMessage],
        files: &CodeFiles<'_>,
        prompt: &str,
        design: Option<Design>,
    ) -> Self {
        let (prompt_version, system) = system_prompt(mode);
        let mut messages = vec![ChatMessage::System { content: system }];
        messages.extend(previous.iter().map(PrevMessage::to_chat));
        let mut listing = files
            .paths
            .iter()
            .take(MAX_PATHS)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        if files.paths.len() > MAX_PATHS {
            listing.push_str(&format!(
                "\n… and {} more; use listFiles",
                files.paths.len() - MAX_PATHS
            ));
        }
        messages.push(ChatMessage::System {
            content: format!(
                "The files of the app at this moment:\n{listing}{}{}{}",
                left_out(files.left_out),
                files.notes.map(memory::notes).unwrap_or_default(),
                changed(files.changed)
            ),
        });
        messages.extend(plan.map(|content| ChatMessage::System { content }));
        messages.push(ChatMessage::User {
            content: design
                .as_ref()
                .map_or_else(|| prompt.to_owned(), |design| design.before(prompt)),
        });
        Self {
            messages,
            prompt_version,
            spent: design
                .as_ref()
                .map(|design| design.spent)
                .unwrap_or_default(),
            design,
        }
    }
}

/// The system prompt's version and text.
fn system_prompt(mode: Mode) -> (u32, String) {
    let prompt = match mode {
        Mode::Build => BUILD_PROMPT,
        Mode::Plan => PLAN_PROMPT,
        Mode::Ask => ASK_PROMPT,
    };
    let (version, text) = versioned(prompt);
    let mut text = text.to_owned();
    for (name, part) in prompts::PARTS {
        text = text.replace(&format!("{{{name}}}"), part.trim_end());
    }
    (version.parse().unwrap_or_default(), text)
}

/// A prompt's version, which its first line has, and its text.
pub fn versioned(prompt: &str) -> (&str, &str) {
    let (first, text) = prompt.split_once('\n').unwrap_or_default();
    let version = first
        .trim_start_matches("<!-- version ")
        .trim_end_matches("-->");
    (version.trim(), text.trim())
}

/// The files that a version will not keep, so that the model may fix it.
fn left_out(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    format!(
        "\n\nAlso there, but not kept in the app's versions (remove or fix what is not intended):\n{}",
        list_left_out(left_out)
    )
}

/// The contents of the recently changed files, as far as there is room.
fn changed(files: &[(String, Vec<u8>)]) -> String {
    let mut text = String::new();
    let mut left_out = Vec::new();
    for (path, content) in files
        .iter()
        .filter(|(path, _)| !secrets::is_secret_file(path))
    {
        match std::str::from_utf8(content) {
            Ok(content)
                if content.len() <= MAX_CHANGED_FILE
                    && text.len() + content.len() <= MAX_CHANGED =>
            {
                text.push_str(&format!("\n=== {path}\n{}\n", content.trim_end()));
            }
            _ => left_out.push(path.as_str()),
        }
    }
    if !left_out.is_empty() {
        text.push_str(&format!(
            "\nChanged as well, but not shown: {}\n",
            left_out.join(", ")
        ));
    }
    if text.is_empty() {
        return text;
    }
    format!("{CHANGED}{text}")
}

/// Leaves out the part that may have made the provider refuse the chat. Returns whether there was
/// any.
pub(super) fn leave_out(messages: &mut Vec<ChatMessage>, what: Omission) -> bool {
    let before = messages.len();
    let mut less = false;
    for message in messages.iter_mut() {
        if let ChatMessage::Assistant { thoughts, .. } = message {
            less |= thoughts.take().is_some();
        }
    }
    // The app's files are listed between the previous messages and the user's.
    let Some(files) = messages
        .iter()
        .skip(1)
        .position(|message| matches!(message, ChatMessage::System { .. }))
    else {
        return less;
    };
    if matches!(what, Omission::PreviousMessages | Omission::FileContents) {
        messages.drain(1..=files);
    }
    if what == Omission::FileContents
        && let Some(ChatMessage::System { content }) = messages.get_mut(1)
        && let Some(at) = content.find(CHANGED)
    {
        content.truncate(at);
        less = true;
    }
    less || messages.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_prompt_changes_only_deliberately() {
        let (version, prompt) = system_prompt(Mode::Build);
        insta::assert_snapshot!(format!("version-{version}"), prompt);
        for mode in [Mode::Plan, Mode::Ask] {
            let (version, prompt) = system_prompt(mode);
            let name = format!("{}-version-{version}", mode.as_str());
            insta::assert_snapshot!(name, prompt);
        }
    }

    #[test]
    fn the_prompt_lists_exactly_the_template_s_components() {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sandbox-templates/nextjs/components/ui"
        );
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                Some(
                    entry
                        .ok()?
                        .file_name()
                        .to_str()?
                        .strip_suffix(".tsx")?
                        .to_owned(),
                )
            })
            .collect();
        there.sort();
        let (_, prompt) = system_prompt(Mode::Build);
        let (_, list) = prompt
            .split_once("each in a file of its own:")
            .unwrap_or_default();
        let (list, _) = list.split_once(". Import").unwrap_or_default();
        let named: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        assert_eq!(named, there);
    }

    #[test]
    fn a_refused_chat_loses_more_and_more_of_what_is_old_but_never_the_user_s_message() {
        let previous = [
            PrevMessage {
                role: Role::User,
                content: "before".to_owned(),
            },
            PrevMessage {
                role: Role::Assistant,
                content: "done".to_owned(),
            },
        ];
        let changed = [("a.ts".to_owned(), b"odd".to_vec())];
        let files = CodeFiles {
            paths: &["a.ts".to_owned()],
            changed: &changed,
            notes: None,
            left_out: &[],
        };
        let whole = AgentInput::new(Mode::Build, None, &previous, &files, "now", None).messages;
        let mut chat = whole.clone();
        assert!(!leave_out(&mut chat, Omission::Thoughts));
        assert_eq!(chat, whole);
        assert!(leave_out(&mut chat, Omission::PreviousMessages));
        assert_eq!(chat, [&whole[..1], &whole[3..]].concat());
        assert!(!leave_out(&mut chat, Omission::PreviousMessages));
        assert!(leave_out(&mut chat, Omission::FileContents));
        assert_eq!(
            chat,
            AgentInput::new(
                Mode::Build,
                None,
                &[],
                &CodeFiles {
                    changed: &[],
                    ..files
                },
                "now",
                None
            )
            .messages
        );
        assert!(!leave_out(&mut chat, Omission::FileContents));
    }

    #[test]
    fn changed_files_are_shown_as_far_as_there_is_room_except_secret_ones() {
        let file = |path: &str, bytes: usize| (path.to_owned(), vec![b'x'; bytes]);
        let files = [
            file("a.ts", 3),
            file(".env", 3),
            file("long.ts", MAX_CHANGED_FILE + 1),
            ("logo.png".to_owned(), vec![0xff]),
        ];
        assert_eq!(
            changed(&files),
            "\n\nThose that were changed last, as they are now:\n\n=== a.ts\nxxx\n\nChanged as well, but not shown: long.ts, logo.png\n"
        );
        assert_eq!(changed(&[]), "");
    }
}
