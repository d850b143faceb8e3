//! The tools of a run: those that change the app are only available for building.

use crate::protocol::Mode;

/// The purpose of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolPurpose {
    /// It reads the app.
    Read,
    /// It has others read the app.
    Explore,
    /// It may change the app, or run what is in it.
    Change,
    /// It asks the user, which ends the run.
    Question,
    /// It ends the work on a plan.
    Plan,
    /// It ticks off a step of the approved plan.
    Tick,
}

/// The tools of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolset {
    Build,
    /// A build that follows an approved plan.
    BuildByPlan,
    Plan,
    Ask,
}

impl Toolset {
    /// `has_plan`: the project has an approved plan.
    pub fn of(mode: Mode, has_plan: bool) -> Self {
        match mode {
            Mode::Build if has_plan => Self::BuildByPlan,
            Mode::Build => Self::Build,
            Mode::Plan => Self::Plan,
            Mode::Ask => Self::Ask,
        }
    }

    pub(super) fn has(self, purpose: ToolPurpose) -> bool {
        match purpose {
            ToolPurpose::Read => true,
            ToolPurpose::Explore | ToolPurpose::Change => {
                matches!(self, Self::Build | Self::BuildByPlan)
            }
            ToolPurpose::Question => self != Self::Ask,
            ToolPurpose::Plan => self == Self::Plan,
            ToolPurpose::Tick => self == Self::BuildByPlan,
        }
    }

    /// Why tools that change the app are unavailable, and what to do instead; empty if they are
    /// available.
    pub(super) fn refusal(self) -> &'static str {
        match self {
            Self::Build | Self::BuildByPlan => "",
            Self::Plan => {
                "; the user wants a plan first, and nothing is changed before it is approved: read \
                 what you need, then call askQuestions or proposePlan"
            }
            Self::Ask => {
                "; the user asks a question, and nothing is changed: read what you need, then \
                 answer in words"
            }
        }
    }
}
