//! Where every HTTP client of this program begins: with the certificates of this machine or, where
//! it has none, with those that Mozilla's browsers trust.

use std::{error::Error, sync::LazyLock};

use reqwest::{Certificate, ClientBuilder};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Whether this machine has certificates of its own. Requires a TLS provider to be installed.
static HAS_CERTIFICATES: LazyLock<bool> = LazyLock::new(|| {
    let built = ClientBuilder::new().build();
    if let Err(error) = &built {
        tracing::info!(
            error = error as &dyn Error,
            "this machine's CA certificates can't be used; Mozilla's are (install ca-certificates \
             for those of your system)"
        );
    }
    built.is_ok()
});

/// The innermost cause, which says the most ("connection refused"); the outer ones repeat the
/// address, which may contain a token or a user's path.
pub fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

pub fn builder() -> ClientBuilder {
    match *HAS_CERTIFICATES {
        true => ClientBuilder::new(),
        false => with_mozillas_certificates(),
    }
}

fn with_mozillas_certificates() -> ClientBuilder {
    let certificates = TLS_SERVER_ROOT_CERTS.iter();
    ClientBuilder::new()
        .tls_certs_only(certificates.filter_map(|der| Certificate::from_der(der).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mozilla_s_certificates_make_a_client() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert!(TLS_SERVER_ROOT_CERTS.len() > 50);
        for der in TLS_SERVER_ROOT_CERTS {
            assert!(Certificate::from_der(der).is_ok());
        }
        assert!(with_mozillas_certificates().build().is_ok());
    }
}
