//! The types that move between the stages and over the wire: serde only, for both targets, without
//! any dependency on the engine. Operations come in ([`NewPrompt`]), events go out ([`Event`]).

mod account;
mod administration;
mod consent;
mod credit;
mod dashboard;
mod dev_log;
mod element;
mod error;
mod event;
mod file;
mod id;
mod image;
mod improved;
mod journey;
mod message;
mod mode;
mod models;
mod plan;
mod preferences;
mod preview;
mod project;
mod run;
mod saved_prompt;
mod share;
mod step;
mod team;
mod terminal;
mod text;
mod usage;
mod version;

pub(crate) use account::named;
pub use account::{
    Account, AccountRole, ApiToken, IdentityProvider, LinkedIdentity, NewApiToken, OutsideRefusal,
    Passkey, Plan, Pricing, SecondStepSetup, SecondStepState, SessionSummary, SignUp, Visitor,
};
pub use administration::{
    AuditEntry, AuditFilter, AuditPage, AuditSubject, DataColumn, DataFilter, DataPage,
    FilterOperator, Invitation, Notice, ProjectFilter, ProjectInside, ProjectOverview, ProjectPage,
    SandboxOverview, SandboxUse, UserFilter, UserPage, UserState, UserSummary,
};
pub use consent::{ToolConsent, ToolDecision};
pub use credit::{CreditEntry, CreditReason, CreditRules, Credits};
pub use dashboard::{RunDetails, RunFilter, RunPage, RunSummary, StepState, StepSummary};
pub use dev_log::{DevLine, DevLog, LogLevel};
pub use element::{
    ElementPart, ElementPlace, ElementSource, ElementSources, MAX_ELEMENT_TEXT, PickedElement,
};
pub use error::{ApiError, ErrorCode};
pub use event::{
    DraftPiece, Event, EventKind, EventName, FeedFrame, FeedRequest, GrowingText, HtmlPiece,
    PreviewState, TextPiece,
};
pub use file::{
    FileChange, FileMatch, FileMatches, FileNode, FileSaved, FileView, MAX_EDITED, MAX_UPLOAD,
};
pub use id::{
    ApiTokenId, FragmentId, MessageId, PasskeyId, ProjectId, RunId, SavedPromptId, SessionId,
    Timestamp, UserId,
};
pub use image::{IMAGE_MAX_BYTES, IMAGE_TYPES, Image, ImageError, ImageId, ImageType};
pub use improved::{ImprovedPrompt, WordChange};
pub use journey::{JOURNEYS, PassedJourney, PlayedJourney, is_journey, journeys_note};
pub use message::{Author, Fragment, Message, MessageKind, Role};
pub use mode::Mode;
pub use models::{
    LastError, ModelCalls, ModelChoice, ModelId, ModelKey, ModelOverview, ModelPrice,
    ModelProvider, ModelTask, ModelsOverview, OfferedModel, ProviderKey,
};
pub use plan::{AppPlan, MessagePart, PlanStep, Question, item, questions_to_markdown};
pub use preferences::Preferences;
pub use preview::{PreviewError, PreviewErrorKind};
pub use project::{
    History, ModelNotice, NewPrompt, ORDER_KEY, PROMPT_MAX_CHARS, Project, ProjectStatus,
    ProjectSummary, ProjectTitle, PromptError, ShowcaseApp, TITLE_MAX_CHARS, TitleError, Workspace,
};
pub use run::{Run, RunState, Status, ToolUse};
pub use saved_prompt::{NameTooLong, PROMPT_NAME_MAX_CHARS, PromptName, SavedPrompt};
pub use share::{Share, ShareState, SharedApp, SharedSource};
pub use step::{StepChange, StepDetails};
pub use team::{
    InvitationView, Invited, Member, Membership, OpenInvitation, People, Person, ProjectRole,
    Standing, Team,
};
pub use terminal::{LeftRunning, Shell, ShellEnd, TerminalFrame, TerminalRequest, TerminalSandbox};
pub use text::{BLOCK_BOUNDARY, first_chars, shorten};
pub use usage::{DayUsage, ModelUsage, Spent, UsageReport, UserUsage};
pub use version::{
    AppEntry, AppNode, ChangeKind, FileDiff, LeftOut, VersionChange, VersionDiff, VersionView,
    list_left_out,
};
