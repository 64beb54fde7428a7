//! Exchanges keep topics apart; handles on one bus have defaults of their own.

use std::time::Duration;

use tidings::{Bus, CallErrorKind, Context};

/// Its topic is `billing`, in whatever exchange it is served.
#[tidings::service(version = "1.0")]
pub trait Billing {
    /// Who asks, and for whom.
    fn who(&self) -> String;
}

struct Office(&'static str);

impl Billing for Office {
    fn who(&self) -> String {
        let clerk =
            Context::current().and_then(|context| context.header("clerk").map(str::to_owned));
        format!("{} for {}", clerk.as_deref().unwrap_or("nobody"), self.0)
    }
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;

    // Two tenants with one topic each of the same name. Deriving a handle leaves the bus as it is.
    let acme = bus.with_exchange("acme");
    let globex = bus.with_exchange("globex");
    let _acme = acme.serve(BillingServer::new(Office("acme")))?;
    let _globex = globex.serve(BillingServer::new(Office("globex")))?;

    // A client has the defaults of the handle that it is made from.
    let clerk = acme
        .with_header("clerk", "Ada")
        .with_timeout(Duration::from_secs(5));
    let billing = BillingClient::new(&clerk);
    assert_eq!(billing.who().wait()?, "Ada for acme");
    assert_eq!(
        BillingClient::new(&globex).who().wait()?,
        "nobody for globex"
    );

    // What a request says beats what its handle says; "none" is an answer too.
    assert_eq!(billing.who().header("clerk", "Bob").wait()?, "Bob for acme");
    assert_eq!(billing.who().no_header("clerk").wait()?, "nobody for acme");
    assert_eq!(billing.who().no_timeout().wait()?, "Ada for acme");

    // A handle of a handle overrides that one, which stays as it was.
    let hasty = BillingClient::new(&clerk.with_timeout(Duration::ZERO));
    let error = hasty.who().wait().unwrap_err();
    assert!(matches!(
        error.kind(),
        CallErrorKind::DeadlineExceeded { .. }
    ));
    assert_eq!(billing.who().wait()?, "Ada for acme");

    // Nothing crosses from one exchange into another: in the bus's own, nobody serves the topic.
    let error = BillingClient::new(&bus).who().wait().unwrap_err();
    println!("{error}");
    assert!(matches!(error.kind(), CallErrorKind::NoServer { .. }));
    Ok(())
}
