//! A request that can be made again.

use std::time::Instant;

use crate::bus::Head;
use crate::bus::core::WeakBus;
use crate::bus::draft::{Args, Draft, Terms, Timeout};
use crate::codec::{CodecId, EncodeError};
use crate::payload::Payload;

/// All that a draft says, with its arguments encoded. It does not keep the bus open.
pub(super) struct Repeat {
    bus: WeakBus,
    head: Head,
    arguments: Result<(Vec<u8>, CodecId), EncodeError>,
    timeout: Timeout,
    terms: Box<Terms>,
    pub(super) begun: Instant,
}

impl Repeat {
    /// Encodes the arguments, once for all attempts, whose time starts at `begun`.
    pub(super) fn of(mut draft: Draft, begun: Instant) -> Self {
        let limit = draft.bus.capabilities().max_message;
        let encode = |Args(payload): Args| {
            let codec = payload.codec();
            Ok((payload.into_bytes(limit, codec)?, codec))
        };
        let mut terms = draft.terms.take().unwrap_or_default();
        terms.begun = Some(begun);
        Repeat {
            bus: WeakBus::of(&draft.bus),
            head: draft.head().clone(),
            arguments: draft.arguments.and_then(encode),
            timeout: draft.timeout,
            terms,
            begun,
        }
    }

    /// The request for another attempt; none when the bus is gone.
    pub(super) fn draft(&self) -> Option<Draft> {
        let arguments = self.arguments.clone();
        let arguments = arguments.map(|(bytes, codec)| Args(Payload::encoded(bytes, codec)));
        let bus = self.bus.upgrade()?;
        let (head, terms) = (self.head.clone(), self.terms.clone());
        Some(Draft::again(bus, head, arguments, self.timeout, terms))
    }

    /// What it is for, for messages.
    pub(super) fn target(&self) -> String {
        match &self.terms.fault {
            None => format!("{}.{}", self.head.topic, self.head.method),
            Some(_) => String::new(),
        }
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.head.idempotency_key().is_some()
    }
}
