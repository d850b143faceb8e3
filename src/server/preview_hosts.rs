//! Where browsers find previews: names below one domain.

use std::sync::Arc;

/// Where browsers find previews.
#[derive(Debug, Clone)]
pub struct PreviewHosts {
    pub scheme: &'static str,
    /// What their host names end with, with a port where there is one.
    pub domain: Arc<str>,
}

impl PreviewHosts {
    /// The origins of all previews, for policies.
    pub fn origins(&self) -> String {
        format!("{}://*.{}", self.scheme, self.domain)
    }
}
