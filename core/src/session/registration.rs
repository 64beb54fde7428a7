//! What a member serves, as both sides know it (PR-BIND).

use std::collections::{BTreeMap, VecDeque};

use super::code::{CloseCode, error_code};
use super::config::{OFFERS_MAX, Role, TEXT_MAX};
use super::event::{BindRefusal, Refusal};
use super::frame::{Kind, whole};
use super::message::{BindId, Offer, Registration};
use super::wire::{
    Parsed, Reader, cut_text, malformed, put_counted, put_name, put_optional_name, put_size,
    put_varint, violation,
};

/// A frame about a registration that waits to be staged.
#[derive(Debug)]
enum Notice {
    Bind(u32, Registration),
    Unbind(u32),
    Retire(u32),
    Retired(u32),
    Result(u32, Result<(), BindRefusal>),
}

/// The registrations of one connection.
#[derive(Debug)]
pub(super) struct Registrations {
    role: Role,
    limit: usize,
    /// The highest id so far; ids start at 1 and are never used again.
    last: u32,
    /// Live ones; the value says whether the hub has decided.
    live: BTreeMap<u32, bool>,
    /// Those of them that are to be sent nothing more; the value says whether the hub has said that nothing more comes.
    retiring: BTreeMap<u32, bool>,
    notices: VecDeque<Notice>,
    /// Hub: copies that a registration missed and was not told of. At most one entry for each.
    missed: BTreeMap<u32, u64>,
}

impl Registrations {
    pub(super) fn new(role: Role, limit: u32) -> Self {
        Self {
            role,
            limit: limit as usize,
            last: 0,
            live: BTreeMap::new(),
            retiring: BTreeMap::new(),
            notices: VecDeque::new(),
            missed: BTreeMap::new(),
        }
    }

    pub(super) fn has_notices(&self) -> bool {
        !self.notices.is_empty() || !self.missed.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.live.clear();
        self.retiring.clear();
        self.notices.clear();
        self.missed.clear();
    }

    /// Whether requests may be addressed to it.
    pub(super) fn is_live(&self, id: BindId) -> bool {
        self.live.contains_key(&id.0)
    }

    /// Whether it was ever given.
    pub(super) fn was_given(&self, id: BindId) -> bool {
        id.0 != 0 && id.0 <= self.last
    }

    pub(super) fn bind(&mut self, registration: Registration) -> Result<BindId, Refusal> {
        if self.role != Role::Member {
            return Err(Refusal::WrongRole);
        }
        if registration.offers.len() > OFFERS_MAX {
            return Err(Refusal::TooManyOffers);
        }
        // Withdrawals that wait count too, or binding and unbinding against a peer that does not
        // read would have no bound.
        if self.live.len().max(self.notices.len()) >= self.limit {
            return Err(Refusal::TooManyBindings);
        }
        let Some(id) = self.last.checked_add(1) else {
            return Err(Refusal::TooManyBindings);
        };
        self.last = id;
        self.live.insert(id, false);
        self.notices.push_back(Notice::Bind(id, registration));
        Ok(BindId(id))
    }

    pub(super) fn unbind(&mut self, BindId(id): BindId) {
        if self.role != Role::Member || self.live.remove(&id).is_none() {
            return;
        }
        self.retiring.remove(&id);
        let unsent = |notice: &Notice| matches!(notice, Notice::Bind(bound, _) if *bound == id);
        match self.notices.iter().position(unsent) {
            Some(position) => {
                self.notices.remove(position);
                let asks =
                    |notice: &Notice| matches!(notice, Notice::Retire(asked) if *asked == id);
                self.notices.retain(|notice| !asks(notice));
            }
            None => self.notices.push_back(Notice::Unbind(id)),
        }
    }

    /// Member: asks for nothing more to be sent to it. `false` where there is no such registration, or it was asked for.
    pub(super) fn retire(&mut self, BindId(id): BindId) -> bool {
        let live = self.role == Role::Member && self.live.contains_key(&id);
        if !live || self.retiring.contains_key(&id) {
            return false;
        }
        self.retiring.insert(id, false);
        self.notices.push_back(Notice::Retire(id));
        true
    }

    /// Hub: nothing more will be sent to it.
    pub(super) fn retired(&mut self, BindId(id): BindId) {
        if self.role != Role::Hub || !self.live.contains_key(&id) {
            return;
        }
        if let Some(told @ false) = self.retiring.get_mut(&id) {
            *told = true;
            self.notices.push_back(Notice::Retired(id));
        }
    }

    pub(super) fn bind_result(&mut self, BindId(id): BindId, result: Result<(), BindRefusal>) {
        if self.role != Role::Hub {
            return;
        }
        match self.live.get_mut(&id) {
            Some(decided) if !*decided => *decided = true,
            _ => return,
        }
        if result.is_err() {
            self.live.remove(&id);
        }
        self.notices.push_back(Notice::Result(id, result));
    }

    /// Hub: copies of fanout casts were not forwarded to it.
    pub(super) fn missed(&mut self, BindId(id): BindId, copies: u64) {
        if self.role == Role::Hub && copies > 0 && self.live.contains_key(&id) {
            let untold = self.missed.entry(id).or_default();
            *untold = untold.saturating_add(copies);
        }
    }

    /// Hub: a Bind frame came. `None` when it was refused here.
    pub(super) fn on_bind(
        &mut self,
        mut reader: Reader<'_>,
    ) -> Parsed<Option<(BindId, Registration)>> {
        self.only(Role::Hub)?;
        let id = reader.u32()?;
        let registration = Registration {
            exchange: reader.name()?,
            topic: reader.name()?,
            server: reader.name()?,
            offers: parse_offers(&mut reader)?,
        };
        reader.end()?;
        // Ids may leave gaps: a registration may be withdrawn before it was sent.
        if id <= self.last {
            return violation(
                CloseCode::DuplicateId,
                "a registration's id does not increase",
            );
        }
        self.last = id;
        if self.notices.len() > self.limit.saturating_mul(2) {
            return violation(
                CloseCode::Overloaded,
                "the answers to registrations are not read",
            );
        }
        if self.live.len() >= self.limit {
            let text = String::from("too many registrations on one connection");
            let refusal = BindRefusal {
                code: error_code::OVERLOADED,
                text,
            };
            self.notices.push_back(Notice::Result(id, Err(refusal)));
            return Ok(None);
        }
        self.live.insert(id, false);
        Ok(Some((BindId(id), registration)))
    }

    /// Hub: an Unbind frame came. `None` when the registration is gone already.
    pub(super) fn on_unbind(&mut self, mut reader: Reader<'_>) -> Parsed<Option<BindId>> {
        self.only(Role::Hub)?;
        let id = BindId(reader.u32()?);
        reader.end()?;
        if !self.was_given(id) {
            return violation(CloseCode::UnknownId, "a registration that was never made");
        }
        self.missed.remove(&id.0);
        self.retiring.remove(&id.0);
        Ok(self.live.remove(&id.0).map(|_| id))
    }

    /// Hub: a Retire frame came. `None` when the registration is gone already.
    pub(super) fn on_retire(&mut self, mut reader: Reader<'_>) -> Parsed<Option<BindId>> {
        self.only(Role::Hub)?;
        let id = BindId(reader.u32()?);
        reader.end()?;
        if !self.was_given(id) {
            return violation(CloseCode::UnknownId, "a registration that was never made");
        }
        // Asked for again, it is answered once: else the answers would have no bound.
        if !self.is_live(id) || self.retiring.contains_key(&id.0) {
            return Ok(None);
        }
        self.retiring.insert(id.0, false);
        Ok(Some(id))
    }

    /// Member: a Retired frame came. `None` when the registration was withdrawn meanwhile.
    pub(super) fn on_retired(&mut self, mut reader: Reader<'_>) -> Parsed<Option<BindId>> {
        self.only(Role::Member)?;
        let id = BindId(reader.u32()?);
        reader.end()?;
        if !self.was_given(id) {
            return violation(CloseCode::UnknownId, "a registration that was never made");
        }
        if !self.is_live(id) {
            return Ok(None);
        }
        match self.retiring.get_mut(&id.0) {
            Some(told @ false) => {
                *told = true;
                Ok(Some(id))
            }
            _ => violation(
                CloseCode::UnexpectedFrame,
                "nobody asked whether a registration has retired",
            ),
        }
    }

    /// Member: a BindResult frame came. `None` when it was withdrawn meanwhile.
    pub(super) fn on_result(
        &mut self,
        mut reader: Reader<'_>,
    ) -> Parsed<Option<(BindId, Result<(), BindRefusal>)>> {
        self.only(Role::Member)?;
        let id = BindId(reader.u32()?);
        let code = reader.u16()?;
        let text = reader.text()?;
        reader.end()?;
        if text.len() > TEXT_MAX {
            return malformed("a text is too long");
        }
        if !self.was_given(id) {
            return violation(CloseCode::UnknownId, "a registration that was never made");
        }
        let Some(decided) = self.live.get_mut(&id.0) else {
            return Ok(None);
        };
        if std::mem::replace(decided, true) {
            return violation(CloseCode::DuplicateId, "a second word on one registration");
        }
        if code == 0 {
            return Ok(Some((id, Ok(()))));
        }
        self.live.remove(&id.0);
        Ok(Some((
            id,
            Err(BindRefusal {
                code,
                text: text.to_owned(),
            }),
        )))
    }

    /// Member: a Missed frame came. `None` when the registration was withdrawn meanwhile.
    pub(super) fn on_missed(&mut self, mut reader: Reader<'_>) -> Parsed<Option<(BindId, u64)>> {
        self.only(Role::Member)?;
        let (id, copies) = (BindId(reader.u32()?), reader.varint()?);
        reader.end()?;
        if copies == 0 {
            return malformed("a word on no missed copy");
        }
        if !self.was_given(id) {
            return violation(CloseCode::UnknownId, "a registration that was never made");
        }
        Ok(self.is_live(id).then_some((id, copies)))
    }

    /// Writes all frames that wait.
    pub(super) fn put(&mut self, out: &mut Vec<u8>) {
        for notice in self.notices.drain(..) {
            match notice {
                Notice::Bind(id, registration) => whole(out, Kind::Bind, |out| {
                    put_varint(out, id.into());
                    put_name(out, &registration.exchange);
                    put_name(out, &registration.topic);
                    put_name(out, &registration.server);
                    put_offers(out, &registration.offers);
                }),
                Notice::Unbind(id) => whole(out, Kind::Unbind, |out| put_varint(out, id.into())),
                Notice::Retire(id) => whole(out, Kind::Retire, |out| put_varint(out, id.into())),
                Notice::Retired(id) => whole(out, Kind::Retired, |out| put_varint(out, id.into())),
                Notice::Result(id, result) => whole(out, Kind::BindResult, |out| {
                    let (code, text) = match &result {
                        Ok(()) => (0, ""),
                        // 0 would say yes.
                        Err(refusal) => (refusal.code.max(1), refusal.text.as_str()),
                    };
                    put_varint(out, id.into());
                    put_size(out, code.into());
                    put_counted(out, cut_text(text, TEXT_MAX).as_bytes());
                }),
            }
        }
        for (id, copies) in std::mem::take(&mut self.missed) {
            whole(out, Kind::Missed, |out| {
                put_varint(out, id.into());
                put_varint(out, copies);
            });
        }
    }

    fn only(&self, role: Role) -> Parsed<()> {
        if self.role == role {
            Ok(())
        } else {
            violation(
                CloseCode::WrongDirection,
                "a registration goes from member to hub",
            )
        }
    }
}

/// Writes what a server offers; nothing, when it does not say (PR-ENC-3).
fn put_offers(out: &mut Vec<u8>, offers: &[Offer]) {
    if offers.is_empty() {
        return;
    }
    put_size(out, offers.len());
    for Offer { namespace, version } in offers {
        put_optional_name(out, namespace.as_ref());
        let (major, minor, patch) = *version;
        for part in [major, minor, patch] {
            put_size(out, part.into());
        }
    }
}

fn parse_offers(reader: &mut Reader<'_>) -> Parsed<Vec<Offer>> {
    let mut offers = Vec::new();
    if reader.is_empty() {
        return Ok(offers);
    }
    let count = reader.size()?;
    if count == 0 {
        return malformed("a list of no offers");
    }
    if count > OFFERS_MAX {
        return malformed("more offers than allowed");
    }
    for _ in 0..count {
        offers.push(Offer {
            namespace: reader.optional_name()?,
            version: (reader.u16()?, reader.u16()?, reader.u16()?),
        });
    }
    Ok(offers)
}
