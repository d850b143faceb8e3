//! Chooses the recording for a conversation, by its last prompt and by what was built before.

use super::{
    super::{ChatMessage, ModelError},
    recording::{Recording, Recordings, Turn},
};

/// A build, or a follow-up.
pub(super) struct Part<'a> {
    pub title: &'a str,
    pub turns: &'a [Turn],
}

const KEY_HINT: &str = "To build an app of your own, start CodeFlow with a model's key, for \
                        example `OPENAI_API_KEY=… script/run` (see `AI_PROVIDER` in the README).";

impl Recording {
    /// The folder of the build's files, and the build.
    fn build(&self) -> (String, Part<'_>) {
        let part = Part {
            title: &self.title,
            turns: &self.turns,
        };
        (format!("{}/build", self.slug), part)
    }
}

impl Recordings {
    /// The recorded part that answers the conversation's last user message.
    pub(super) fn choose<'a>(
        &'a self,
        messages: &[ChatMessage],
    ) -> Result<(String, Part<'a>), ModelError> {
        let mut said = messages.iter().rev().filter_map(|message| match message {
            ChatMessage::User { content } => Some(content.as_str()),
            ChatMessage::UserImages { .. }
            | ChatMessage::System { .. }
            | ChatMessage::Assistant { .. }
            | ChatMessage::Tool { .. } => None,
        });
        let prompt = said.next().unwrap_or_default();
        let is_said_again = said.any(|earlier| same(earlier, prompt));
        // The app is identified by the last earlier prompt that names a build, or by a build's
        // summary.
        let built = messages
            .iter()
            .rev()
            .skip_while(|message| !is_user(message))
            .skip(1)
            .find_map(|message| match message {
                ChatMessage::User { content } => self.build_for(content),
                ChatMessage::Assistant { content, .. } => self.built_by(content),
                ChatMessage::UserImages { .. }
                | ChatMessage::System { .. }
                | ChatMessage::Tool { .. } => None,
            });
        if let Some(recording) = built {
            // The build is requested again, for example after it was stopped; its prompt may match
            // a change as well.
            let is_asked = self
                .build_for(prompt)
                .is_some_and(|asked| asked.slug == recording.slug);
            let is_change = recording
                .follow_ups
                .iter()
                .any(|follow_up| same(prompt, &follow_up.prompt));
            if is_said_again && is_asked && !is_change {
                return Ok(recording.build());
            }
            return match recording
                .follow_ups
                .iter()
                .find(|follow_up| matches(prompt, &follow_up.prompt, &follow_up.keywords))
            {
                Some(follow_up) => Ok((
                    format!("{}/{}", recording.slug, follow_up.slug),
                    Part {
                        title: &follow_up.title,
                        turns: &follow_up.turns,
                    },
                )),
                None if is_asked => Ok(recording.build()),
                None => Err(ModelError::NoRecording(no_follow_up(recording))),
            };
        }
        match self.build_for(prompt) {
            Some(recording) => Ok(recording.build()),
            None => Err(ModelError::NoRecording(self.no_build())),
        }
    }

    fn build_for(&self, prompt: &str) -> Option<&Recording> {
        let exact = self
            .all()
            .iter()
            .find(|recording| same(prompt, &recording.prompt));
        // A prompt names the app before its parts: "a landing page with pricing", "a weather
        // dashboard with charts".
        exact.or_else(|| {
            let matching = self
                .all()
                .iter()
                .filter_map(|recording| Some((match_end(prompt, &recording.keywords)?, recording)));
            matching
                .min_by_key(|(end, _)| *end)
                .map(|(_, recording)| recording)
        })
    }

    /// The recording with a build or follow-up that ended with this summary.
    fn built_by(&self, content: &str) -> Option<&Recording> {
        self.all().iter().find(|recording| {
            let turns = recording
                .follow_ups
                .iter()
                .flat_map(|follow_up| &follow_up.turns);
            let mut summaries = recording
                .turns
                .iter()
                .chain(turns)
                .filter_map(|turn| turn.summary.as_deref());
            summaries.any(|summary| content.contains(summary.trim()))
        })
    }

    fn no_build(&self) -> String {
        let prompts: Vec<String> = self
            .all()
            .iter()
            .map(|recording| format!("- {}", recording.prompt))
            .collect();
        format!(
            "This is the demo, which replays recorded builds, and it has none for this prompt. It can show:\n\n{}\n\n{KEY_HINT}",
            prompts.join("\n")
        )
    }
}

fn no_follow_up(recording: &Recording) -> String {
    let prompts: Vec<String> = recording
        .follow_ups
        .iter()
        .map(|follow_up| format!("- {}", follow_up.prompt))
        .collect();
    format!(
        "This is the demo, which replays recorded builds, and it has no recording of this change. For this app it can show:\n\n{}\n\n{KEY_HINT}",
        prompts.join("\n")
    )
}

fn is_user(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::User { .. })
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
    words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn same(a: &str, b: &str) -> bool {
    words(a) == words(b)
}

/// Whether the text is the prompt, or contains every word of one of the keyword groups.
fn matches(text: &str, prompt: &str, keywords: &[Vec<String>]) -> bool {
    same(text, prompt) || match_end(text, keywords).is_some()
}

/// The position of the word that completes one of the keyword groups; `None` when the text
/// completes none.
fn match_end(text: &str, keywords: &[Vec<String>]) -> Option<usize> {
    let words = words(text);
    let place = |keyword: &String| {
        words
            .iter()
            .position(|word| *word == keyword.to_lowercase())
    };
    let ends = keywords.iter().filter_map(|group| {
        group
            .iter()
            .map(place)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()
    });
    ends.min()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::recording::Call, *};

    fn user(content: &str) -> ChatMessage {
        ChatMessage::User {
            content: content.to_owned(),
        }
    }

    fn assistant(content: &str) -> ChatMessage {
        ChatMessage::Assistant {
            content: content.to_owned(),
            tool_calls: Vec::new(),
            thoughts: None,
        }
    }

    fn chosen(messages: &[ChatMessage]) -> Result<String, String> {
        let recordings = Recordings::load().unwrap();
        recordings
            .choose(messages)
            .map(|(folder, _)| folder)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_prompt_finds_its_build_and_a_follow_up_the_app_that_was_built() {
        assert_eq!(
            chosen(&[user("build me a TODO app, with dark mode!")]).unwrap(),
            "todo-app/build"
        );
        let recordings = Recordings::load().unwrap();
        for recording in recordings.all() {
            let first = user(&recording.prompt);
            assert_eq!(
                chosen(std::slice::from_ref(&first)).unwrap(),
                format!("{}/build", recording.slug)
            );
            // Requested again after it was stopped.
            let again = [first.clone(), assistant("Stopped."), first.clone()];
            assert_eq!(chosen(&again).unwrap(), format!("{}/build", recording.slug));
            let summary = recording.turns.last().unwrap().summary.clone().unwrap();
            for follow_up in &recording.follow_ups {
                let folder = format!("{}/{}", recording.slug, follow_up.slug);
                let later = [first.clone(), assistant("Done."), user(&follow_up.prompt)];
                assert_eq!(chosen(&later).unwrap(), folder);
                // The first prompt may have left the window of previous messages.
                assert_eq!(
                    chosen(&[assistant(&summary), user(&follow_up.prompt)]).unwrap(),
                    folder
                );
            }
        }
    }

    #[test]
    fn a_stopped_build_that_is_asked_for_again_is_built_and_not_changed() {
        let asked = user("Build a kanban board with dark mode");
        assert_eq!(
            chosen(std::slice::from_ref(&asked)).unwrap(),
            "kanban-board/build"
        );
        let again = [asked.clone(), assistant("Stopped."), asked.clone()];
        assert_eq!(chosen(&again).unwrap(), "kanban-board/build");
        // A repeated change remains a change.
        let change = user("Add a dark mode toggle");
        let later = [
            asked,
            assistant("Done."),
            change.clone(),
            assistant("Stopped."),
            change,
        ];
        assert_eq!(chosen(&later).unwrap(), "kanban-board/toggle");
    }

    #[test]
    fn the_app_a_prompt_names_first_is_the_one_that_is_built() {
        for (prompt, slug) in [
            (
                "Create a landing page with a hero and pricing",
                "landing-page",
            ),
            (
                "A landing page for an analytics tool, with charts",
                "landing-page",
            ),
            (
                "A marketing page with a hero, pricing and a quiz",
                "landing-page",
            ),
            (
                "Hero, pricing and footer for my weather app",
                "landing-page",
            ),
            ("Make a pricing page for a todo app", "pricing-page"),
            (
                "A page with pricing plans and a comparison of features",
                "pricing-page",
            ),
            ("A weather dashboard with charts", "weather"),
            ("A revenue forecast dashboard", "analytics-dashboard"),
            ("A dashboard for the sales of a shop", "analytics-dashboard"),
            ("Charts of my quiz scores", "analytics-dashboard"),
            ("A quiz app with a dashboard of scores", "quiz"),
            ("A kanban board with notes on each card", "kanban-board"),
            ("A task board with charts", "kanban-board"),
            ("A task list with notes", "todo-app"),
            ("A to-do list", "todo-app"),
            ("A to do list", "todo-app"),
            ("An app to do trivia with friends", "quiz"),
            ("Notes with todo lists and dark mode", "markdown-notes"),
            ("A markdown editor with a landing page", "markdown-notes"),
        ] {
            assert_eq!(
                chosen(&[user(prompt)]).unwrap(),
                format!("{slug}/build"),
                "{prompt}"
            );
        }
        assert!(chosen(&[user("An accounting page for lighthouses")]).is_err());
    }

    #[test]
    fn follow_ups_are_found_after_each_other_and_never_name_another_app() {
        let recordings = Recordings::load().unwrap();
        for recording in recordings.all() {
            for earlier in &recording.follow_ups {
                let named = recordings
                    .build_for(&earlier.prompt)
                    .map(|named| named.slug.as_str());
                assert!(
                    named.is_none_or(|slug| slug == recording.slug),
                    "{}: {}",
                    recording.slug,
                    earlier.prompt
                );
                let summary = earlier.turns.last().unwrap().summary.as_deref().unwrap();
                for later in &recording.follow_ups {
                    let messages = [
                        user(&earlier.prompt),
                        assistant(summary),
                        user(&later.prompt),
                    ];
                    assert_eq!(
                        chosen(&messages).unwrap(),
                        format!("{}/{}", recording.slug, later.slug)
                    );
                }
            }
        }
    }

    #[test]
    fn a_prompt_without_a_recording_gets_a_list_of_recordings_and_how_to_set_a_key() {
        let refused = chosen(&[user("An accounting suite for lighthouses")]).unwrap_err();
        assert!(
            refused.contains("demo")
                && refused.contains("todo app with dark mode")
                && refused.contains("OPENAI_API_KEY"),
            "{refused}"
        );
        let refused = chosen(&[
            user("Build me a todo app with dark mode"),
            assistant("Done."),
            user("Send invoices"),
        ])
        .unwrap_err();
        assert!(
            refused.contains("Change the color scheme to blue"),
            "{refused}"
        );
    }

    #[test]
    fn every_recorded_call_has_its_files_and_every_part_ends_with_a_summary() {
        let recordings = Recordings::load().unwrap();
        assert!(recordings.all().len() >= 8);
        for recording in recordings.all() {
            assert!(recording.follow_ups.len() >= 2, "{}", recording.slug);
            let follow_ups = recording
                .follow_ups
                .iter()
                .map(|part| (part.slug.as_str(), &part.turns));
            for (slug, turns) in follow_ups.chain([("build", &recording.turns)]) {
                let last = turns.last().unwrap();
                assert!(
                    last.summary.is_some() && last.calls.is_empty(),
                    "{}/{slug}",
                    recording.slug
                );
                for call in turns.iter().flat_map(|turn| &turn.calls) {
                    if let Call::Files { tool, files } = call
                        && tool == "createOrUpdateFiles"
                    {
                        for path in files {
                            let content =
                                recordings.content(&format!("{}/{slug}", recording.slug), path);
                            assert!(!content.is_empty(), "{}/{slug}/{path}", recording.slug);
                        }
                    }
                }
            }
        }
    }
}
