//! What the two ends of a connection do differently.

use std::sync::Arc;
use std::task::Context;

use super::hub::Settling;
use super::translate::Incoming;
use crate::bus::InFlight;
use crate::reply::Reply;
use crate::server::{Mode, Retiring, ServerCore};
use crate::session::{BindId, BindRefusal, CloseCode, PeerHello, Registration, Session};

/// A request that was taken. Its record answers for it, also where it was refused.
pub(super) struct Taken {
    pub(super) in_flight: Arc<InFlight>,
    /// Where it was answered right here: the record is not told.
    pub(super) answer: Option<Reply>,
}

/// The role that a connection's task plays. Called by that task only.
pub(super) trait Side: Send {
    /// The task begins; the session may be given what travels right behind Hello.
    fn started(&mut self, session: &mut Session);

    /// The peer's Hello came and fits.
    ///
    /// # Errors
    /// It is not let in after all, and nothing that it has asked for is to be looked at.
    fn opened(&mut self, hello: &PeerHello) -> Result<(), CloseCode>;

    /// Takes a request on its way; `None` where not even a record could be made.
    fn request(&mut self, incoming: Incoming, mode: Mode) -> Option<Taken>;

    /// Sends casts on that found no room before; says whether any went. Wakes the waker of `cx` when
    /// there may be room for the rest.
    fn poll_parked(&mut self, cx: &mut Context<'_>) -> bool;

    /// Nobody waits any more for some of what has come.
    fn given_up(&mut self);

    /// Hub: the peer serves a topic.
    fn bind(&mut self, id: BindId, registration: &Registration) -> Result<(), BindRefusal>;

    /// Hub: the peer serves it no more.
    fn unbind(&mut self, id: BindId);

    /// Member: register this server.
    fn bind_server(&mut self, session: &mut Session, server: &Arc<ServerCore>);

    /// Member: withdraw it.
    fn unbind_server(&mut self, session: &mut Session, server: &Arc<ServerCore>);

    /// Member: have the hub send it nothing more; what it says is dropped when what was on its way has come.
    fn retire_server(&mut self, session: &mut Session, retiring: Retiring);

    /// Hub: a server of this process retires, and takes what waits for it here where nobody else would.
    fn settle(&mut self, settling: &Settling);

    /// Hub: the peer's server is to be sent nothing more.
    fn retire(&mut self, id: BindId);

    /// Member: what was on its way to it has come.
    fn retired(&mut self, id: BindId);

    /// Says of which servers that retire nothing is left: by a hub on its way to them, by a member in front of them.
    fn tell_retired(&mut self, session: &mut Session);

    /// Member: the hub's word.
    fn bind_result(&mut self, id: BindId, result: Result<(), BindRefusal>);

    /// Hub: tells the peer which copies of fanout casts its servers missed here.
    fn tell_missed(&mut self, session: &mut Session);

    /// Member: the hub had no room for so many copies of fanout casts to one of its servers.
    fn missed(&mut self, id: BindId, copies: u64);

    /// The peer takes no new requests.
    fn going_away(&mut self);

    /// The session has ended; nothing follows. Why, where something was wrong.
    fn closed(&mut self, wrong: Option<&str>);
}
