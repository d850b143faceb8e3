//! Files in a sandbox, and the pages of its apps.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{
    Sandbox, SandboxError, body,
    error::{self, Subject},
    retry::{self, Repeat},
};
use crate::e2b;

/// The maximum size of a file that is read alone, and of one in a version, in bytes.
const MAX_READ: usize = 10 << 20;
pub const MAX_FILE: usize = 32 << 20;
/// The maximum size of a unary call's answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    pub path: String,
    #[serde(rename = "type", default)]
    pub kind: EntryKind,
    /// The target, for a symbolic link.
    #[serde(rename = "symlinkTarget", default)]
    pub symlink_target: Option<String>,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum EntryKind {
    #[serde(rename = "FILE_TYPE_FILE")]
    File,
    #[serde(rename = "FILE_TYPE_DIRECTORY")]
    Directory,
    #[default]
    #[serde(other)]
    Other,
}

/// The response of an app in the sandbox.
#[derive(Debug, Clone)]
pub struct Page {
    pub status: u16,
    pub content_type: String,
    /// The beginning of the body, at most as much as requested.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct PathRequest<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct Entries {
    #[serde(default)]
    entries: Vec<Entry>,
}

impl Sandbox {
    /// The file's bytes. `NoSuchPath` if there is none; `Refused` for a folder or more than 10 MiB.
    pub async fn read_file(&self, path: &str) -> Result<Vec<u8>, SandboxError> {
        self.read_file_within(path, MAX_READ).await
    }

    /// Like [`Sandbox::read_file`], with another limit in bytes.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn read_file_within(
        &self,
        path: &str,
        limit: usize,
    ) -> Result<Vec<u8>, SandboxError> {
        let request = self.envd(Method::GET, "/files")?.query(&[("path", path)]);
        let response = retry::send(request, Repeat::Harmless).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        body::whole(response, limit).await?.ok_or_else(|| {
            SandboxError::Refused(format!("path '{path}' is larger than {} MiB", limit >> 20))
        })
    }

    /// Writes the whole file, creating its parent folders.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn write_file(
        &self,
        path: &str,
        content: impl Into<reqwest::Body>,
    ) -> Result<(), SandboxError> {
        let request = self
            .envd(Method::POST, "/files")?
            .query(&[("path", path)])
            .header("content-type", "application/octet-stream")
            .body(content);
        let response = retry::send(request, Repeat::Unsent).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        Ok(())
    }

    /// The folder's entries, `depth` levels deep.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn list_dir(&self, path: &str, depth: u32) -> Result<Vec<Entry>, SandboxError> {
        let request = PathRequest {
            path,
            depth: Some(depth),
        };
        Ok(self
            .call::<_, Entries>("/filesystem.Filesystem/ListDir", &request)
            .await?
            .entries)
    }

    /// Removes the file, or the folder with everything below it; a missing path is no error.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn remove(&self, path: &str) -> Result<(), SandboxError> {
        let request = PathRequest { path, depth: None };
        self.call::<_, serde_json::Value>("/filesystem.Filesystem/Remove", &request)
            .await?;
        Ok(())
    }

    /// Requests a page from an app in the sandbox; `None` if nothing listens on the port yet. Reads
    /// at most `limit` bytes of the body for at most three seconds, because some responses never
    /// end.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn fetch(
        &self,
        port: u16,
        path: &str,
        limit: usize,
    ) -> Result<Option<Page>, SandboxError> {
        let request = self
            .request(&self.service.http, Method::GET, port, path)?
            .header("accept", "text/html,application/json");
        let response = request.send().await?;
        let status = response.status();
        let retry_after = error::retry_after(response.headers());
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = body::beginning_in_time(response, limit).await?;
        let failure = error::Body::read(&body);
        if failure.is_from_proxy(status) {
            if failure.message.contains("port is not open") {
                return Ok(None);
            }
            return Err(error::of_body(
                status,
                retry_after,
                failure,
                Subject::Inside,
            ));
        }
        Ok(Some(Page {
            status: status.as_u16(),
            content_type,
            body,
        }))
    }

    /// A unary Connect call.
    pub(super) async fn call<Q: Serialize + Sync, A: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
    ) -> Result<A, SandboxError> {
        let request = self
            .envd(Method::POST, path)?
            .header(e2b::CONNECT_VERSION, "1")
            .json(request);
        let response = retry::send(request, Repeat::Unsent).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        let text = body::whole(response, MAX_ANSWER).await?.ok_or_else(|| {
            SandboxError::Protocol(format!("an answer of more than {} MiB", MAX_ANSWER >> 20))
        })?;
        serde_json::from_slice(&text).map_err(|error| SandboxError::Protocol(error.to_string()))
    }
}
