//! The operator's own certificate authority: a CA that all replicas share, and a leaf that each makes for itself.

mod keep;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{crypto::ring::sign::any_ecdsa_type, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use crate::error::Error;

pub(crate) use keep::{Keeper, Serving, keep};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A CA is for years: its rollover is a matter of its own.
const CA_VALIDITY: Duration = DAY.saturating_mul(3650);
const LEAF_VALIDITY: Duration = DAY.saturating_mul(30);
/// A leaf is renewed well before it ends.
pub(crate) const LEAF_RENEWAL: Duration = DAY.saturating_mul(10);
/// Clocks of proxies may be this much behind.
const SKEW: Duration = Duration::from_secs(60 * 60);

/// A certificate authority. Its key is in one Secret, and in no log.
#[derive(Clone)]
pub(crate) struct Ca {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

/// The part of a CA that does not depend on its key. A CA that was stored is used again under this name, so it
/// must never change.
fn ca_params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Penstock push CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, CA_VALIDITY);
    params
}

/// Sets the period in which a certificate holds.
fn set_validity(params: &mut CertificateParams, now: SystemTime, validity: Duration) {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since.saturating_sub(SKEW);
    params.not_after = epoch + since + validity;
}

impl Ca {
    pub(crate) fn generate(now: SystemTime) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = ca_params(now).self_signed(&key)?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// A server's certificate for `names` (DNS names or addresses), with a key of its own that is stored nowhere.
    pub(crate) fn leaf(&self, names: &[String], now: SystemTime) -> Result<Arc<CertifiedKey>, Error> {
        let issuer = Issuer::new(ca_params(now), KeyPair::from_pem(&self.key_pem)?);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "penstock-operator");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_validity(&mut params, now, LEAF_VALIDITY);
        let leaf = params.signed_by(&key, &issuer)?;
        let ca = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(|_| Error::StoredCa)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Arc::new(CertifiedKey::new(vec![leaf.der().clone(), ca], any_ecdsa_type(&private)?)))
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, client::Resumption};
    use rustls_pki_types::ServerName;

    use super::*;

    fn client(ca: &Ca, name: &str) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca.certificate_pem.as_bytes()).expect("must be PEM");
        roots.add(ca).expect("must be a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("must have versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(name.to_owned()).expect("must be a name");
        ClientConnection::new(Arc::new(config), name).expect("must start")
    }

    fn server(leaf: Arc<CertifiedKey>) -> ServerConnection {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(leaf));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("must have versions")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        ServerConnection::new(Arc::new(config)).expect("must start")
    }

    /// Shakes hands in memory.
    fn handshake(mut client: ClientConnection, mut server: ServerConnection) -> Result<(), rustls::Error> {
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).expect("must write to memory");
            server.read_tls(&mut wire.as_slice()).expect("must read from memory");
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).expect("must write to memory");
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("must read from memory");
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_proxy_that_trusts_the_bundle_connects_by_name_and_by_address() {
        let ca = Ca::generate(SystemTime::now()).expect("must generate");
        let names = ["push.penstock.svc".to_owned(), "127.0.0.1".to_owned()];
        let leaf = ca.leaf(&names, SystemTime::now()).expect("must sign");
        for name in ["push.penstock.svc", "127.0.0.1"] {
            handshake(client(&ca, name), server(leaf.clone())).expect("must connect");
        }
        handshake(client(&ca, "other.penstock.svc"), server(leaf)).expect_err("must refuse another name");
    }

    #[test]
    fn a_ca_that_was_stored_signs_for_those_who_trust_it_already() {
        let ca = Ca::generate(SystemTime::now() - 30 * DAY).expect("must generate");
        let stored = Ca { certificate_pem: ca.certificate_pem.clone(), key_pem: ca.key_pem.clone() };
        let leaf = stored.leaf(&["127.0.0.1".to_owned()], SystemTime::now()).expect("must sign");
        handshake(client(&ca, "127.0.0.1"), server(leaf)).expect("must connect");
    }

    #[test]
    fn another_ca_is_not_trusted_and_a_leaf_ends() {
        let ca = Ca::generate(SystemTime::now()).expect("must generate");
        let other = Ca::generate(SystemTime::now()).expect("must generate");
        let names = ["127.0.0.1".to_owned()];
        let leaf = other.leaf(&names, SystemTime::now()).expect("must sign");
        handshake(client(&ca, "127.0.0.1"), server(leaf)).expect_err("must refuse a stranger");
        let old = ca.leaf(&names, SystemTime::now() - 31 * DAY).expect("must sign");
        handshake(client(&ca, "127.0.0.1"), server(old)).expect_err("must refuse an old leaf");
    }
}
