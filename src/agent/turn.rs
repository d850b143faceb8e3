//! The turn loop: model → tool calls → results → model …, until the model says that it is done and
//! the app proves it.

mod answer;
mod answer_stream;
mod budget;
mod calls;
mod compaction;
mod conversation;
mod converse;
mod details;
mod explore;
mod guards;
mod job;
mod look;
mod opinion;
mod review;
mod summary;
mod toolless;
mod work;

use conversation::{CUT, Conversation, FileSource, IN_WORDS, MAX_CUTS, Stall, cut_off, ended_with};
pub use converse::{ConversationOutcome, converse};
pub use details::{CallDetails, FileStates};
pub use job::Job;
use look::Looks;
use review::Reviews;
use serde::{Deserialize, Serialize};
use toolless::BlockFiles;
pub use work::Work;

use super::{AgentInput, Journal, Report, RunError, Step, VerifiedJourney};
use crate::{
    llm::ModelReply,
    protocol::{EventKind, MessagePart, Spent, Status},
};

/// How many times the model may repair the findings of a check.
const MAX_REPAIRS: u32 = 3;
/// How many answers in a row may contain files that are refused.
const MAX_REFUSALS: u32 = 3;

/// The outcome of the loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildOutcome {
    /// The model's summary.
    pub summary: String,
    /// A picture of the app, as JPEG. `None` if the check was before a restart, or had no browser.
    pub picture: Option<Vec<u8>>,
    /// The journeys that passed.
    #[serde(default)]
    pub journeys: Vec<VerifiedJourney>,
}

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    App(BuildOutcome),
    /// With questions to the user; nothing was changed.
    Asked(ConversationOutcome),
}

/// Why the model's turns ended.
enum Ended {
    /// It says that it is done, with this summary.
    Summary(String),
    /// It asks the user.
    Asked(MessagePart),
}

/// What follows an answer.
enum Next {
    /// The model's next turn.
    Turn,
    /// The check: the model says that it is done, with this summary.
    Check(String),
    /// The end: the model asks the user.
    Ask(MessagePart),
    /// The end: the model doesn't continue.
    GiveUp,
}

/// Lets the model work on the app until it ends with `<task_summary>` and the app passes the check.
///
/// **Steps.** Each turn is a step `turn-<n>` (counted from 1) whose output is the model's whole
/// answer. Each tool call of the answer is a step `turn-<n>-<tool>-<k>` whose output is the tool's
/// result, and each check is a step `verify-<n>`. The conversation is built from these outputs
/// alone: after a restart the loop replays the saved steps without asking the model or touching the
/// sandbox, and resumes where it was. While an answer arrives, its thinking, its text and its files
/// are published as they grow; nothing is executed before the answer is complete.
///
/// **What an answer leads to**, the first that applies:
/// 1. Tool calls are executed, and their results are the model's next input. Tool errors are
///    results too. A summary beside the calls is kept in case nothing else follows. Questions to
///    the user, once and before anything is changed, end the run; the answer begins the next.
/// 2. Files in code blocks are written, for models without tool calls (`FileSource`). Refused
///    ones go back to the model, at most `MAX_REFUSALS` times in a row.
/// 3. An answer that hit the output token limit is followed by a request to continue with less, at
///    most `MAX_CUTS` times in a row when there was nothing usable in it.
/// 4. A summary ends the turns. What was changed is reviewed, at most `AGENT_MAX_REVIEWS` times
///    (`review-<n>`); defects go to the model before the check. Then the app is checked. What the
///    check finds goes back to the model, at most `MAX_REPAIRS` times; the same problems twice in a
///    row end the run. The check also plays the app's journeys, and says once when one is gone that
///    the run has to keep.
/// 5. An app that passes is looked at, at most `AGENT_MAX_LOOKS` times (`look-<n>`), where there is
///    a model that sees. What it reports goes to the model; no run fails for it.
/// 6. Anything else is followed by one reminder of how to continue.
///
/// **Limits.** The last of `AGENT_MAX_TURNS` turns may call no tools and must summarize. The loop
/// stops when the run's budget of tokens or money is used up (`Budget`), or when the model goes
/// round in circles (`Guards`). Errors of the model or the sandbox that don't pass end the run.
pub async fn build_app<J: Journal>(
    job: &Job<'_, '_, J>,
    input: &AgentInput,
) -> Result<Built, RunError> {
    let max_turns = job.agent.settings.limits.max_turns;
    let mut conversation = Conversation::new(input, job.mcp.note());
    let mut last_failure: Option<Report> = None;
    let mut said_gone = false;
    let (mut round, mut repairs) = (0, 0);
    let (mut looks, mut reviews) = (Looks::default(), Reviews::default());
    loop {
        let summary = match conversation.until_done(job).await {
            Ok(Ended::Summary(summary)) => summary,
            Ok(Ended::Asked(part)) => return Ok(Built::Asked(part.into())),
            Err(error) => reviews
                .give_up(error)
                .or_else(|error| looks.give_up(error))
                .map_err(|error| with_problems(error, last_failure.as_ref()))?,
        };
        if conversation.turns < max_turns
            && let Some(defects) = reviews
                .next(job, &mut conversation.budget, input, &summary)
                .await?
        {
            conversation.note(defects);
            continue;
        }
        round += 1;
        let report = verify(job, round, &summary, said_gone).await?;
        if report.is_well() {
            if conversation.turns < max_turns
                && let Some(faults) = looks.next(job, &mut conversation.budget, input).await?
            {
                conversation.note(faults);
                looks.passed_with(summary);
                last_failure = None;
                continue;
            }
            return Ok(Built::App(BuildOutcome {
                summary,
                picture: report.picture,
                journeys: report.journeys,
            }));
        }
        said_gone |= report.reports_missing_journey();
        let unchanged = last_failure.is_some_and(|last| last.signature() == report.signature());
        repairs += 1;
        if unchanged || repairs > MAX_REPAIRS || conversation.turns >= max_turns {
            if report.has_only_barriers() {
                return Ok(Built::App(BuildOutcome {
                    summary: report.with_barriers(summary),
                    picture: report.picture,
                    journeys: report.journeys,
                }));
            }
            return Err(RunError::User(still_broken(&report, unchanged)));
        }
        conversation.note(format!(
            "The app was checked, and it is not done. {}\n\nFind the cause and fix it, without \
             undoing what the user asked for. Then end with <task_summary> again.",
            report.for_model()
        ));
        if report.has_only_barriers() {
            looks.passed_with(summary);
        }
        last_failure = Some(report);
    }
}

/// The error that ended the run, with the findings of the last check.
fn with_problems(error: RunError, last_failure: Option<&Report>) -> RunError {
    match (error, last_failure) {
        (RunError::User(message), Some(report)) => RunError::User(format!(
            "{message}\n\nThe app does not work yet. {}",
            report.for_people()
        )),
        (error, _) => error,
    }
}

/// Checks the app, as a step. A missing journey is reported only once, because the user may no
/// longer want what it shows.
async fn verify<J: Journal>(
    job: &Job<'_, '_, J>,
    round: u32,
    summary: &str,
    said_gone: bool,
) -> Result<Report, RunError> {
    job.journal
        .publish(EventKind::Status {
            status: Status::CheckingApp,
        })
        .await?;
    let name = format!("verify-{round}");
    let step = Step::new(&name, &summary).within(super::check::TIMEOUT);
    job.journal
        .step(step, |_| {
            job.sandbox.with_app(|app| async move {
                let mut scope = job.scope().await;
                if !said_gone {
                    scope.journeys.clone_from(&job.journeys);
                }
                job.agent.check(&app, &scope).await
            })
        })
        .await
}

/// The message for people if the app does not work at the end.
fn still_broken(report: &Report, unchanged: bool) -> String {
    let tried = if unchanged {
        " The model tried to fix it, and the same problem came back."
    } else {
        ""
    };
    format!(
        "The app was written, but it does not work yet.{tried}\n\n{}\n\nThe files are kept. Send a \
         message such as “Fix this error” to continue, or describe differently what you want.",
        report.for_people()
    )
}

impl Conversation {
    /// Lets the model work until it says that it is done, or asks the user.
    async fn until_done<J: Journal>(&mut self, job: &Job<'_, '_, J>) -> Result<Ended, RunError> {
        let limits = &job.agent.settings.limits;
        while self.turns < limits.max_turns {
            self.budget.check(limits, Spent::default())?;
            let reply = self.next_answer(job, limits.max_turns).await?;
            match self.act_on(job, &reply).await? {
                Next::Turn => {}
                Next::Check(summary) => return Ok(Ended::Summary(summary)),
                Next::Ask(part) => return Ok(Ended::Asked(part)),
                Next::GiveUp => break,
            }
        }
        Err(RunError::User(format!(
            "The model stopped without saying that it is done (after {} of at most {} turns). The \
             files are kept: send a message such as “Go on” to continue.",
            self.turns, limits.max_turns
        )))
    }

    async fn act_on<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        reply: &ModelReply,
    ) -> Result<Next, RunError> {
        let summary = summary::find(&reply.text).map(str::to_owned);
        if !reply.tool_calls.is_empty() {
            (self.files, self.stall) = (FileSource::ToolCalls, Stall::None);
            let outputs = self.call_tools(job, reply).await?;
            if let Some(part) = ended_with(reply, &outputs) {
                return Ok(Next::Ask(part));
            }
            self.early_summary = summary;
            return Ok(Next::Turn);
        }
        let early_summary = self.early_summary.take();
        let files = self.write_block_files(job, reply).await?;
        match files {
            files if reply.cut => self.after_cut(files),
            BlockFiles::Refused => Ok(self.after_refusal()),
            BlockFiles::Written => {
                self.stall = Stall::None;
                Ok(summary.map_or(Next::Turn, Next::Check))
            }
            BlockFiles::Absent => match summary.or(early_summary) {
                Some(summary) => {
                    self.stall = Stall::None;
                    Ok(Next::Check(summary))
                }
                None => Ok(self.remind()),
            },
        }
    }

    /// Reminds the model how to continue, unless it was just reminded.
    fn remind(&mut self) -> Next {
        if self.stall == Stall::Reminded {
            return Next::GiveUp;
        }
        (self.files, self.stall) = (FileSource::CodeBlocks, Stall::Reminded);
        self.note(format!(
            "Go on with the tools. If you can't call tools: {IN_WORDS} When everything is done, \
             end with <task_summary>…</task_summary>."
        ));
        Next::Turn
    }

    fn after_cut(&mut self, files: BlockFiles) -> Result<Next, RunError> {
        self.stall = match (files, self.stall) {
            (BlockFiles::Written | BlockFiles::Refused, _) => Stall::None,
            (BlockFiles::Absent, Stall::Cut(times)) => Stall::Cut(times + 1),
            (BlockFiles::Absent, Stall::None | Stall::Reminded | Stall::Refused(_)) => {
                Stall::Cut(1)
            }
        };
        if self.stall == Stall::Cut(MAX_CUTS) {
            return Err(cut_off("The files are kept. "));
        }
        self.note(CUT);
        Ok(Next::Turn)
    }

    fn after_refusal(&mut self) -> Next {
        let times = match self.stall {
            Stall::Refused(times) => times + 1,
            Stall::None | Stall::Reminded | Stall::Cut(_) => 1,
        };
        self.stall = Stall::Refused(times);
        if times < MAX_REFUSALS {
            Next::Turn
        } else {
            Next::GiveUp
        }
    }

    /// Writes the files in the answer's code blocks, and adds the results to the conversation.
    async fn write_block_files<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        reply: &ModelReply,
    ) -> Result<BlockFiles, RunError> {
        if self.files == FileSource::ToolCalls && !reply.in_words {
            return Ok(BlockFiles::Absent);
        }
        let (files, results) =
            toolless::write_files(job, self.turns, &reply.text, &mut self.guards).await?;
        self.has_changed |= files != BlockFiles::Absent;
        if files != BlockFiles::Absent {
            self.note(format!("{}\n\nGo on. {IN_WORDS}", results.join("\n")));
        }
        Ok(files)
    }
}
