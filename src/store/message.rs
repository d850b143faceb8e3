//! Messages: what the user asked, and how each run ended.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, Condition, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Result, Store, StoreError, column, fragment, run, without_nul};
use crate::protocol::{Message, MessageId, MessageKind, NewPrompt, ProjectId, Role, Timestamp};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub project_id: String,
    pub role: String,
    pub kind: String,
    pub content: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn into_message(self) -> Result<Message> {
        Ok(Message {
            id: column("message id", &self.id)?,
            project: column("project id", &self.project_id)?,
            run: None,
            role: column("message role", &self.role)?,
            kind: column("message kind", &self.kind)?,
            content: self.content,
            html: String::new(),
            fragment: None,
            created_at: Timestamp(self.created_at),
        })
    }
}

impl Store {
    /// The project's messages, oldest first, with the runs and versions that belong to them; `html` is left empty.
    pub async fn list_messages(&self, project: ProjectId) -> Result<Vec<Message>> {
        let models = Entity::find()
            .filter(Column::ProjectId.eq(project.to_string()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?;
        let mut runs = HashMap::new();
        for model in run::of_project(&self.db, project).await? {
            let id = column("run id", &model.id)?;
            runs.insert(model.message_id, id);
            if let Some(reply) = model.reply_id {
                runs.insert(reply, id);
            }
        }
        let mut fragments: HashMap<_, _> = fragment::of_project(&self.db, project).await?.into_iter().collect();
        models
            .into_iter()
            .map(|model| {
                let (run, fragment) = (runs.get(&model.id).copied(), fragments.remove(&model.id));
                Ok(Message {
                    run,
                    fragment,
                    ..model.into_message()?
                })
            })
            .collect()
    }

    /// The message, or `NotFound`; without its run and version.
    pub async fn find_message(&self, id: MessageId) -> Result<Message> {
        Entity::find_by_id(id.to_string())
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound("message"))?
            .into_message()
    }

    /// At most `limit` messages from before the one given, oldest first. An answer belongs to an earlier prompt even when it came
    /// after this one, which then had to wait.
    pub async fn messages_before(&self, message: &Message, limit: u64) -> Result<Vec<Message>> {
        let mut models = Entity::find()
            .filter(Column::ProjectId.eq(message.project.to_string()))
            .filter(Column::Id.ne(message.id.to_string()))
            .filter(
                Condition::any()
                    .add(Column::Role.eq(Role::Assistant.as_str()))
                    .add(Column::Id.lt(message.id.to_string())),
            )
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(&self.db)
            .await?;
        models.reverse();
        models.into_iter().map(Model::into_message).collect()
    }
}

pub(super) async fn insert_prompt(tx: &impl ConnectionTrait, project: ProjectId, prompt: &NewPrompt) -> Result<Message> {
    insert(tx, project, Role::User, MessageKind::Prompt, prompt.as_str()).await
}

pub(super) async fn insert(tx: &impl ConnectionTrait, project: ProjectId, role: Role, kind: MessageKind, content: &str) -> Result<Message> {
    let message = Message {
        id: MessageId::new(),
        project,
        run: None,
        role,
        kind,
        content: without_nul(content),
        html: String::new(),
        fragment: None,
        created_at: Timestamp::now(),
    };
    Entity::insert(ActiveModel {
        id: Set(message.id.to_string()),
        project_id: Set(project.to_string()),
        role: Set(role.as_str().to_owned()),
        kind: Set(kind.as_str().to_owned()),
        content: Set(message.content.clone()),
        created_at: Set(message.created_at.0),
    })
    .exec_without_returning(tx)
    .await?;
    Ok(message)
}
