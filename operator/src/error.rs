//! Why something in the operator failed.

use thiserror::Error;

/// Every cause. Nothing here ends the process once it runs: whoever meets an error logs it and tries again.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("the API server: {}", chain(.0))]
    Kube(#[from] kube::Error),
    #[error("the API server did not answer in time")]
    KubeTimeout,
    #[error("the stored CA is not PEM")]
    StoredCa,
    #[error("a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("a document: {0}")]
    Document(#[from] serde_json::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The error with what caused it: kube's own words often leave the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
