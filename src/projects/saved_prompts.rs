//! The user's library of prompts.

use super::{ProjectError, Projects};
use crate::{
    agent::provisional_title,
    protocol::{NewPrompt, PromptName, SavedPrompt, SavedPromptId},
};

impl Projects {
    /// The user's saved prompts, the one saved last first.
    pub async fn saved_prompts(&self) -> Result<Vec<SavedPrompt>, ProjectError> {
        Ok(self.inner.store.list_saved_prompts(self.user()?).await?)
    }

    /// Saves a prompt, by its first words if it has no name. `Conflict` if there are too many.
    pub async fn save_prompt(
        &self,
        name: PromptName,
        text: &NewPrompt,
    ) -> Result<SavedPrompt, ProjectError> {
        let (store, user, text) = (&self.inner.store, self.user()?, text.as_str());
        Ok(store.save_prompt(user, &named(name, text), text).await?)
    }

    /// Gives a saved prompt another name and text. `NotFound` if the user has no such prompt.
    pub async fn change_saved_prompt(
        &self,
        id: SavedPromptId,
        name: PromptName,
        text: &NewPrompt,
    ) -> Result<SavedPrompt, ProjectError> {
        let (store, user, text) = (&self.inner.store, self.user()?, text.as_str());
        let name = named(name, text);
        let changed = store.change_saved_prompt(user, id, &name, text);
        Ok(changed.await?)
    }

    /// Deletes a saved prompt. `NotFound` if the user has no such prompt.
    pub async fn delete_saved_prompt(&self, id: SavedPromptId) -> Result<(), ProjectError> {
        let deleted = self.inner.store.delete_saved_prompt(self.user()?, id);
        Ok(deleted.await?)
    }

    /// Restores a prompt that was deleted a moment ago. `NotFound` if it is too late.
    pub async fn undelete_saved_prompt(
        &self,
        id: SavedPromptId,
    ) -> Result<SavedPrompt, ProjectError> {
        let undeleted = self.inner.store.undelete_saved_prompt(self.user()?, id);
        Ok(undeleted.await?)
    }
}

fn named(name: PromptName, text: &str) -> String {
    name.given().unwrap_or_else(|| provisional_title(text))
}
