//! Which models messages may ask for; what administrators see of them, and a test of each, or of
//! one's own key.

use super::{ProjectError, Projects};
use crate::{
    accounts::AdminRequest,
    agent::{Agent, TestCall},
    protocol::{ModelChoice, ModelNotice, ModelProvider, ModelTask, ModelsOverview},
    runs::OwnKeyError,
    store::Deed,
};

/// Of how many days the costs are summed up.
const DAYS: u32 = 30;

impl Projects {
    /// Which model builds where people have no keys of their own.
    pub fn installed_model(&self) -> ModelNotice {
        self.inner.agent.notice(&[])
    }

    /// Which model builds for them, and which they may choose: with keys of their own, more.
    pub async fn model(&self) -> Result<ModelNotice, ProjectError> {
        let keys = match &self.identity {
            Some(identity) => self.inner.store.key_providers(&identity.user).await?,
            None => Vec::new(),
        };
        Ok(self.inner.agent.notice(&keys))
    }

    /// Whom they ask without a message: the models that a key of their own opens where a message
    /// that names none is answered with it.
    pub(super) async fn agent(&self) -> Result<Agent, ProjectError> {
        let (inner, user) = (&self.inner, self.user()?);
        match inner.store.usual_own_key(user).await? {
            Some(provider) => self.agent_with_key(provider).await,
            None => Ok(inner.agent.clone()),
        }
    }

    /// The provider's models, asked with their own key; `NotFound` when they have none.
    async fn agent_with_key(&self, provider: ModelProvider) -> Result<Agent, ProjectError> {
        let agent = self.inner.own_keys.agent(self.user()?, provider).await;
        agent.map_err(|error| match error {
            OwnKeyError::Removed(_) => ProjectError::NotFound("key"),
            OwnKeyError::Unreadable(_) => ProjectError::Refused(error.to_string()),
            OwnKeyError::Store(error) => error.into(),
        })
    }

    /// `Invalid` when a message asks for a model that isn't offered. One that was offered when an
    /// earlier message asked for it is replaced when the run begins.
    pub(super) async fn expect_offered(&self, choice: &ModelChoice) -> Result<(), ProjectError> {
        let ModelChoice::This(wanted) = choice else {
            return Ok(());
        };
        let offered = self.model().await?.offered;
        if offered.iter().any(|model| model.id == *wanted) {
            return Ok(());
        }
        let names: Vec<&str> = offered.iter().map(|model| model.id.as_str()).collect();
        let why = match &*names {
            [] => "There is one model here. Send the message without naming one.".to_owned(),
            names => format!(
                "This model isn't offered here. Choose one of: {}.",
                names.join(", ")
            ),
        };
        Err(ProjectError::Invalid {
            field: "model",
            why,
        })
    }

    /// The providers' keys, and all models with what their answers cost everybody lately.
    pub async fn models(&self, _by: &AdminRequest) -> Result<ModelsOverview, ProjectError> {
        let mut overview = self.inner.agent.models();
        let used = self.inner.store.list_all_usage_by_model(DAYS).await?;
        for model in &mut overview.models {
            let of_model = used
                .iter()
                .find(|used| used.model.as_deref() == Some(&*model.model));
            if let Some(used) = of_model {
                (model.spent, model.runs) = (used.spent, used.runs);
            }
        }
        Ok(overview)
    }

    /// Asks a model of the list for a tool call, and says what came of it. `NotFound` for one that
    /// is not there, `Refused` when it can't build.
    pub async fn test_model(
        &self,
        by: &AdminRequest,
        alternative: u32,
        task: ModelTask,
    ) -> Result<String, ProjectError> {
        let inner = &self.inner;
        let models = inner.agent.models().models;
        let model = models
            .into_iter()
            .find(|model| {
                model.alternative == alternative && model.tasks.contains(&task) && !model.demo
            })
            .ok_or(ProjectError::NotFound("model"))?;
        let name = format!("{} · {}", model.provider, model.model);
        let deed = Deed::new("test model", "model", &model.model, &*name);
        inner.store.record(by.actor(), deed).await?;
        let tested = inner.agent.test_model(alternative as usize, task).await;
        outcome(
            &name,
            tested,
            ", or leave “tools” out of AI_ABILITIES so that it is asked in words",
        )
    }

    /// Asks the first model of the provider for a tool call, with their own key, and says what came
    /// of it. `NotFound` when they have none, `Refused` when it can't build.
    pub async fn test_own_key(&self, provider: ModelProvider) -> Result<String, ProjectError> {
        let agent = self.agent_with_key(provider).await?;
        let name = agent.notice(&[]).label;
        outcome(&name, agent.test_model(0, ModelTask::Code).await, "")
    }
}

/// What came of a test of the model. `or_else`: what may be done beside choosing another model.
fn outcome(
    name: &str,
    tested: Result<TestCall, String>,
    or_else: &str,
) -> Result<String, ProjectError> {
    let tested = tested.map_err(|error| ProjectError::Refused(format!("{name}: {error}")))?;
    let took = tested.took.as_millis();
    if !tested.called {
        return Err(ProjectError::Refused(format!(
            "{name} answered after {took} ms, but did not call the tool. A model that calls no \
             tools can't build apps: choose another one{or_else}."
        )));
    }
    Ok(format!(
        "{name} called the tool after {took} ms, with {} tokens read and {} written.",
        tested.spent.input_tokens, tested.spent.output_tokens
    ))
}
