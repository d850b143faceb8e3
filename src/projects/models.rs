//! The models that messages may ask for; their overview for administrators; and a test of each
//! model, or of a user's own key.

use super::{ProjectError, Projects};
use crate::{
    accounts::AdminRequest,
    agent::{Agent, TestCall},
    protocol::{ModelChoice, ModelNotice, ModelProvider, ModelTask, ModelsOverview},
    runs::OwnKeyError,
    store::Deed,
};

/// The period over which costs are summed up, in days.
const DAYS: u32 = 30;

impl Projects {
    /// The model that builds where users have no keys of their own.
    pub fn installed_model(&self) -> ModelNotice {
        self.inner.agent.notice(&[])
    }

    /// The model that builds for the user, and those they may choose. Own keys add more.
    pub async fn model(&self) -> Result<ModelNotice, ProjectError> {
        let keys = match &self.identity {
            Some(identity) => self.inner.store.key_providers(&identity.user).await?,
            None => Vec::new(),
        };
        Ok(self.inner.agent.notice(&keys))
    }

    /// The agent for requests without a message: the models of the user's own key, if that key
    /// would answer a message that names no model.
    pub(super) async fn agent(&self) -> Result<Agent, ProjectError> {
        let (inner, user) = (&self.inner, self.user()?);
        match inner.store.usual_own_key(user).await? {
            Some(provider) => self.agent_with_key(provider).await,
            None => Ok(inner.agent.clone()),
        }
    }

    /// The provider's models, asked with the user's own key; `NotFound` without a key.
    async fn agent_with_key(&self, provider: ModelProvider) -> Result<Agent, ProjectError> {
        let agent = self.inner.own_keys.agent(self.user()?, provider).await;
        agent.map_err(|error| match error {
            OwnKeyError::Removed(_) => ProjectError::NotFound("key"),
            OwnKeyError::Unreadable(_) => ProjectError::Refused(error.to_string()),
            OwnKeyError::Store(error) => error.into(),
        })
    }

    /// `Invalid` if a message asks for a model that isn't offered. A model that is no longer
    /// offered when its run begins is replaced then.
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

    /// The providers' keys, and all models with the recent cost of their answers to all users.
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

    /// Asks a model of the list for a tool call, and returns the outcome. `NotFound` if it is not
    /// in the list, `Refused` if it can't build.
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

    /// Asks the provider's first model for a tool call with the user's own key, and returns the
    /// outcome. `NotFound` without a key, `Refused` if the model can't build.
    pub async fn test_own_key(&self, provider: ModelProvider) -> Result<String, ProjectError> {
        let agent = self.agent_with_key(provider).await?;
        let name = agent.notice(&[]).label;
        outcome(&name, agent.test_model(0, ModelTask::Code).await, "")
    }
}

/// The outcome of a model's test. `or_else`: what the user can do besides choosing another model.
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
