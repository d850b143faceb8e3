//! Asks a sandbox host whether it answers and what it has room for, every few seconds and before
//! each new sandbox; and repeats requests while it does not answer.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::{
    SandboxError, Service, address, error,
    host::{Capacity, State},
};

/// How long a host may take to say what it has room for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many outages of a host one request waits for.
const MAX_OUTAGES: u32 = 3;

impl Service {
    /// Asks the host for its capacity, and notes whether it answers. Returns whether it does.
    pub(super) async fn probe(&self) -> bool {
        let Some(host) = &self.host else {
            return true;
        };
        let begun = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, self.capacity());
        let answer = asked.await.unwrap_or_else(|_| {
            let why = format!("no answer within {} seconds", PATIENCE.as_secs());
            Err(SandboxError::Unavailable(why))
        });
        match answer {
            Ok(capacity) => host.answered(State::Answers(capacity)),
            Err(error @ (SandboxError::Unavailable(_) | SandboxError::RateLimited { .. })) => {
                host.failed(begun, &error);
                return false;
            }
            Err(SandboxError::Unauthenticated(_)) => {
                let why = "refuses the key that SANDBOX_HOSTS has for it".to_owned();
                host.answered(State::Useless(why));
            }
            Err(error) => {
                let why = format!("is no sandbox host of this version: {error}");
                host.answered(State::Useless(why));
            }
        }
        true
    }

    async fn capacity(&self) -> Result<Capacity, SandboxError> {
        let url = address::join(&self.control_plane, "/host/capacity")?;
        let response = self.control(Method::GET, url).send().await?;
        if response.status() != StatusCode::OK {
            let subject = error::Subject::Template;
            return Err(error::of(response, subject).await);
        }
        Ok(response.json().await?)
    }

    /// Repeats the request while its host can't be reached; `None` once the host counts as lost.
    pub(super) async fn reach<T, Fut>(
        &self,
        request: impl Fn() -> Fut,
    ) -> Result<Option<T>, SandboxError>
    where
        Fut: Future<Output = Result<T, SandboxError>>,
    {
        let Some(host) = &self.host else {
            return request().await.map(Some);
        };
        let mut outages = 0;
        loop {
            let answer = tokio::select! {
                biased;
                () = host.lost() => return Ok(None),
                answer = request() => answer,
            };
            let is_outage = matches!(answer, Err(SandboxError::Unavailable(_)))
                && outages < MAX_OUTAGES
                && !self.probe().await;
            if !is_outage {
                return answer.map(Some);
            }
            outages += 1;
            if !host.answers_again().await {
                return Ok(None);
            }
        }
    }
}
