//! The tests' own HTTP client.

/// A client that talks to the machine itself: no proxy from the environment, a pool of its own.
///
/// # Panics
/// Never: its options can't fail.
#[must_use]
pub fn client() -> reqwest::Client {
    // The second test to come here finds it installed, which is fine.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().expect("must build without options that can fail")
}
