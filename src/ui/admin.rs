//! The administration pages: users, everybody's projects, sandboxes, models, the tables and the
//! audit log. They are plain HTML with forms and links that load new pages, so they work without
//! scripts; their code is fetched on demand.

mod audit;
mod data;
mod frame;
mod models;
mod project;
mod projects;
mod sandboxes;
mod users;

use leptos::prelude::*;
use leptos_router::LazyRoute;

pub use frame::AdminNav;

use super::{
    account::lazy_route,
    pane::{page, panes},
};
use audit::AuditPage;
use data::DataPage;
use models::ModelsPage;
use project::ProjectPage;
use projects::ProjectsPage;
use sandboxes::SandboxesPage;
use users::UsersPage;

lazy_route!(
    /// `/admin/users`
    administration, UsersRoute, users_page, UsersPage
);
lazy_route!(
    /// `/admin/projects`
    administration, ProjectsRoute, projects_page, ProjectsPage
);
lazy_route!(
    /// `/admin/projects/{id}`
    administration, ProjectRoute, project_page, ProjectPage
);
lazy_route!(
    /// `/admin/sandboxes`
    administration, SandboxesRoute, sandboxes_page, SandboxesPage
);
lazy_route!(
    /// `/admin/models`
    administration, ModelsRoute, models_page, ModelsPage
);
lazy_route!(
    /// `/admin/data`
    administration, DataRoute, data_page, DataPage
);
lazy_route!(
    /// `/admin/audit`
    administration, AuditRoute, audit_page, AuditPage
);
