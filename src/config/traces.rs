//! The destination of traces, from OpenTelemetry's own variables
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). OpenTelemetry's library itself
//! reads the others, such as the sampler's.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::SecretString;

use super::{ConfigError, Env, is_service_address};

/// The only supported protocol.
const PROTOCOL: &str = "http/protobuf";

/// The destination of traces.
#[derive(Debug, Clone)]
pub struct Traces {
    /// The collector's address for traces: `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces`.
    pub endpoint: Url,
    /// `OTEL_EXPORTER_OTLP_HEADERS`, which may include the collector's key.
    pub headers: HashMap<String, SecretString>,
    /// The service's name in traces (`OTEL_SERVICE_NAME`).
    pub service: String,
}

impl Traces {
    /// `None` without `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
        let Some(address) = env.var(ENDPOINT) else {
            return Ok(None);
        };
        let endpoint = Url::parse(&format!("{}/v1/traces", address.trim_end_matches('/')))
            .ok()
            .filter(is_service_address);
        let Some(endpoint) = endpoint else {
            let expected = "an http or https address without a password, such as \
                            http://localhost:4318";
            return Err(ConfigError::new(ENDPOINT, "(not shown)", expected));
        };
        env.parsed(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            PROTOCOL.to_owned(),
            PROTOCOL,
            |protocol| protocol == PROTOCOL,
        )?;
        let headers = env.var(HEADERS).unwrap_or_default();
        let headers = parse_headers(&headers).ok_or_else(|| {
            let expected = "headers with percent-encoded values, such as x-key=abc,x-team=web";
            ConfigError::new(HEADERS, "(not shown)", expected)
        })?;
        let service = env.var("OTEL_SERVICE_NAME");
        Ok(Some(Self {
            endpoint,
            headers,
            service: service.unwrap_or_else(|| "codeflow".to_owned()),
        }))
    }
}

fn parse_headers(text: &str) -> Option<HashMap<String, SecretString>> {
    let pairs = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        HeaderValue::from_str(&value).ok()?;
        Some((name.to_string(), SecretString::from(value.into_owned())))
    };
    pairs.map(header).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Traces>, ConfigError> {
        Traces::from_env(&Env::of(variables.iter().copied(), "/usr/bin/codeflow"))
    }

    #[test]
    fn traces_are_sent_only_where_a_collector_is_named() {
        assert!(read(&[("OTEL_SERVICE_NAME", "mine")]).unwrap().is_none());
        let endpoint = (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://otel.example.com/in/",
        );
        let traces = read(&[endpoint]).unwrap().unwrap();
        assert_eq!(
            traces.endpoint.as_str(),
            "https://otel.example.com/in/v1/traces"
        );
        assert_eq!(traces.service, "codeflow");
        assert!(traces.headers.is_empty());
    }

    #[test]
    fn a_wrong_address_or_protocol_is_named() {
        const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        for wrong in [
            "collector:4318",
            "grpc://collector",
            "http://me:hidden@host",
        ] {
            let line = read(&[(ENDPOINT, wrong)]).unwrap_err().to_string();
            assert!(
                line.starts_with(ENDPOINT) && !line.contains("hidden"),
                "{line}"
            );
        }
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        let line = read(&[(ENDPOINT, "http://localhost:4318"), grpc]);
        let line = line.unwrap_err().to_string();
        assert_eq!(line, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: http/protobuf");
    }

    #[test]
    fn headers_are_decoded_and_shown_to_nobody() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        let headers = "Authorization=Bearer%20hidden, x-team = web,";
        let traces = read(&[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", headers)]);
        let traces = traces.unwrap().unwrap();
        let header = |name| traces.headers[name].expose_secret();
        assert_eq!(header("authorization"), "Bearer hidden");
        assert_eq!(header("x-team"), "web");
        assert!(!format!("{traces:?}").contains("hidden"));
        for wrong in ["hidden", "x y=hidden", "x=hidden%0A"] {
            let line = read(&[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", wrong)]);
            let line = line.unwrap_err().to_string();
            assert!(line.starts_with("OTEL_EXPORTER_OTLP_HEADERS="), "{line}");
            assert!(!line.contains("hidden"), "{line}");
        }
    }
}
