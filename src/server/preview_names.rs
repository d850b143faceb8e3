//! The preview names that may get certificates (`tls_ask`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures::future::BoxFuture;
use parking_lot::Mutex;

/// How many ports of one sandbox get certificates: an app may serve on every port, and an authority
/// issues few certificates a week.
const PORTS: usize = 8;

/// The port and the sandbox of a preview's host name, if that sandbox exists.
pub type FindPreview =
    Arc<dyn Fn(String) -> BoxFuture<'static, Option<(u16, String)>> + Send + Sync>;

/// The preview names that may get certificates.
pub struct PreviewNames {
    find: FindPreview,
    /// The ports asked for so far, by sandbox.
    ports: Mutex<HashMap<String, BTreeSet<u16>>>,
}

impl PreviewNames {
    pub fn new(find: FindPreview) -> Self {
        Self {
            find,
            ports: Mutex::default(),
        }
    }

    /// Whether it names an existing sandbox, with a port that gets a certificate.
    pub async fn has(&self, domain: &str) -> bool {
        let Some((port, sandbox)) = (self.find)(domain.to_owned()).await else {
            return false;
        };
        let mut ports = self.ports.lock();
        let ports = ports.entry(sandbox).or_default();
        ports.contains(&port) || (ports.len() < PORTS && ports.insert(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sandbox_gets_certificates_for_a_few_of_its_ports() {
        let names = PreviewNames::new(Arc::new(|name| {
            Box::pin(async move {
                let (port, sandbox) = name.split_once('-')?;
                Some((port.parse().ok()?, sandbox.to_owned()))
            })
        }));
        for port in 3000..3008 {
            assert!(names.has(&format!("{port}-ione")).await, "{port}");
        }
        assert!(!names.has("3008-ione").await && !names.has("none").await);
        assert!(names.has("3000-ione").await && names.has("3008-itwo").await);
    }
}
