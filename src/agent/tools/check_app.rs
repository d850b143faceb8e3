//! `checkApp`: what the agent's work is judged by before it is a result, for the model to ask at
//! any time.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Handler, Kit, TOOL_TIMEOUT, ToolError, ToolOutput, Touches, object};
use crate::{agent::check, protocol::Status};

#[derive(Debug, Deserialize)]
pub struct Arguments {}

pub fn spec() -> (&'static str, Value) {
    (
        "Checks the running app: compile errors, type errors (tsc --noEmit), the HTTP status of its routes, and the errors that its \
         pages throw when they are really loaded. The same check decides at the end whether the work is done.",
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

    fn touches(&self) -> Touches {
        Touches::Everything
    }

    fn carry_out<'a>(&'a self, kit: &'a Kit<'a>) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        async move {
            let report = kit.agent.check(kit.app, kit.scope).await?;
            Ok(ToolOutput {
                failed: !report.is_well(),
                ..ToolOutput::ok(report.for_model())
            })
        }
        .boxed()
    }
}
