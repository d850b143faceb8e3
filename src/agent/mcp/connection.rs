//! A connection to one server: its tools, and calls to them, each within a time limit. What the
//! server says about its own faults stays in the log; people and models get a sentence of ours.

use std::{error::Error, time::Duration};

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::{
    RoleClient, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock,
        ErrorData, Implementation, JsonObject, PaginatedRequestParams, Tool,
    },
    service::{ClientInitializeError, RunningService, ServiceError},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
        worker::WorkerQuitReason,
    },
};
use secrecy::ExposeSecret;

use super::{
    listing::MAX_TOOLS,
    stdio::{self, MAX_MESSAGE},
};
use crate::{
    config::{McpServer, McpTransport},
    sandbox::{Sandbox, SandboxError},
};

/// How long connecting to a server and listing its tools may take.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(90);
/// How many pages of tools are read.
const MAX_PAGES: usize = 10;

pub struct Connection {
    service: RunningService<RoleClient, ClientConfig>,
}

/// Why a server can't be used, as the end of a sentence that begins with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("can't be reached")]
    Unreachable,
    #[error("refuses the credentials that it is given")]
    Refused,
    #[error("fails, or is overloaded")]
    Failing,
    #[error("does not answer in time")]
    Slow,
    #[error("answers with what is not MCP")]
    Nonsense,
    #[error("does not run in the sandbox, or what it writes is not MCP")]
    Program,
    #[error("is not on the list of what sandboxes may connect to (SANDBOX_EGRESS_ALLOW)")]
    NotAllowed,
    #[error("has a private address, which sandboxes may not connect to")]
    Private,
    #[error("has an address of plain HTTP, which sandboxes may only speak at port 80")]
    Plain,
}

/// The code of the errors that the bridge answers with.
const BRIDGE_CODE: i32 = -33000;

impl Fault {
    /// What the bridge says about the server; `None` if it is the server that speaks.
    fn of_bridge(server: &McpServer, error: &ErrorData) -> Option<Self> {
        let has_bridge = matches!(server.transport, McpTransport::SandboxHttp { .. });
        (has_bridge && error.code.0 == BRIDGE_CODE).then(|| match &*error.message {
            "not allowed" => Self::NotAllowed,
            "private" => Self::Private,
            "plain" => Self::Plain,
            "refused" => Self::Refused,
            "failing" => Self::Failing,
            "nonsense" => Self::Nonsense,
            _ => Self::Unreachable,
        })
    }
}

/// What a call came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub failed: bool,
}

impl Connection {
    /// Connects to the server; a program runs in the sandbox.
    pub async fn open(
        server: &McpServer,
        http: &reqwest::Client,
        sandbox: Option<&Sandbox>,
    ) -> Result<Self, Fault> {
        let us = Implementation::new("codeflow", env!("CARGO_PKG_VERSION"));
        let us = ClientConfig::new(ClientCapabilities::default(), us);
        let opened = match &server.transport {
            McpTransport::Http { url, headers } => {
                let mut all = std::collections::HashMap::new();
                for (name, value) in headers {
                    let name = name.parse::<HeaderName>().map_err(|_| Fault::Refused)?;
                    let value = HeaderValue::from_str(value.expose_secret());
                    let mut value = value.map_err(|_| Fault::Refused)?;
                    value.set_sensitive(true);
                    all.insert(name, value);
                }
                let config = StreamableHttpClientTransportConfig::with_uri(url.0.as_str())
                    .custom_headers(all)
                    .max_sse_event_size(MAX_MESSAGE)
                    .max_json_response_size(MAX_MESSAGE);
                us.serve(StreamableHttpClientTransport::with_client(
                    http.clone(),
                    config,
                ))
                .await
            }
            McpTransport::SandboxHttp { url, headers } => {
                let sandbox = sandbox.ok_or(Fault::Unreachable)?;
                let started = stdio::start_bridge(sandbox, &server.name, (url, headers)).await;
                let stream = started.map_err(|error| not_started(server, &error))?;
                us.serve(stream).await
            }
            McpTransport::Stdio { command, args, env } => {
                let sandbox = sandbox.ok_or(Fault::Program)?;
                let program = (&**command, &**args, env);
                let started = stdio::start(sandbox, &server.name, program).await;
                let stream = started.map_err(|error| not_started(server, &error))?;
                us.serve(stream).await
            }
        };
        opened
            .map(|service| Self { service })
            .map_err(|error| fault(server, &error))
    }

    /// The server's tools, and whether it has more than are read.
    pub async fn tools(&self, server: &McpServer) -> Result<(Vec<Tool>, bool), Fault> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = PaginatedRequestParams::default().with_cursor(cursor.take());
            let listed = self.service.peer().list_tools(Some(page)).await;
            let listed = listed.map_err(|error| fault(server, &error))?;
            tools.extend(listed.tools);
            cursor = listed.next_cursor;
            if cursor.is_none() || tools.len() > MAX_TOOLS {
                break;
            }
        }
        Ok((tools, cursor.is_some()))
    }

    /// Calls a tool. An error of the tool is an answer too.
    pub async fn call(
        &self,
        server: &McpServer,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<Answer, Fault> {
        let call = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let called = self.service.peer().call_tool(call);
        let called = tokio::time::timeout(CALL_TIMEOUT, called).await;
        match called.map_err(|_| Fault::Slow)? {
            Ok(result) => Ok(answer(result)),
            Err(ServiceError::McpError(error)) if Fault::of_bridge(server, &error).is_none() => {
                Ok(Answer {
                    text: error.message.into_owned(),
                    failed: true,
                })
            }
            Err(error) => Err(fault(server, &error)),
        }
    }

    pub fn is_open(&self) -> bool {
        !self.service.is_closed()
    }
}

fn answer(result: CallToolResult) -> Answer {
    let mut texts = Vec::new();
    for block in result.content {
        texts.push(match block {
            ContentBlock::Text(text) => text.text,
            ContentBlock::Image(_) => "[an image is left out]".to_owned(),
            ContentBlock::Audio(_) => "[a sound is left out]".to_owned(),
            other => serde_json::to_string(&other).unwrap_or_default(),
        });
    }
    if let Some(value) = result.structured_content.filter(|_| texts.is_empty()) {
        texts.push(value.to_string());
    }
    Answer {
        text: texts.join("\n"),
        failed: result.is_error == Some(true),
    }
}

/// The fault behind an error, which is logged without what the server said.
fn fault(server: &McpServer, error: &(dyn Error + 'static)) -> Fault {
    let fault = match server.transport {
        McpTransport::Http { .. } => http_fault(error),
        McpTransport::SandboxHttp { .. } => sandbox_http_fault(server, error),
        McpTransport::Stdio { .. } => Fault::Program,
    };
    tracing::warn!(mcp.server = server.name, %fault, "an MCP server can't be used");
    fault
}

fn not_started(server: &McpServer, error: &SandboxError) -> Fault {
    tracing::warn!(mcp.server = server.name, %error, "an MCP server did not start");
    match server.transport {
        McpTransport::Http { .. } | McpTransport::SandboxHttp { .. } => Fault::Unreachable,
        McpTransport::Stdio { .. } => Fault::Program,
    }
}

fn sandbox_http_fault(server: &McpServer, error: &(dyn Error + 'static)) -> Fault {
    let opening = error.downcast_ref::<ClientInitializeError>();
    let said = match (opening, error.downcast_ref::<ServiceError>()) {
        (Some(ClientInitializeError::JsonRpcError(said)), _)
        | (_, Some(ServiceError::McpError(said))) => Some(said),
        _ => None,
    };
    said.map_or(Fault::Unreachable, |said| {
        Fault::of_bridge(server, said).unwrap_or(Fault::Nonsense)
    })
}

type HttpError = StreamableHttpError<reqwest::Error>;

fn http_fault(error: &(dyn Error + 'static)) -> Fault {
    // Neither names what is behind it as its source.
    let opening = error.downcast_ref::<ClientInitializeError>();
    let first: &(dyn Error + 'static) = match opening {
        Some(ClientInitializeError::TransportError { error, .. }) => error.error.as_ref(),
        _ => error,
    };
    let of_http = |cause: &'_ (dyn Error + 'static)| -> Option<Fault> {
        let quit = cause.downcast_ref::<WorkerQuitReason<HttpError>>();
        let error = match quit {
            Some(WorkerQuitReason::Fatal { error, .. }) => Some(error),
            _ => cause.downcast_ref::<HttpError>(),
        };
        Some(match error? {
            HttpError::Client(error) if error.is_timeout() => Fault::Slow,
            HttpError::Client(error) if error.is_connect() || error.is_request() => {
                Fault::Unreachable
            }
            HttpError::AuthRequired(_) | HttpError::InsufficientScope(_) => Fault::Refused,
            HttpError::UnexpectedServerResponse(said)
                if said.starts_with("HTTP 401") || said.starts_with("HTTP 403") =>
            {
                Fault::Refused
            }
            HttpError::HttpStatus(_) => Fault::Failing,
            _ => Fault::Nonsense,
        })
    };
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    causes.find_map(of_http).unwrap_or(Fault::Nonsense)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_its_text_whatever_else_it_holds() {
        let of = |result: serde_json::Value| answer(serde_json::from_value(result).unwrap());
        let mixed = of(json!({ "content": [
            { "type": "text", "text": "One" },
            { "type": "image", "data": "aGk=", "mimeType": "image/png" },
        ] }));
        assert_eq!(
            (&*mixed.text, mixed.failed),
            ("One\n[an image is left out]", false)
        );
        let value = of(json!({ "content": [], "structuredContent": { "a": 1 }, "isError": true }));
        assert_eq!((&*value.text, value.failed), ("{\"a\":1}", true));
    }
}
