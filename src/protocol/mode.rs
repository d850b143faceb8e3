//! The mode of a message: what its run may do.

use serde::{Deserialize, Serialize};

use super::first_chars;

/// The mode of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Work on the app: the run ends with a version, unless it asks the user first.
    #[default]
    Build,
    /// Questions and a plan. The app is only read.
    Plan,
    /// An answer. The app is only read.
    Ask,
}

impl Mode {
    /// In the order in which the page offers them.
    pub const ALL: [Self; 3] = [Self::Build, Self::Plan, Self::Ask];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Plan => "plan",
            Self::Ask => "ask",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    /// The error is for people.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                let text = first_chars(text, 40);
                format!("The mode of a message can be build, plan or ask, not {text:?}.")
            })
    }
}
