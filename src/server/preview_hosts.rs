//! The host names of previews, below one domain.

use std::sync::Arc;

/// The host names of previews.
#[derive(Debug, Clone)]
pub struct PreviewHosts {
    pub scheme: &'static str,
    /// Their common suffix, with a port if there is one.
    pub domain: Arc<str>,
}

impl PreviewHosts {
    /// A pattern for the origins of all previews, for policies.
    pub fn origins(&self) -> String {
        format!("{}://*.{}", self.scheme, self.domain)
    }
}
