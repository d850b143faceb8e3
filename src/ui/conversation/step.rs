//! An opened tool call: the whole command, the changes to each file, and the tool's answer.

use leptos::prelude::*;

use crate::{
    api::runs::get_step,
    protocol::{ChangeKind, RunId, StepChange, StepDetails},
    ui::{components::Skeleton, erased::part, pane::panes},
};

panes! {
    versions:

    /// Details of the step; they and their code are fetched when it is first opened. `output` is
    /// the part of the answer that the conversation already has.
    pub fn step_details(run: RunId, step: String, output: String) {
        details(run, step, output)
    }
}

fn details(run: RunId, step: String, output: String) -> AnyView {
    // Only a turn's calls have a record of what they wrote.
    if !step.starts_with("turn-") {
        return answer(&output);
    }
    let asked = LocalResource::new(move || get_step(run, step.clone()));
    part(move || {
        match asked.get() {
        None => view! { <div aria-busy="true" class="border-t border-border p-3"><Skeleton class="h-10 w-full"/></div> }
            .into_any(),
        Some(Ok(details)) => opened(details),
        // An old run's record may be gone, or the server unreachable.
        Some(Err(error)) if output.trim().is_empty() => {
            view! { <p class="border-t border-border px-3 py-2">{error.message}</p> }.into_any()
        }
        Some(Err(_)) => answer(&output),
    }
    })
}

fn opened(details: StepDetails) -> AnyView {
    let command = details.command.map(|command| {
        view! { <pre tabindex="0" aria-label="Command" class="timeline-text text-foreground"><span aria-hidden="true" class="text-muted-foreground select-none">"$ "</span>{command}</pre> }
    });
    // The changes say more than an output such as "written".
    let output = details.changes.is_empty().then(|| answer(&details.output));
    let changes: Vec<AnyView> = details.changes.into_iter().map(change).collect();
    view! { {command} {changes} {output} }.into_any()
}

fn answer(output: &str) -> AnyView {
    let output = match output.trim() {
        "" => "There was no output.".to_owned(),
        _ => output.to_owned(),
    };
    view! { <pre tabindex="0" aria-label="Output" class="timeline-text">{output}</pre> }.into_any()
}

/// A file, with the lines that differ.
fn change(change: StepChange) -> AnyView {
    let word = match change.kind {
        ChangeKind::Added => "new",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
    };
    let lines = change.lines.into_iter().map(|line| {
        let class = match line.as_bytes().first() {
            Some(b'+') => "diff-added",
            Some(b'-') => "diff-removed",
            Some(b'@') => "diff-place",
            _ => "diff-same",
        };
        view! { <span class=class>{line} "\n"</span> }
    });
    let lines: Vec<_> = lines.collect();
    let label = format!("Changes of {}", change.path);
    view! {
        <div class="border-t border-border">
            <p class="flex items-baseline gap-2 px-3 py-1.5">
                <code dir="auto" class="min-w-0 flex-1 font-mono text-foreground/80 wrap-anywhere">{change.path}</code>
                <span class="shrink-0">{word}</span>
                <span class="shrink-0 text-success tabular-nums">"+" {change.added}</span>
                <span class="shrink-0 text-destructive tabular-nums">"−" {change.removed}</span>
            </p>
            <p class="px-3 pb-1.5 empty:hidden">{change.notice}</p>
            <pre tabindex="0" aria-label=label class="timeline-diff empty:hidden">{lines}</pre>
        </div>
    }
    .into_any()
}
