//! Users' own keys: the models they may choose, and a model handle that uses such a key and falls
//! back to no other.

use std::sync::Arc;

use secrecy::SecretString;

use super::{Backend, CallLog, Hosted, Model};
use crate::protocol::{ModelId, ModelNotice, ModelProvider};

impl Model {
    /// The same model, with users' own keys enabled for these models.
    pub(super) fn with_own(self, hosted: Vec<Hosted>) -> Self {
        let listed = Self {
            backends: hosted.iter().cloned().map(backend).collect(),
            ..self.clone()
        };
        let offered = listed.list_offered().into_iter();
        Self {
            own: offered.zip(hosted).collect(),
            ..self
        }
    }

    /// The provider's models, asked with this user's key, configured ones first. They stand in for
    /// each other; no other key does.
    pub fn with_key(&self, provider: ModelProvider, key: &SecretString) -> Self {
        let own = self.own.iter();
        let of_provider = own.filter(|(offered, _)| offered.id.provider() == Some(provider));
        let backends = of_provider.map(|(_, hosted)| backend(hosted.with_key(key.clone())));
        Self {
            backends: backends.collect(),
            own_key: Some(provider),
            ..self.clone()
        }
    }

    /// The models that answer without a user's own key, the default first; empty if the demo
    /// answers.
    pub fn configured(&self) -> Vec<ModelId> {
        self.offered.iter().map(|model| model.id.clone()).collect()
    }

    /// The page's notice for a user with keys of these providers: their models can be chosen, and
    /// take precedence over the demo.
    pub fn notice_for(&self, keys: &[ModelProvider]) -> ModelNotice {
        let mut notice = self.notice();
        let has_key = |id: &ModelId| id.provider().is_some_and(|it| keys.contains(&it));
        let mut offered = self.offered.to_vec();
        for (own, _) in self.own.iter() {
            if has_key(&own.id) && !offered.iter().any(|model| model.id == own.id) {
                offered.push(own.clone());
            }
        }
        for model in &mut offered {
            model.own_key = has_key(&model.id);
        }
        if let Some(first) = offered.first() {
            notice.own_key = first.own_key;
            if notice.demo {
                (notice.demo, notice.demo_prompts) = (false, Vec::new());
                notice.label.clone_from(&first.label);
            }
        }
        notice.offered = offered;
        if notice.offered.len() < 2 {
            notice.offered.clear();
        }
        notice
    }
}

fn backend(hosted: Hosted) -> Arc<(Backend, CallLog)> {
    Arc::new((Backend::Hosted(Box::new(hosted)), CallLog::default()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::config::{Env, Llm, Provider};

    async fn model(variables: &[(&str, &str)]) -> Model {
        // As the program does at its start.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let env = Env::of(variables.iter().copied(), "/usr/bin/codeflow");
        let llm = Llm::from_env(&env).await.unwrap();
        let own = Llm::for_own_keys(&env, &llm).await.unwrap();
        assert!(own.iter().all(|llm| llm.api_key.is_none()));
        Model::new(llm, own, Vec::new()).unwrap()
    }

    fn ids(notice: &ModelNotice) -> Vec<(&str, bool)> {
        let offered = notice.offered.iter();
        offered
            .map(|model| (model.id.as_str(), model.own_key))
            .collect()
    }

    #[tokio::test]
    async fn who_has_keys_may_choose_their_providers_models_beside_the_installation_s() {
        use ModelProvider::{Anthropic, Gemini, OpenAi};
        let variables = [
            ("AI_PROVIDER", "openai"),
            ("OPENAI_API_KEY", "x"),
            ("AI_MODEL", "mine"),
        ];
        let model = model(&variables).await;
        assert!(ids(&model.notice_for(&[])).is_empty());
        assert_eq!(model.configured(), [ModelId::new("openai", "mine")]);
        let own = model.notice_for(&[OpenAi]);
        assert!(own.own_key && own.offered.is_empty());
        assert_eq!(
            ids(&model.notice_for(&[Anthropic, Gemini])),
            [
                ("openai/mine", false),
                ("anthropic/claude-sonnet-5-5", true),
                ("gemini/gemini-3.8-flash", true),
            ]
        );
    }

    #[tokio::test]
    async fn a_key_takes_the_demo_s_place_and_has_no_stand_in_of_another_provider() {
        let model = model(&[("AI_PROVIDER", "demo")]).await;
        assert!(model.notice_for(&[]).demo && model.configured().is_empty());
        let notice = model.notice_for(&[ModelProvider::Anthropic]);
        assert!(!notice.demo && notice.own_key && notice.demo_prompts.is_empty());
        assert_eq!(notice.label, "anthropic · claude-sonnet-5-5");
        let own = model.with_key(ModelProvider::Anthropic, &"secret".into());
        assert_eq!(own.alternatives(), 0);
        assert_eq!(own.notice().label, notice.label);
    }

    #[tokio::test]
    async fn openai_s_key_is_not_sent_to_another_server() {
        let variables = [
            ("AI_PROVIDER", "custom"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
        ];
        let env = Env::of(variables, "/usr/bin/codeflow");
        let llm = Llm::from_env(&env).await.unwrap();
        let own = Llm::for_own_keys(&env, &llm).await.unwrap();
        let own: Vec<_> = own
            .iter()
            .map(|llm| (llm.provider, &*llm.base_url))
            .collect();
        assert_eq!(own[0], (Provider::OpenAi, "https://api.openai.com/v1"));
        assert_eq!(own.len(), ModelProvider::ALL.len());
    }
}
