//! Whether a project's runs may use a tool of an MCP server. A decision is made by the message that
//! answers the question about the tool; consent for once is kept in that message alone.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, StoreError, message, readable};
use crate::protocol::{
    Message, MessageId, MessagePart, NewPrompt, ProjectId, Question, Timestamp, ToolConsent,
    ToolDecision,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_consents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tool: String,
    pub decision: ToolDecision,
    pub decided_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for ToolConsent {
    fn from(model: Model) -> Self {
        Self {
            tool: model.tool,
            decision: model.decision,
            decided_at: Timestamp(model.decided_at),
        }
    }
}

impl Store {
    /// The project's decisions, by tool.
    pub async fn list_tool_consents(&self, project: ProjectId) -> Result<Vec<ToolConsent>> {
        let all = Entity::find()
            .filter(Column::ProjectId.eq(project))
            .order_by_asc(Column::Tool);
        let models = readable::models(&self.db, "consent", all).await?;
        Ok(models.into_iter().map(ToolConsent::from).collect())
    }

    /// What the run of this message may use: the project's decisions, and what the message itself
    /// allows for once.
    pub async fn decided_for(&self, message: &Message) -> Result<BTreeMap<String, ToolDecision>> {
        let kept = self.list_tool_consents(message.project).await?.into_iter();
        let mut decided: BTreeMap<_, _> = kept.map(|kept| (kept.tool, kept.decision)).collect();
        for question in asked(&self.db, message.project, message.answers).await? {
            if let Some((tool, ToolDecision::Once)) = question.decision(&message.content) {
                decided.entry(tool.to_owned()).or_insert(ToolDecision::Once);
            }
        }
        Ok(decided)
    }

    /// Takes a decision back: the tool's next call asks again. `NotFound` if there is none.
    pub async fn forget_tool_consent(&self, project: ProjectId, tool: &str) -> Result<()> {
        let tool = tool.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let deleted = Entity::delete_many()
                    .filter(Column::ProjectId.eq(project))
                    .filter(Column::Tool.eq(tool));
                match deleted.exec(tx).await?.rows_affected {
                    0 => Err(StoreError::NotFound("consent")),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}

/// Keeps what the prompt decides about the tools that it was asked about.
pub(super) async fn decide(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    prompt: &NewPrompt,
) -> Result<()> {
    for question in asked(tx, project, prompt.answers()).await? {
        if let Some(key) = &question.tool {
            forget_others(tx, project, key).await?;
        }
        match question.decision(prompt.as_str()) {
            Some((tool, decision @ (ToolDecision::Always | ToolDecision::Never))) => {
                let row = ActiveModel {
                    project_id: Set(project),
                    tool: Set(tool.to_owned()),
                    decision: Set(decision),
                    decided_at: Set(Timestamp::now().0),
                };
                let changed = [Column::Decision, Column::DecidedAt];
                let key = [Column::ProjectId, Column::Tool];
                Entity::insert(row)
                    .on_conflict(OnConflict::columns(key).update_columns(changed).to_owned())
                    .exec_without_returning(tx)
                    .await?;
            }
            // A waiting message may have decided otherwise before it was edited.
            Some((_, ToolDecision::Once)) | None => {
                if let Some(tool) = question.tool {
                    Entity::delete_by_id((project, tool)).exec(tx).await?;
                }
            }
        }
    }
    Ok(())
}

/// Removes what was decided about tools of this name whose servers were defined otherwise.
async fn forget_others(tx: &impl ConnectionTrait, project: ProjectId, key: &str) -> Result<()> {
    let (tool, _) = ToolConsent::tool_of(key);
    let kept = Entity::find().filter(Column::ProjectId.eq(project));
    for kept in readable::models(tx, "consent", kept).await? {
        if kept.tool != key && ToolConsent::tool_of(&kept.tool).0 == tool {
            let other = Entity::delete_by_id((project, kept.tool));
            other.exec(tx).await?;
        }
    }
    Ok(())
}

/// The questions of the answered message.
async fn asked(
    db: &impl ConnectionTrait,
    project: ProjectId,
    answered: Option<MessageId>,
) -> Result<Vec<Question>> {
    let Some(answered) = answered else {
        return Ok(Vec::new());
    };
    let found = message::Entity::find_by_id(answered)
        .filter(message::Column::ProjectId.eq(project))
        .one(db)
        .await?;
    let part = found.and_then(|model| model.into_message().0.part);
    Ok(match part {
        Some(MessagePart::Questions { questions }) => questions,
        Some(MessagePart::Plan { .. }) | None => Vec::new(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{MessageKind, UserId},
        store::{Reply, testing::with_project},
    };

    const TOOL: &str = "mcp__docs__search";

    #[tokio::test]
    async fn a_decision_replaces_those_about_the_tool_as_it_was_defined_before() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = with_project(&folder).await;
        let local = UserId::local();
        let mut run = run.id;
        for (tool, definition, label, kept) in [
            (TOOL, None, "Never", &[TOOL][..]),
            (
                "mcp__docs__s",
                Some("1"),
                "Never",
                &["mcp__docs__s#1", TOOL],
            ),
            (
                TOOL,
                Some("1"),
                "Always allow",
                &["mcp__docs__s#1", "mcp__docs__search#1"],
            ),
            (
                TOOL,
                Some("2"),
                "Always allow",
                &["mcp__docs__s#1", "mcp__docs__search#2"],
            ),
            (TOOL, Some("3"), "Allow once", &["mcp__docs__s#1"]),
        ] {
            let key = ToolConsent::key(tool, definition);
            let question = Question::about_tool(&key, "MCP server docs", "search");
            let said = format!("{} {label}", question.question);
            let reply = Reply::Answer {
                kind: MessageKind::Questions,
                content: "?".to_owned(),
                part: Some(MessagePart::Questions {
                    questions: vec![question],
                }),
            };
            store.finish_run(run, &reply).await.unwrap();
            let messages = store.list_messages(project.id).await.unwrap();
            let prompt = NewPrompt::new(&said).unwrap();
            let prompt = prompt.answering(Some(messages.last().unwrap().id));
            let added = store.add_prompt(&local, project.id, &prompt, None).await;
            run = added.unwrap().0.id;
            let listed = store.list_tool_consents(project.id).await.unwrap();
            let keys: Vec<&str> = listed.iter().map(|listed| &*listed.tool).collect();
            assert_eq!(keys, kept, "{key}");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_decision_is_the_project_s_until_it_is_taken_back_and_once_is_for_one_message() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = with_project(&folder).await;
        let local = UserId::local();
        let (other, ..) = store
            .create_project(&local, &NewPrompt::new("Other").unwrap(), None, "Other")
            .await
            .unwrap();
        let question = Question::about_tool(TOOL, "MCP server docs", "search");
        let asked = question.question.clone();
        let mut run = run.id;
        for (label, kept) in [
            ("Allow once", None),
            ("Always allow", Some(ToolDecision::Always)),
            ("Never", Some(ToolDecision::Never)),
            ("You decide.", None),
        ] {
            let questions = vec![question.clone()];
            let reply = Reply::Answer {
                kind: MessageKind::Questions,
                content: "?".to_owned(),
                part: Some(MessagePart::Questions { questions }),
            };
            store.finish_run(run, &reply).await.unwrap();
            let messages = store.list_messages(project.id).await.unwrap();
            let prompt = NewPrompt::new(&format!("{asked} {label}")).unwrap();
            let prompt = prompt.answering(Some(messages.last().unwrap().id));
            let added = store.add_prompt(&local, project.id, &prompt, None).await;
            let next = added.unwrap().0;
            let listed = store.list_tool_consents(project.id).await.unwrap();
            let decisions: Vec<_> = listed.iter().map(|listed| listed.decision).collect();
            assert_eq!(decisions, Vec::from_iter(kept), "{label}");
            let message = store.find_message(next.message).await.unwrap();
            let decided = store.decided_for(&message).await.unwrap();
            let once = (label == "Allow once").then_some(ToolDecision::Once);
            assert_eq!(decided.get(TOOL).copied(), kept.or(once), "{label}");
            run = next.id;
        }
        let plain = NewPrompt::new(&format!("{asked} Always allow")).unwrap();
        let added = store.add_prompt(&local, project.id, &plain, None).await;
        let message = store.find_message(added.unwrap().0.message).await.unwrap();
        assert!(store.decided_for(&message).await.unwrap().is_empty());
        assert!(store.list_tool_consents(other.id).await.unwrap().is_empty());
        let missing = store.forget_tool_consent(project.id, TOOL).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))));
        store.close().await;
    }
}
