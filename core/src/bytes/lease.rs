//! How the codec learns that bytes can be shared.
//!
//! serde shows a serializer a slice, and a visitor a slice, and neither shows who holds the memory. So whoever holds it
//! says so, on this thread and for as long as the slice is shown; and it is taken for what is shown only if it is the very
//! same memory.

use std::cell::RefCell;

use super::Bytes;

thread_local! {
    /// What is being written.
    static OFFERED: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    /// The message that is being read.
    static LENT: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// Offers `bytes` while `write` shows them to a serializer.
pub(crate) fn offering<T>(bytes: &Bytes, write: impl FnOnce() -> T) -> T {
    struct Offer;

    impl Drop for Offer {
        fn drop(&mut self) {
            let _kept = OFFERED.try_with(RefCell::take);
        }
    }

    // A thread that ends has none any more: what is written then is copied.
    let _before = OFFERED.try_with(|offered| offered.replace(Some(bytes.clone())));
    let _offer = Offer;
    write()
}

/// Whose the `shown` bytes are, if they are offered.
pub(crate) fn offered(shown: &[u8]) -> Option<Bytes> {
    let is_shown = |bytes: &mut Bytes| std::ptr::eq(&**bytes, shown);
    let taken = OFFERED.try_with(|offered| offered.borrow_mut().take_if(is_shown));
    taken.ok().flatten()
}

/// Lends the parts of `message` while `read` reads it.
pub(crate) fn lending<T>(message: &Bytes, read: impl FnOnce() -> T) -> T {
    /// Another message may be read while one is.
    struct Before(Option<Bytes>);

    impl Drop for Before {
        fn drop(&mut self) {
            let _read = LENT.try_with(|lent| lent.replace(self.0.take()));
        }
    }

    let before = LENT.try_with(|lent| lent.replace(Some(message.clone())));
    let _before = Before(before.ok().flatten());
    read()
}

/// The `shown` bytes as a part of the message that is read, if they are one.
pub(super) fn lent(shown: &[u8]) -> Option<Bytes> {
    let own = LENT.try_with(|message| message.borrow().as_ref()?.own(shown));
    own.ok().flatten()
}
