//! TLS: the hub shows a certificate, asks for one, and handlers see whose it is.
//!
//! The certificates are made here and now. In production they are files, which the address names:
//! `tcp:*:4000?listen&tls&cert=hub.pem&key=hub.key&client_ca=ca.pem` on one host, and
//! `tcp:hub.example:4000?tls&ca=ca.pem&cert=ada.pem&key=ada.key` on the others.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tidings::tcp::{Tcp, Tls};
use tidings::{Bus, Context};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    // An authority, which signs a certificate for the hub and one for Ada.
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let ca = params.self_signed(&key)?.pem();
    let authority = Issuer::new(params, key);
    let (hub_cert, hub_key) = signed(&authority, "hub.example")?;
    let (ada_cert, ada_key) = signed(&authority, "ada.example")?;

    // The hub lets in whoever has a certificate of the authority.
    let tls = Tls::new()
        .certificate(hub_cert, hub_key)
        .client_ca(ca.as_str());
    let builder = Bus::builder();
    let hub = builder.open_with(&Tcp::with_tls(tls), "tcp:127.0.0.1:0?listen&tls")?;
    let address = hub.address().ok_or("a hub knows its address")?;
    let _server = hub
        .listen("greeter")
        .on("hello", |_: ()| {
            let context = Context::current();
            let name = context
                .as_ref()
                .and_then(|context| context.caller()?.name.clone());
            format!("hello, {}", name.as_deref().unwrap_or("stranger"))
        })
        .start()?;

    // Ada trusts the authority, and expects the hub's name. Unless given, it is the address's host.
    let tls = Tls::new().ca(ca.as_str()).name("hub.example");
    let ada = Tcp::with_tls(tls.clone().certificate(ada_cert, ada_key));
    let ada = Bus::builder().open_with(&ada, &format!("{address}?tls"))?;
    let greeting: String = ada.call("greeter.hello", &()).wait()?;
    println!("{greeting}");
    assert_eq!(greeting, "hello, ada.example");

    // Somebody without a certificate, and somebody who looks for another hub.
    for (tls, says) in [
        (tls.clone(), "asks for a certificate"),
        (tls.name("other.example"), "not valid for name"),
    ] {
        let stranger = Bus::builder().open_with(&Tcp::with_tls(tls), &format!("{address}?tls"));
        let error = stranger.unwrap_err();
        println!("{error}");
        assert!(error.to_string().contains(says));
    }
    Ok(())
}

/// A certificate for `name` and its key, in PEM.
fn signed(authority: &Issuer<'_, KeyPair>, name: &str) -> Result<(String, String), Error> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
