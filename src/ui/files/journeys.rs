//! The bar over the text of a journey: plays it, or all of them, in the app as it is, and shows how
//! each went.

use leptos::{prelude::*, reactive::actions::ActionAbortHandle};

use super::{open_files::OpenFile, session::Session};
use crate::{
    api::journeys::play_journey,
    protocol::{FileNode, PlayedJourney, is_journey},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
        erased::{part, part_when, words},
        journey_end::journey_end,
    },
};

/// Which one is played now.
#[derive(Debug, Clone, PartialEq)]
struct Playing {
    file: String,
    /// Counted from 1.
    number: usize,
    count: usize,
}

/// While a journey is shown, and only for those who may change the app.
#[component]
pub fn JourneyBar(
    session: Session,
    nodes: Memo<Vec<FileNode>>,
    shown: Memo<Option<OpenFile>>,
    at_work: Memo<bool>,
) -> impl IntoView {
    let is_shown = Memo::new(move |_| {
        let is_journey = |file: &OpenFile| is_journey(&file.path);
        session.can_edit && shown.with(|file| file.as_ref().is_some_and(is_journey))
    });
    let all = Memo::new(move |_| {
        let mut found = Vec::new();
        nodes.with(|nodes| journeys(nodes, &mut found));
        found
    });
    let playing = RwSignal::new(None::<Playing>);
    let played = RwSignal::new(Vec::<PlayedJourney>::new());
    let said = RwSignal::new(String::new());
    let running = StoredValue::new(None::<ActionAbortHandle>);
    let play = Action::new(move |files: &Vec<String>| {
        let files = files.clone();
        async move {
            let count = files.len();
            for (file, number) in files.into_iter().zip(1..) {
                let now = Playing {
                    file: file.clone(),
                    number,
                    count,
                };
                // The tab was left.
                if playing.try_set(Some(now)).is_some() {
                    return;
                }
                match play_journey(session.project, file).await {
                    Ok(journey) => {
                        played.try_update(|played| played.push(journey));
                    }
                    Err(error) => {
                        playing.try_set(None);
                        said.try_set(error.message);
                        return;
                    }
                }
            }
            playing.try_set(None);
            said.try_set(
                played
                    .try_with(|played| outcome(played))
                    .unwrap_or_default(),
            );
        }
    });
    let begin = move |files: Vec<String>| {
        played.set(Vec::new());
        said.set(String::new());
        running.set_value(Some(play.dispatch(files)));
    };
    let cancel = move |_| {
        if let Some(running) = running.try_update_value(Option::take).flatten() {
            running.abort();
        }
        playing.set(None);
        said.set("Cancelled.".to_owned());
    };
    let cannot_run = Signal::derive(move || at_work.get() || playing.with(Option::is_some));
    let is_unsaved = move || shown.with(|file| file.as_ref().is_some_and(OpenFile::is_unsaved));
    let run = move |_| begin(session.current.get_untracked().into_iter().collect());
    let status = move || match playing.get() {
        Some(Playing { file, count: 1, .. }) => format!("Running {file}…"),
        Some(Playing {
            file,
            number,
            count,
        }) => format!("Running {number} of {count}: {file}…"),
        None if at_work.get() => "A run is at work. Journeys can be run when it ends.".to_owned(),
        None => said.get(),
    };
    part_when(
        move || is_shown.get(),
        move || {
            view! {
                <section aria-label="Journey" class="flex max-h-[40dvh] shrink-0 flex-col border-b border-border">
                    <div class="flex min-h-9 flex-wrap items-center gap-2 px-3 py-1 text-xs">
                        <Button variant=ButtonVariant::Outline size=ButtonSize::Sm disabled=Signal::derive(move || cannot_run.get() || is_unsaved()) on:click=run attr:title="Play this journey in the app as it is now">
                            "Run"
                        </Button>
                        <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=cannot_run on:click=move |_| begin(all.get_untracked()) attr:title="Play all journeys of the app, one after the other">
                            "Run all"
                        </Button>
                        {part_when(
                            move || playing.with(Option::is_some),
                            move || view! {
                                <Spinner/>
                                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=cancel>"Cancel"</Button>
                            }.into_any(),
                        )}
                        <p aria-live="polite" class="min-w-0 flex-1 text-muted-foreground wrap-anywhere">{words(status)}</p>
                    </div>
                    {part(move || results(played.get()))}
                </section>
            }
            .into_any()
        },
    )
}

fn results(played: Vec<PlayedJourney>) -> AnyView {
    if played.is_empty() {
        return ().into_any();
    }
    let item = |journey: PlayedJourney| {
        let (icon, class, word) = match journey.failure {
            None => (IconName::Check, "mt-0.5 size-3.5 text-brand", "Passed: "),
            Some(_) => (
                IconName::CircleAlert,
                "mt-0.5 size-3.5 text-destructive",
                "Failed: ",
            ),
        };
        let title = journey.title.clone();
        let end = journey.picture.map(|picture| {
            view! { <div class="w-28 shrink-0">{journey_end(journey.title, picture)}</div> }
        });
        view! {
            <li class="flex gap-2 px-3 py-2 text-xs">
                <Icon name=icon class=class/>
                <div class="min-w-0 flex-1">
                    <p dir="auto" class="font-medium wrap-anywhere"><span class="sr-only">{word}</span>{title}</p>
                    <p dir="auto" class="mt-1 whitespace-pre-wrap text-muted-foreground wrap-anywhere empty:hidden">{journey.failure}</p>
                </div>
                {end}
            </li>
        }
    };
    view! {
        <ul role="list" tabindex="0" aria-label="Journeys that were run" class="focus-ring-inset min-h-0 divide-y divide-border overflow-y-auto border-t border-border">
            {played.into_iter().map(item).collect_view()}
        </ul>
    }
    .into_any()
}

/// The journeys among the app's files.
fn journeys(nodes: &[FileNode], found: &mut Vec<String>) {
    for node in nodes {
        match &node.children {
            Some(children) => journeys(children, found),
            None if is_journey(&node.path) => found.push(node.path.clone()),
            None => {}
        }
    }
}

fn outcome(played: &[PlayedJourney]) -> String {
    let failed = played.iter().filter(|one| one.failure.is_some()).count();
    match (played.len(), failed) {
        (1, 0) => "It passed.".to_owned(),
        (1, _) => "It failed.".to_owned(),
        (count, 0) => format!("All {count} passed."),
        (count, failed) => format!("{failed} of {count} failed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_of_many_journeys_is_one_sentence() {
        let played = |failures: &[bool]| {
            let one = |failed: &bool| PlayedJourney {
                title: String::new(),
                failure: failed.then(String::new),
                picture: None,
            };
            outcome(&failures.iter().map(one).collect::<Vec<_>>())
        };
        assert_eq!(played(&[false]), "It passed.");
        assert_eq!(played(&[false, false]), "All 2 passed.");
        assert_eq!(played(&[false, true, false]), "1 of 3 failed.");
    }
}
