//! Comparing two versions: the differing files, and the texts of one, side by side or unified.

use leptos::prelude::*;

use super::naming::name;
use crate::{
    api::versions::{compare_file, compare_versions},
    protocol::{ApiError, ChangeKind, FileDiff, ProjectId, VersionDiff},
    ui::{
        components::{Alert, Button, ButtonSize, ButtonVariant, Skeleton, button_class},
        erased::part,
        files::{Compared, LayoutButtons, Sides, follow_width},
    },
};

/// The two versions in an address such as `1..3`.
pub fn sides_in(version: &str) -> Option<(String, String)> {
    let (from, to) = version.split_once("..")?;
    Some((from.to_owned(), to.to_owned()))
}

#[component]
pub fn ComparisonPane(project: ProjectId, from: String, to: String) -> impl IntoView {
    let which = StoredValue::new((from, to));
    let compared = LocalResource::new(move || {
        let (from, to) = which.get_value();
        compare_versions(project, Some(from), to)
    });
    let names = Memo::new(move |_| {
        compared.get()?.ok().map(|diff| {
            let before = diff.from.as_ref().map_or_else(String::new, name);
            [before, name(&diff.to)]
        })
    });
    let chosen = RwSignal::new(None::<String>);
    Effect::new(move || {
        if let Some(Ok(diff)) = compared.get() {
            chosen.set(diff.changes.first().map(|change| change.path.clone()));
        }
    });
    let file = LocalResource::new(move || {
        let path = chosen.get();
        async move {
            let (from, to) = which.get_value();
            match path {
                Some(path) => Some(compare_file(project, Some(from), to, path).await),
                None => None,
            }
        }
    });
    let unified = RwSignal::new(false);
    Effect::new(move || follow_width(unified));
    let title = move || match names.get() {
        Some([from, to]) => format!("{from} compared with {}", lower_first(&to)),
        None => "Comparing two versions".to_owned(),
    };
    view! {
        <div role="region" aria-label="Compared versions" class="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-brand/30 bg-brand/10 px-3 py-2 text-sm">
            <p class="mr-auto font-medium">{title}</p>
            <LayoutButtons unified/>
            <a href=format!("/projects/{project}") class=button_class(ButtonVariant::Outline, ButtonSize::Sm)>"Back to the newest"</a>
        </div>
        {part(move || match compared.get() {
            None => view! {
                <div aria-busy="true" class="flex flex-col gap-3 p-4">
                    <span class="sr-only">"Comparing the versions"</span>
                    {[(); 3].map(|()| view! { <Skeleton class="h-4 w-1/2"/> })}
                </div>
            }
            .into_any(),
            Some(Err(error)) => trouble(error, move || compared.refetch()),
            Some(Ok(diff)) if diff.changes.is_empty() => {
                view! { <p class="m-auto p-6 text-sm text-muted-foreground">"The two have the same files."</p> }.into_any()
            }
            Some(Ok(diff)) => view! {
                <div class="flex min-h-0 flex-1 max-md:flex-col">
                    {list(diff, chosen)}
                    <section aria-label="Compared file" class="flex min-h-0 min-w-0 flex-1 flex-col gap-2 p-3">
                        {part(move || match file.get().flatten() {
                            None => view! { <Skeleton class="h-24 w-full"/> }.into_any(),
                            Some(Err(error)) => trouble(error, move || file.refetch()),
                            Some(Ok(diff)) => texts(diff, names.get_untracked().unwrap_or_default(), unified),
                        })}
                    </section>
                </div>
            }
            .into_any(),
        })}
    }
}

fn trouble(error: ApiError, again: impl Fn() + Send + 'static) -> AnyView {
    view! {
        <div class="p-4">
            <Alert>
                <p>{error.message}</p>
                <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| again()>"Try again"</Button>
            </Alert>
        </div>
    }
    .into_any()
}

/// The files that differ.
fn list(diff: VersionDiff, chosen: RwSignal<Option<String>>) -> AnyView {
    let more = diff.count.saturating_sub(diff.changes.len());
    let files = diff.changes.into_iter().map(|change| {
        let words = match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Removed => "removed",
        };
        let path = change.path.clone();
        let is_chosen = {
            let path = path.clone();
            move || chosen.with(|chosen| chosen.as_ref() == Some(&path)).to_string()
        };
        view! {
            <li>
                <button
                    type="button"
                    aria-current=is_chosen
                    class="flex w-full cursor-pointer items-baseline gap-2 rounded-md px-2 py-1 text-left font-mono text-xs hover:bg-accent aria-[current=true]:bg-accent aria-[current=true]:font-medium focus-ring"
                    on:click=move |_| chosen.set(Some(path.clone()))
                >
                    <span class="min-w-0 flex-1 wrap-anywhere">{change.path}</span>
                    <span class="shrink-0 font-sans text-muted-foreground">{words}</span>
                </button>
            </li>
        }
    });
    let files = files.collect_view();
    view! {
        <div class="shrink-0 overflow-auto border-border bg-muted/30 p-1.5 max-md:max-h-[35%] max-md:border-b md:w-60 md:border-r">
            <ul role="list" aria-label="Changed files" class="flex flex-col gap-0.5">{files}</ul>
            <p class="p-2 text-xs text-muted-foreground empty:hidden">{(more > 0).then(|| format!("And {more} more."))}</p>
        </div>
    }
    .into_any()
}

/// A file's old and new text.
fn texts(diff: FileDiff, names: [String; 2], unified: RwSignal<bool>) -> AnyView {
    let is_text = diff.before.is_some() || diff.after.is_some();
    let [before, after] = names.clone();
    let sides = Sides {
        path: diff.path.clone(),
        texts: [
            diff.before.unwrap_or_default(),
            diff.after.unwrap_or_default(),
        ],
        names,
    };
    let comparison = StoredValue::new_local(None);
    view! {
        <p class="font-mono text-xs wrap-anywhere">{diff.path}</p>
        <p class="text-xs text-muted-foreground empty:hidden">{diff.notice}</p>
        <div aria-hidden="true" class="grid grid-cols-2 gap-2 text-xs text-muted-foreground" hidden=move || unified.get() || !is_text>
            <span>{before}</span>
            <span>{after}</span>
        </div>
        {is_text.then(|| view! { <Compared sides=Signal::stored(sides) unified=unified.into() merges=false comparison/> })}
    }
    .into_any()
}

/// The text with a lower-case first letter, for use within a sentence.
fn lower_first(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_two_dots_names_two_versions() {
        assert_eq!(sides_in("1..3"), Some(("1".to_owned(), "3".to_owned())));
        assert_eq!(sides_in("3"), None);
        assert_eq!(lower_first("Version 3"), "version 3");
    }
}
