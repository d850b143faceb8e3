//! Messages: what the user asked, and how each run ended.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveValue::Set,
    Condition, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Func, Query, SelectStatement},
};

use super::{
    Result, Store, StoreError, blob::BlobHash, fragment, image, passed_journey, readable, run,
    to_json, user, without_nul,
};
use crate::protocol::{
    Image, ImageId, Message, MessageId, MessageKind, MessagePart, Mode, ModelChoice, ModelId,
    NewPrompt, ProjectId, Role, Timestamp, UserId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    pub project_id: ProjectId,
    pub role: Role,
    pub kind: MessageKind,
    pub content: String,
    pub created_at: i64,
    pub image_hash: Option<BlobHash>,
    /// The message that took its place, or its own id where none did.
    pub replaced_by: Option<MessageId>,
    pub mode: Mode,
    /// JSON.
    pub part: Option<String>,
    pub answers: Option<MessageId>,
    /// The author; `None` for the agent, and for the project's owner where no author was recorded.
    pub user_id: Option<UserId>,
    /// The model that a prompt asks for, where it names one.
    pub model: Option<ModelId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The message and the hash of its image, which is left for [`image::with_images`].
    pub(super) fn into_message(self) -> (Message, Option<BlobHash>) {
        let message = Message {
            id: self.id,
            project: self.project_id,
            run: None,
            role: self.role,
            user: self.user_id,
            kind: self.kind,
            mode: self.mode,
            content: self.content,
            html: String::new(),
            image: None,
            // The content says the same, so an unreadable part is left out.
            part: self.part.and_then(|part| serde_json::from_str(&part).ok()),
            answers: self.answers,
            model: self.model,
            fragment: None,
            journeys: Vec::new(),
            created_at: Timestamp(self.created_at),
        };
        (message, self.image_hash)
    }
}

impl Store {
    /// The messages of the conversation, oldest first; see [`Store::list_messages_before`].
    pub async fn list_messages(&self, project: ProjectId) -> Result<Vec<Message>> {
        let all = i64::MAX.unsigned_abs();
        Ok(self.list_messages_before(project, None, all).await?.0)
    }

    /// The last `limit` prompts before the given one, each with its replies, oldest first; and the
    /// number of still earlier prompts. Messages have their runs and versions; `html` is left
    /// empty.
    pub async fn list_messages_before(
        &self,
        project: ProjectId,
        before: Option<MessageId>,
        limit: u64,
    ) -> Result<(Vec<Message>, u64)> {
        let prompts = || {
            Entity::find()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::Role.eq(Role::User))
                .filter(Column::ReplacedBy.is_null())
        };
        let mut last = prompts().select_only().column(Column::Id);
        if let Some(before) = before {
            last = last.filter(Column::Id.lt(before));
        }
        let last = last.order_by_desc(Column::Id).limit(limit);
        let last: Vec<MessageId> = last.into_tuple().all(&self.db).await?;
        let first = last.last().copied();
        let earlier = match first {
            Some(first) => {
                prompts()
                    .filter(Column::Id.lt(first))
                    .count(&self.db)
                    .await?
            }
            None => 0,
        };
        let last: HashSet<MessageId> = last.into_iter().collect();

        // A reply may come later than the prompts that follow its own.
        let mut all = Entity::find()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::ReplacedBy.is_null())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        if let Some(first) = first.filter(|_| earlier > 0) {
            all = all.filter(Column::Id.gte(first));
        }
        let mut models = readable::models(&self.db, "message", all).await?;
        let (mut runs, mut answered) = (HashMap::new(), HashMap::new());
        for model in run::of_project(&self.db, project).await? {
            runs.insert(model.message_id, model.id);
            if let Some(reply) = model.reply_id {
                runs.insert(reply, model.id);
                answered.insert(reply, model.message_id);
            }
        }
        models.retain(|model| match answered.get(&model.id) {
            Some(prompt) => last.contains(prompt),
            None if model.role == Role::User => last.contains(&model.id),
            None => before.is_none_or(|before| model.id < before),
        });
        let mut fragments = fragment::of_project(&self.db, project).await?;
        let mut journeys = passed_journey::of_messages(&self.db, ids(project)).await?;
        let mut messages = Vec::with_capacity(models.len());
        for model in models {
            let (run, fragment) = (runs.get(&model.id).copied(), fragments.remove(&model.id));
            let (message, image) = model.into_message();
            messages.push((
                Message {
                    run,
                    fragment,
                    journeys: journeys.remove(&message.id).unwrap_or_default(),
                    ..message
                },
                image,
            ));
        }
        Ok((image::with_images(&self.db, messages).await?, earlier))
    }

    /// The message, or `NotFound`; without its run and version.
    pub async fn find_message(&self, id: MessageId) -> Result<Message> {
        let model = Entity::find_by_id(id).one(&self.db).await?;
        let message = model.ok_or(StoreError::NotFound("message"))?.into_message();
        let mut found = image::with_images(&self.db, vec![message]).await?;
        found.pop().ok_or(StoreError::NotFound("message"))
    }

    /// What was asked to be built before this message, except in those that are `shown`, the latest
    /// first: the first `chars` characters of at most `limit` texts.
    pub async fn requests_before(
        &self,
        message: &Message,
        shown: &[Message],
        limit: u64,
        chars: i32,
    ) -> Result<Vec<String>> {
        let beginning = Func::cust("SUBSTR").args([
            Expr::col(Column::Content),
            Expr::value(1),
            Expr::value(chars),
        ]);
        let prompts = Entity::find()
            .filter(Column::ProjectId.eq(message.project))
            .filter(Column::Role.eq(Role::User))
            .filter(Column::Mode.ne(Mode::Ask))
            .filter(Column::ReplacedBy.is_null())
            .filter(Column::Id.lt(message.id))
            .filter(Column::Id.is_not_in(shown.iter().map(|message| message.id)))
            .order_by_desc(Column::Id)
            .limit(limit)
            .select_only()
            .column_as(Expr::from(beginning), "beginning")
            .into_tuple();
        Ok(prompts.all(&self.db).await?)
    }

    /// At most `limit` messages of the conversation before the given one, oldest first. Replies
    /// after that message belong to earlier prompts: this one was still queued.
    pub async fn messages_before(&self, message: &Message, limit: u64) -> Result<Vec<Message>> {
        let before = Entity::find()
            .filter(Column::ProjectId.eq(message.project))
            .filter(Column::ReplacedBy.is_null())
            .filter(Column::Id.ne(message.id))
            .filter(
                Condition::any()
                    .add(Column::Role.eq(Role::Assistant))
                    .add(Column::Id.lt(message.id)),
            )
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(limit);
        let models = readable::models(&self.db, "message", before)
            .await?
            .into_iter()
            .rev();
        let messages = models.map(Model::into_message).collect();
        image::with_images(&self.db, messages).await
    }
}

/// Saves a prompt with the plan that it approves and its image. `NotFound` if the user's image is
/// gone.
pub(super) async fn insert_prompt(
    tx: &impl ConnectionTrait,
    user: &UserId,
    project: ProjectId,
    prompt: &NewPrompt,
    part: Option<MessagePart>,
    image: Option<&ImageId>,
) -> Result<Message> {
    let image = match image {
        Some(id) => Some(attach(tx, user, project, id).await?),
        None => None,
    };
    let same = match prompt.model() {
        ModelChoice::Same => last_model(tx, project).await?,
        ModelChoice::First | ModelChoice::This(_) => None,
    };
    let message = Message {
        image,
        user: user::noted(user),
        mode: prompt.mode(),
        part,
        answers: prompt.answers(),
        model: prompt.model().clone().or(same),
        ..new(project, Role::User, MessageKind::Prompt, prompt.as_str())
    };
    save(tx, &message).await?;
    Ok(message)
}

/// The model that the project's last prompt asked for.
async fn last_model(tx: &impl ConnectionTrait, project: ProjectId) -> Result<Option<ModelId>> {
    let last = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Role.eq(Role::User))
        .filter(Column::ReplacedBy.is_null())
        .order_by_desc(Column::Id)
        .select_only()
        .column(Column::Model)
        .into_tuple();
    Ok(last.one(tx).await?.flatten())
}

/// The image for a message of the project: uploaded by the user, or used in another message of the
/// project, since whoever sends a message again need not have attached its image. `NotFound` if it
/// is gone.
pub(super) async fn attach(
    tx: &impl ConnectionTrait,
    user: &UserId,
    project: ProjectId,
    id: &ImageId,
) -> Result<Image> {
    let sent = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::ImageHash.eq(BlobHash::from(id)));
    let is_at_hand = sent.count(tx).await? > 0;
    image::attach(tx, (!is_at_hand).then_some(user), id).await
}

/// The hashes of all messages' images, for a query of what is in use.
pub(super) fn image_hashes() -> SelectStatement {
    let mut hashes = Entity::find()
        .select_only()
        .column(Column::ImageHash)
        .filter(Column::ImageHash.is_not_null());
    QuerySelect::query(&mut hashes).take()
}

/// The text of the project's last result with a version.
pub(super) async fn last_result(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Option<String>> {
    let results = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Kind.eq(MessageKind::Result))
        .filter(Column::Mode.eq(Mode::Build))
        .filter(Column::ReplacedBy.is_null())
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id);
    Ok(results.one(db).await?.map(|model| model.content))
}

/// The hashes of the images of the project's messages.
pub(super) async fn images_of(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<BlobHash>> {
    let with_image = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::ImageHash.is_not_null());
    let models = readable::models(db, "message", with_image).await?;
    Ok(models
        .into_iter()
        .filter_map(|model| model.image_hash)
        .collect())
}

/// A new message, not saved yet.
pub(super) fn new(project: ProjectId, role: Role, kind: MessageKind, content: &str) -> Message {
    Message {
        id: MessageId::new(),
        project,
        run: None,
        role,
        user: None,
        kind,
        mode: Mode::default(),
        content: without_nul(content),
        html: String::new(),
        image: None,
        part: None,
        answers: None,
        model: None,
        fragment: None,
        journeys: Vec::new(),
        created_at: Timestamp::now(),
    }
}

pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    role: Role,
    kind: MessageKind,
    content: &str,
) -> Result<Message> {
    let message = new(project, role, kind, content);
    save(tx, &message).await?;
    Ok(message)
}

/// The project's messages, for a query of what belongs to them.
fn ids(project: ProjectId) -> SelectStatement {
    Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::ProjectId.eq(project))
        .to_owned()
}

/// Adds the message; its run and its version are saved by themselves.
pub(super) async fn save(tx: &impl ConnectionTrait, message: &Message) -> Result<()> {
    let part = message.part.as_ref();
    let part = part.map(|part| to_json("part", part)).transpose()?;
    let image = message.image.as_ref();
    Entity::insert(ActiveModel {
        id: Set(message.id),
        project_id: Set(message.project),
        role: Set(message.role),
        kind: Set(message.kind),
        content: Set(message.content.clone()),
        created_at: Set(message.created_at.0),
        image_hash: Set(image.map(|image| BlobHash::from(&image.id))),
        replaced_by: Set(None),
        mode: Set(message.mode),
        part: Set(part),
        answers: Set(message.answers),
        user_id: Set(message.user.clone()),
        model: Set(message.model.clone()),
    })
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

/// The model that the message asks for, where it names one.
pub(super) async fn model_of(db: &impl ConnectionTrait, id: MessageId) -> Result<Option<ModelId>> {
    let found = Entity::find_by_id(id)
        .select_only()
        .column(Column::Model)
        .into_tuple::<Option<ModelId>>();
    Ok(found.one(db).await?.flatten())
}

/// The mode of the message.
pub(super) async fn mode(db: &impl ConnectionTrait, id: MessageId) -> Result<Mode> {
    let found = Entity::find_by_id(id)
        .select_only()
        .column(Column::Mode)
        .into_tuple();
    Ok(found.one(db).await?.unwrap_or_default())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_earlier_requests_only_the_beginnings_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let (user, new) = (UserId::local(), |text| NewPrompt::new(text).unwrap());
        let first = new("Größer, and round");
        let made = store.create_project(&user, &first, None, "Build").await;
        let project = made.unwrap().0.id;
        let mut last = None;
        for text in ["Blue", "Last"] {
            let added = store.add_prompt(&user, project, &new(text), None).await;
            last = Some(added.unwrap().0.message);
        }
        let last = store.find_message(last.unwrap()).await.unwrap();
        let read = store.requests_before(&last, &[], 300, 6).await.unwrap();
        assert_eq!(read, ["Blue", "Größer"]);
        store.close().await;
    }
}
