//! The fold: whatever the order and however often events come, the conversation is the same.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use uuid::Uuid;

use super::*;
use crate::protocol::{
    FileChange, GrowingText, HtmlPiece, ModelNotice, Project, ProjectId, Team, TextPiece,
    Timestamp, ToolUse,
};

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
const RUN: RunId = RunId(Uuid::from_u128(2));
const PROMPT: MessageId = MessageId(Uuid::from_u128(3));
const RESULT: MessageId = MessageId(Uuid::from_u128(4));

fn message(id: MessageId, role: Role, kind: MessageKind, at: i64) -> Message {
    Message {
        id,
        project: PROJECT,
        run: Some(RUN),
        role,
        user: None,
        kind,
        mode: Mode::Build,
        content: "text".to_owned(),
        html: String::new(),
        image: None,
        part: None,
        answers: None,
        model: None,
        fragment: None,
        journeys: Vec::new(),
        created_at: Timestamp(at),
    }
}

fn run(state: RunState) -> Run {
    Run {
        id: RUN,
        project: PROJECT,
        message: PROMPT,
        state,
        created_at: Timestamp(10),
        finished_at: None,
        spent: None,
    }
}

fn tool(step: &str, output: Option<&str>) -> EventKind {
    EventKind::Tool {
        tool: ToolUse {
            step: step.to_owned(),
            tool: "terminal".to_owned(),
            title: "npm install".to_owned(),
            output: output.map(str::to_owned),
            failed: false,
            took: None,
        },
    }
}

fn text(turn: u32, text: &str) -> EventKind {
    EventKind::Text {
        turn,
        text: text.to_owned(),
        html: text.to_owned(),
    }
}

fn workspace() -> Workspace {
    Workspace {
        project: Project {
            id: PROJECT,
            title: "Untitled".to_owned(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        },
        messages: Vec::new(),
        runs: Vec::new(),
        events: Vec::new(),
        preview: PreviewState::None,
        version: None,
        notice: None,
        team: Team::default(),
        after: 0,
        model: ModelNotice {
            demo: true,
            label: "demo".to_owned(),
            demo_prompts: Vec::new(),
            offered: Vec::new(),
            own_key: false,
        },
        earlier: 0,
    }
}

fn events() -> Vec<Event> {
    let kinds = vec![
        EventKind::Message {
            message: message(PROMPT, Role::User, MessageKind::Prompt, 10),
        },
        EventKind::Run {
            run: run(RunState::Queued),
        },
        EventKind::Run {
            run: run(RunState::Running),
        },
        EventKind::Status {
            status: Status::Thinking,
        },
        text(1, "I will"),
        text(1, "I will write a list"),
        tool("turn-1-terminal-0", None),
        tool("turn-1-terminal-0", Some("added 3 packages")),
        EventKind::Files {
            files: vec![FileChange {
                path: "app/page.tsx".to_owned(),
            }],
        },
        EventKind::Preview {
            preview: PreviewState::Ready {
                url: "http://a/".to_owned(),
                notice: None,
            },
        },
        EventKind::Title {
            title: "Todo list".to_owned(),
        },
        EventKind::Message {
            message: message(RESULT, Role::Assistant, MessageKind::Result, 20),
        },
        EventKind::Run {
            run: run(RunState::Succeeded),
        },
    ];
    kinds
        .into_iter()
        .enumerate()
        .map(|(at, kind)| Event {
            project: PROJECT,
            seq: at as i64 + 1,
            run: Some(RUN),
            at: Timestamp(0),
            kind,
        })
        .collect()
}

fn fold(events: impl IntoIterator<Item = Event>) -> Conversation {
    let mut conversation = Conversation::from(workspace());
    for event in events {
        conversation.apply(event);
    }
    conversation
}

#[test]
fn a_run_is_shown_after_its_prompt_with_its_text_tools_and_outcome() {
    let conversation = fold(events());
    assert_eq!(
        *conversation.entries(),
        vec![Entry::Message(PROMPT), Entry::Run(RUN)]
    );
    let view = conversation.run(RUN).unwrap();
    assert_eq!(view.state(), RunState::Succeeded);
    let parts = view.parts();
    assert_eq!(parts.len(), 2);
    assert_eq!(
        *view.part(&parts[0])[0],
        Block::Text(Text {
            html: vec!["I will write a list".into()],
            took: None
        })
    );
    assert!(
        matches!(&*view.part(&parts[1])[0], Block::Tool(tool) if tool.output.as_deref() == Some("added 3 packages"))
    );
    assert_eq!(conversation.outcome(RUN).unwrap().id, RESULT);
    assert_eq!(conversation.title(), "Todo list");
    assert_eq!(conversation.status_line(), "Demo is ready");
    assert_eq!(conversation.last_files(), 9);
}

#[test]
fn the_same_events_in_any_order_and_twice_give_the_same_conversation() {
    let straight = fold(events());
    assert_eq!(fold(events().into_iter().rev()), straight);
    assert_eq!(fold(events().into_iter().chain(events())), straight);
    for turn in 1..events().len() {
        let mut rotated = events();
        rotated.rotate_left(turn);
        assert_eq!(fold(rotated), straight, "rotated by {turn}");
    }
}

#[test]
fn a_text_grows_by_pieces_once_each_until_it_is_whole() {
    let html = |block, offset, html: &str| HtmlPiece {
        block,
        offset,
        html: html.to_owned(),
    };
    let grown = |seq, pieces: Vec<HtmlPiece>| Event {
        project: PROJECT,
        seq,
        run: Some(RUN),
        at: Timestamp(0),
        kind: EventKind::TextPiece {
            turn: 1,
            piece: TextPiece {
                offset: 0,
                text: String::new(),
                html: pieces,
            },
        },
    };
    let mut conversation = fold([]);
    let shows = |conversation: &Conversation| {
        let view = conversation.run(RUN).unwrap();
        match &*view.part(&BlockKey::Text(GrowingText::Answer(1)))[0] {
            Block::Text(text) => text.html.join("|"),
            Block::Tool(tool) => panic!("{tool:?}"),
        }
    };
    for (event, expected) in [
        (grown(1, vec![html(0, 0, "<p>Kä</p>")]), "<p>Kä</p>"),
        (grown(2, vec![html(0, 6, "se</p>")]), "<p>Käse</p>"),
        (grown(2, vec![html(0, 6, "se</p>")]), "<p>Käse</p>"),
        (
            grown(3, vec![html(0, 8, ".</p>"), html(1, 0, "<p>B")]),
            "<p>Käse.</p>|<p>B",
        ),
        (grown(4, vec![html(7, 0, "missed")]), "<p>Käse.</p>|<p>B"),
        (grown(5, vec![html(0, 0, "<p>Anew</p>")]), "<p>Anew</p>"),
    ] {
        conversation.apply(event);
        assert_eq!(shows(&conversation), expected);
    }
    let whole = Event {
        kind: text(1, "All of it"),
        ..grown(6, Vec::new())
    };
    conversation.apply(whole);
    conversation.apply(grown(5, vec![html(0, 0, "late")]));
    assert_eq!(shows(&conversation), "All of it");
}

#[test]
fn a_text_that_is_whole_keeps_the_blocks_that_have_grown() {
    let blocks = |all: &[&str]| -> Vec<Arc<str>> { all.iter().copied().map(Arc::from).collect() };
    let grown = blocks(&["<p>A</p>", "<p>B</p><p>C</p>", "<pre>un"]);
    for (html, expected, kept) in [
        // The last one was not finished, and its cuts differ.
        (
            "<p>A</p><!----><p>B</p><!----><p>C</p><!----><pre>unfinished",
            vec!["<p>A</p>", "<p>B</p><p>C</p>", "<pre>unfinished"],
            2,
        ),
        (
            "<p>A</p><p>B</p><p>C</p><pre>un",
            vec!["<p>A</p>", "<p>B</p><p>C</p>", "<pre>un"],
            3,
        ),
        (
            "<p>A</p><p>B</p><!----><p>Other</p>",
            vec!["<p>A</p><p>B</p>", "<p>Other</p>"],
            0,
        ),
        ("<p>A</p>", vec!["<p>A</p>"], 1),
        ("<p>Anew</p>", vec!["<p>Anew</p>"], 0),
    ] {
        let whole = run_view::blocks_after(&grown, html);
        assert_eq!(whole, blocks(&expected));
        let same = whole.iter().zip(&grown).filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(same.count(), kept, "{html}");
    }
}

#[test]
fn what_the_workspace_says_stands_against_older_events() {
    let mut workspace = workspace();
    workspace.after = 13;
    workspace.runs = vec![run(RunState::Succeeded)];
    workspace.preview = PreviewState::Starting;
    workspace.events = events();
    let conversation = Conversation::from(workspace);
    assert_eq!(conversation.run(RUN).unwrap().state(), RunState::Succeeded);
    assert_eq!(*conversation.preview(), PreviewState::Starting);
}

#[test]
fn the_status_line_follows_the_run_at_work() {
    let mut all = events();
    all.truncate(2);
    assert_eq!(fold(all).status_line(), "Waiting to start...");
    let mut all = events();
    all.truncate(4);
    let conversation = fold(all);
    assert_eq!(conversation.status_line(), "Thinking...");
    assert!(conversation.is_busy());
}

#[test]
fn a_result_without_its_run_stands_alone() {
    let lone = Event {
        project: PROJECT,
        seq: 1,
        run: None,
        at: Timestamp(0),
        kind: EventKind::Message {
            message: message(RESULT, Role::Assistant, MessageKind::Result, 20),
        },
    };
    assert_eq!(*fold([lone]).entries(), vec![Entry::Message(RESULT)]);
}

#[test]
fn the_replays_of_a_prompt_follow_it_in_the_order_of_their_making_and_before_the_next_prompt() {
    const SECOND: MessageId = MessageId(Uuid::from_u128(5));
    const LATER: RunId = RunId(Uuid::from_u128(6));
    const REPLAY: RunId = RunId(Uuid::from_u128(7));
    let run = |id, message, at| Run {
        id,
        message,
        created_at: Timestamp(at),
        ..run(RunState::Failed)
    };
    let prompt = |id, run, at| Message {
        run: Some(run),
        ..message(id, Role::User, MessageKind::Prompt, at)
    };
    let mut workspace = workspace();
    // As the server does it: a prompt's message names its last run.
    workspace.messages = vec![prompt(PROMPT, REPLAY, 10), prompt(SECOND, LATER, 20)];
    workspace.runs = vec![
        run(RUN, PROMPT, 10),
        run(LATER, SECOND, 20),
        run(REPLAY, PROMPT, 30),
    ];
    assert_eq!(
        *Conversation::from(workspace).entries(),
        vec![
            Entry::Message(PROMPT),
            Entry::Run(RUN),
            Entry::Run(REPLAY),
            Entry::Message(SECOND),
            Entry::Run(LATER)
        ]
    );
}

#[test]
fn thinking_stands_before_what_it_led_to_and_folds_when_something_follows() {
    let at = |seq, kind| Event {
        project: PROJECT,
        seq,
        run: Some(RUN),
        at: Timestamp(0),
        kind,
    };
    let (thinking, answer) = (
        BlockKey::Text(GrowingText::Thinking(1)),
        BlockKey::Text(GrowingText::Answer(1)),
    );
    let piece = HtmlPiece {
        block: 0,
        offset: 0,
        html: "<p>Hm".to_owned(),
    };
    let grown = EventKind::ThinkingPiece {
        turn: 1,
        piece: TextPiece {
            offset: 0,
            text: "Hm".to_owned(),
            html: vec![piece],
        },
    };
    let whole = EventKind::Thinking {
        turn: 1,
        text: "Hm.".to_owned(),
        html: "<p>Hm.</p>".to_owned(),
        took: Some(4200),
    };
    let mut conversation = fold([at(1, grown.clone())]);
    assert!(conversation.run(RUN).unwrap().is_thinking(&thinking));
    // A model that thinks in the middle of its answer has begun it.
    let interrupted = fold([at(1, text(1, "I look.")), at(2, grown.clone())]);
    assert!(!interrupted.run(RUN).unwrap().is_thinking(&thinking));
    let next_turn = fold([at(1, text(0, "I look.")), at(2, grown.clone())]);
    assert!(next_turn.run(RUN).unwrap().is_thinking(&thinking));
    let events = [at(1, grown), at(2, text(1, "I look.")), at(3, whole)];
    conversation.apply_all(events[1..].to_vec());
    let view = conversation.run(RUN).unwrap();
    assert_eq!(view.parts(), [thinking.clone(), answer]);
    assert!(!view.is_thinking(&thinking));
    let expected = Text {
        html: vec!["<p>Hm.</p>".into()],
        took: Some(4200),
    };
    assert_eq!(*view.part(&thinking)[0], Block::Text(expected));
    assert_eq!(fold(events.into_iter().rev()), conversation);
}

#[test]
fn a_run_whose_words_are_all_in_its_message_has_no_steps() {
    let said = |words| Event {
        project: PROJECT,
        seq: 1,
        run: Some(RUN),
        at: Timestamp(0),
        kind: text(1, words),
    };
    let taken_back = Event { seq: 2, ..said("") };
    let conversation = fold([said("It is a shop."), taken_back]);
    let view = conversation.run(RUN).unwrap();
    assert!(view.is_bare() && !view.has_parts());
    let spoken = fold([said("It is a shop.")]);
    let view = spoken.run(RUN).unwrap();
    assert!(view.has_parts() && !view.is_bare());
    // Unknown runs may be fetched.
    let run = EventKind::Run {
        run: run(RunState::Succeeded),
    };
    let unknown = fold([Event {
        kind: run,
        ..said("")
    }]);
    let view = unknown.run(RUN).unwrap();
    assert!(!view.has_parts() && !view.is_bare());
}
