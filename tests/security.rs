//! What only the whole can show: tokens where there is nobody to show them to.
#![cfg(feature = "memory")]

use tidings::{Bus, OpenError, Token};

/// In memory there is nobody to prove anything to: that is said, not passed over.
#[test]
fn a_bus_in_memory_is_not_opened_with_tokens() {
    let token = || Token::new("ada", "the secret of ada, long enough").unwrap();
    for builder in [
        Bus::builder().token(token()),
        Bus::builder().accept_tokens([token()]),
        Bus::builder().accept_tokens([]),
    ] {
        let error = builder.open("mem:").unwrap_err();
        assert!(matches!(error, OpenError::Unsupported { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("mem:") && told.contains(".token("), "{told}");
        assert!(!told.contains("secret of ada"), "{told}"); // S12
    }
}
