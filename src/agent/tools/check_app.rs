//! `checkApp`: runs the final check, which decides whether the work is done, at any time.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FileAccess, Handler, TOOL_TIMEOUT, ToolContext, ToolError, ToolOutput, object};
use crate::{agent::check, protocol::Status};

#[derive(Debug, Deserialize)]
pub struct Arguments {}

pub fn spec() -> (&'static str, Value) {
    (
        "Checks the running app: compile errors, type errors (tsc --noEmit), the HTTP status of its routes, and the errors that its \
         pages throw when they are really loaded; then plays its journeys. The same check decides at the end whether the work is done.",
        object(json!({}), &[]),
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        "the running app".to_owned()
    }

    fn status(&self) -> Status {
        Status::CheckingApp
    }

    fn timeout(&self) -> Duration {
        check::TIMEOUT.max(TOOL_TIMEOUT)
    }

    fn access(&self) -> FileAccess {
        FileAccess::All
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        async move {
            let report = context.agent.check(context.app, context.scope).await?;
            Ok(ToolOutput {
                failed: !report.is_well(),
                ..ToolOutput::ok(report.for_model())
            })
        }
        .boxed()
    }
}
