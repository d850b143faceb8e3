//! Projects that start with an app: a copy of another project's latest version, or prepared files.
//! Their conversation begins with the request and its result, so that the agent can continue from
//! there.

use super::{
    NewFragment, Result, Store, StoreError,
    blob::{BlobHash, Hashed},
    fragment::{self, Origin},
    message, project, run, share,
    version::copy_files,
};
use crate::protocol::{
    MessageKind, Project, ProjectId, Role, TITLE_MAX_CHARS, UserId, first_chars,
};

impl Store {
    /// A new project for the user with the files of the other's latest version or draft. `NotFound`
    /// if there is no such project, `Conflict` if it has no files yet.
    pub async fn duplicate_project(&self, user: &UserId, id: ProjectId) -> Result<Project> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let source = project::there(tx, id).await?;
                let latest = fragment::latest(tx, id).await?;
                let latest = latest.ok_or(StoreError::Conflict(
                    "This project has no version yet. Duplicate it when its first one is there.",
                ))?;
                let title = format!("Copy of {}", source.title);
                let title = first_chars(&title, TITLE_MAX_CHARS);
                let said = match message::last_result(tx, id).await? {
                    Some(said) => format!("\n\n{said}"),
                    None => String::new(),
                };
                let prompt = format!("Start from a copy of “{}”.", source.title);
                let reply = format!("This is a copy of “{}”.{said}", source.title);
                let picture = source.picture.as_ref();
                copy(tx, &user, title, (&prompt, &reply), latest, picture).await
            })
        })
        .await
    }

    /// A new project for the user with the files of the share with this slug, or `NotFound`.
    pub async fn remix(&self, user: &UserId, slug: &str) -> Result<Project> {
        let (user, slug) = (user.clone(), slug.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let (shared, version) = share::open(tx, &slug).await?;
                let title = &shared.title;
                let prompt = format!("Start from a copy of “{title}”.");
                let reply = format!("This is your own copy of “{title}”. Say what to change.");
                let (said, picture) = ((&*prompt, &*reply), shared.picture.as_ref());
                copy(tx, &user, title, said, version, picture).await
            })
        })
        .await
    }

    /// A new project for the user with these files; `prompt` is what they were built from, `reply`
    /// the result.
    pub async fn create_ready_project(
        &self,
        user: &UserId,
        prompt: &str,
        reply: &str,
        new: &NewFragment,
    ) -> Result<Project> {
        let user = user.clone();
        let hashed: Hashed = self.prepare(new).await?;
        let (prompt, reply, new) = (prompt.to_owned(), reply.to_owned(), new.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let (project, origin) =
                    begin(tx, &user, &new.project_title, &prompt, &reply).await?;
                fragment::insert(tx, project.id, origin, &new, &hashed).await?;
                Ok(project)
            })
        })
        .await
    }
}

/// A new project of the user with the version's files.
async fn copy(
    tx: &sea_orm::DatabaseTransaction,
    user: &UserId,
    title: &str,
    (prompt, reply): (&str, &str),
    version: fragment::Model,
    picture: Option<&BlobHash>,
) -> Result<Project> {
    let (project, origin) = begin(tx, user, title, prompt, reply).await?;
    let files = fragment::file_set(tx, version.id).await?;
    let (title, partial) = (version.title, version.partial);
    let copy = fragment::insert_row(tx, project.id, origin, title, partial, &files).await?;
    copy_files(tx, version.id, copy.id).await?;
    fragment::set_picture(tx, project.id, copy.id, picture).await?;
    Ok(project)
}

/// The project with its two messages and their run, which its version belongs to.
async fn begin(
    tx: &sea_orm::DatabaseTransaction,
    user: &UserId,
    title: &str,
    prompt: &str,
    reply: &str,
) -> Result<(Project, Origin)> {
    let project = project::insert(tx, user, title).await?;
    let asked = message::insert(tx, project.id, Role::User, MessageKind::Prompt, prompt).await?;
    let answer = (Role::Assistant, MessageKind::Result);
    let answered = message::insert(tx, project.id, answer.0, answer.1, reply).await?;
    let run = run::insert_done(tx, project.id, asked.id, answered.id).await?;
    let origin = Origin::Run {
        run: run.id,
        message: answered.id,
    };
    Ok((project, origin))
}
