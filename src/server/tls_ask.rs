//! `GET /internal/tls-ask?domain=…`: whether a proxy may get a certificate for the name (Caddy's
//! `on_demand_tls`, <https://caddyserver.com/docs/caddyfile/options#on-demand-tls>). Whoever asks
//! learns no more than the name's own address shows.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde::Deserialize;

use super::{AppState, origin};
use crate::protocol::{ApiError, ErrorCode};

/// How many ports of one sandbox get certificates: an app may serve on all that there are, and an
/// authority gives few a week.
const PORTS: usize = 8;
/// The longest name of DNS (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 253;

/// The port and the sandbox that the host name of a preview stands for, if there is that sandbox.
pub type FindPreview = Arc<dyn Fn(&str) -> Option<(u16, String)> + Send + Sync>;

/// The names of previews that may have certificates.
pub struct PreviewNames {
    find: FindPreview,
    /// The ports that were asked for, by sandbox.
    ports: Mutex<HashMap<String, BTreeSet<u16>>>,
}

impl PreviewNames {
    pub fn new(find: FindPreview) -> Self {
        Self {
            find,
            ports: Mutex::default(),
        }
    }

    fn has(&self, domain: &str) -> bool {
        let Some((port, sandbox)) = (self.find)(domain) else {
            return false;
        };
        let mut ports = self.ports.lock();
        let ports = ports.entry(sandbox).or_default();
        ports.contains(&port) || (ports.len() < PORTS && ports.insert(port))
    }
}

#[derive(Debug, Deserialize)]
pub struct Asked {
    domain: Option<String>,
}

/// 200 for the host of `PUBLIC_URL` and for the previews of this machine's sandboxes, else 404.
pub async fn ask(State(state): State<AppState>, Query(Asked { domain }): Query<Asked>) -> Response {
    let domain = domain.unwrap_or_default().to_ascii_lowercase();
    let previews = state.preview_names.as_ref();
    let is_own = domain.len() <= LONGEST_NAME
        && (domain.eq_ignore_ascii_case(origin::host(&state.public_url))
            || previews.is_some_and(|names| names.has(&domain)));
    if is_own {
        StatusCode::OK.into_response()
    } else {
        ApiError::new(ErrorCode::NotFound, "CodeFlow has no such name.").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_gets_certificates_for_a_few_of_its_ports() {
        let names = PreviewNames::new(Arc::new(|name| {
            let (port, sandbox) = name.split_once('-')?;
            Some((port.parse().ok()?, sandbox.to_owned()))
        }));
        for port in 3000..3008 {
            assert!(names.has(&format!("{port}-ione")), "{port}");
        }
        assert!(!names.has("3008-ione") && !names.has("none"));
        assert!(names.has("3000-ione") && names.has("3008-itwo"));
    }
}
