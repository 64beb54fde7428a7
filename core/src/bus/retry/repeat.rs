//! A request that can be made again.

use std::time::Instant;

use crate::bus::Head;
use crate::bus::core::WeakBus;
use crate::bus::draft::{Draft, Terms, Timeout};
use crate::codec::CodecId;
use crate::payload::Payload;

/// All that a draft says, with its arguments encoded. It does not keep the bus open.
pub(super) struct Repeat {
    bus: WeakBus,
    head: Head,
    arguments: (Vec<u8>, CodecId),
    timeout: Timeout,
    terms: Box<Terms>,
    pub(super) begun: Instant,
}

impl Repeat {
    /// Encodes the arguments, once for all attempts, whose time starts at `begun`.
    pub(super) fn of(mut draft: Draft, begun: Instant) -> Self {
        let limit = draft.bus.capabilities().max_message;
        let (bus, timeout) = (WeakBus::of(&draft.bus), draft.timeout);
        let mut terms = draft.terms.take().unwrap_or_default();
        terms.begun = Some(begun);
        let (head, payload) = draft.into_parts();
        let codec = payload.codec();
        let bytes = payload.into_bytes(limit, codec).unwrap_or_else(|error| {
            terms.unencoded.get_or_insert(error);
            Vec::new()
        });
        Repeat {
            bus,
            head,
            arguments: (bytes, codec),
            timeout,
            terms,
            begun,
        }
    }

    /// The request for another attempt; none when the bus is gone.
    pub(super) fn draft(&self) -> Option<Draft> {
        let (bytes, codec) = self.arguments.clone();
        let bus = self.bus.upgrade()?;
        let (head, terms) = (self.head.clone(), self.terms.clone());
        Some(Draft::again(
            bus,
            head,
            Payload::encoded(bytes, codec),
            self.timeout,
            terms,
        ))
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
