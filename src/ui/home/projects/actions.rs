//! Actions on the listed projects: rename, duplicate, delete with undo, or leave somebody else's.
//! The page shows the result at once; the server's list follows.

use leptos::prelude::*;

use crate::{
    api::{
        projects::{delete_project, duplicate_project, list_projects, undelete_project},
        team::leave_project,
    },
    protocol::{ApiError, ProjectId, ProjectSummary},
    ui::{
        browser,
        components::{Toast, Toaster},
    },
};

/// The element that gets the focus when a card is removed.
pub const HEADING: &str = "your-projects";

/// The projects of the page, and what can be done with one.
#[derive(Clone, Copy)]
pub struct Projects {
    pub all: RwSignal<Vec<ProjectSummary>>,
    toaster: Toaster,
    pub fetch: Action<(), ()>,
}

impl Projects {
    pub fn new(all: Vec<ProjectSummary>) -> Self {
        let all = RwSignal::new(all);
        let fetch = Action::new(move |(): &()| async move {
            if let Ok(fresh) = list_projects().await {
                all.try_set(fresh);
            }
        });
        Self {
            all,
            toaster: Toaster::expect(),
            fetch,
        }
    }

    /// Fetches the list again, unless the page was left: toasts outlive it.
    pub fn refresh(self) {
        if !self.all.is_disposed() {
            self.fetch.dispatch(());
        }
    }

    pub fn find(self, id: ProjectId) -> Option<ProjectSummary> {
        self.all
            .with(|all| all.iter().find(|project| project.id == id).cloned())
    }

    /// Shows the new title at once; the server's list follows.
    pub fn retitle(self, id: ProjectId, title: &str) {
        self.all.update(|all| {
            if let Some(project) = all.iter_mut().find(|project| project.id == id) {
                title.clone_into(&mut project.title);
            }
        });
    }

    pub fn failed(self, error: ApiError) {
        self.toaster.show(Toast::error(error.message));
    }

    pub fn duplicate(self, id: ProjectId) {
        leptos::task::spawn_local(async move {
            match duplicate_project(id).await {
                Ok(copy) => {
                    self.refresh();
                    self.toaster
                        .show(Toast::new(format!("“{}” was made.", copy.title)));
                }
                Err(error) => self.failed(error),
            }
        });
    }

    /// Removes somebody else's project from the page at once.
    pub fn leave(self, project: ProjectSummary) {
        let (id, title) = (project.id, project.title);
        self.all.update(|all| all.retain(|other| other.id != id));
        browser::focus(HEADING);
        leptos::task::spawn_local(async move {
            match leave_project(id).await {
                Ok(()) => self
                    .toaster
                    .show(Toast::new(format!("You left “{title}”."))),
                Err(error) => {
                    self.refresh();
                    self.failed(error);
                }
            }
        });
    }

    /// Removes the project from the page at once, and offers to undo it.
    pub fn delete(self, project: ProjectSummary) {
        let (id, title) = (project.id, project.title.clone());
        self.all.update(|all| all.retain(|other| other.id != id));
        browser::focus(HEADING);
        leptos::task::spawn_local(async move {
            if let Err(error) = delete_project(id).await {
                self.refresh();
                return self.failed(error);
            }
            let undo = move || {
                leptos::task::spawn_local(async move {
                    match undelete_project(id).await {
                        Ok(_) => self.refresh(),
                        Err(_) => self
                            .toaster
                            .show(Toast::error("It was too late: the project is gone.")),
                    }
                });
            };
            let toast = Toast::new(format!("“{title}” was deleted."));
            self.toaster
                .show(toast.with_action("Undo", undo).expiring());
        });
    }
}
