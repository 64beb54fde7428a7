//! How soon a host that has vanished without a word is noticed, by the session and by the kernel.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;
use tidings_core::session::Limits;

/// What follows from `?dead_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    dead_after: Duration,
}

/// Below this the peer's answer to a ping would have less than a second.
const SHORTEST: Duration = Duration::from_secs(2);

/// Probes without an answer until the kernel gives a connection up.
const PROBES: u32 = 3;

impl Default for Timing {
    fn default() -> Self {
        Timing {
            dead_after: Limits::default().dead_after,
        }
    }
}

impl Timing {
    /// `None` when that is too short.
    pub(crate) fn of(dead_after: Duration) -> Option<Timing> {
        (dead_after >= SHORTEST).then_some(Timing { dead_after })
    }

    /// The session asks after half of that time (T5).
    pub(crate) fn limit(self, limits: &mut Limits) {
        limits.dead_after = self.dead_after;
        limits.ping_interval = self.dead_after / 2;
    }

    /// Small messages leave at once; the kernel gives up what is not acknowledged in two thirds of
    /// the time (T6), and probes where it is quiet.
    pub(crate) fn apply(self, socket: impl AsFd) -> rustix::io::Result<()> {
        let socket = socket.as_fd();
        sockopt::set_tcp_nodelay(socket, true)?;
        let unacknowledged = self.dead_after * 2 / 3;
        let millis = u32::try_from(unacknowledged.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(socket, millis)?;
        sockopt::set_socket_keepalive(socket, true)?;
        // The kernel counts whole seconds, up to 32,767 of them.
        let seconds = |wanted: Duration| Duration::from_secs(wanted.as_secs().clamp(1, 32_767));
        sockopt::set_tcp_keepidle(socket, seconds(self.dead_after / 2))?;
        sockopt::set_tcp_keepintvl(socket, seconds(self.dead_after / 6))?;
        sockopt::set_tcp_keepcnt(socket, PROBES)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// What is set on a listener holds for what it accepts: accepting costs no more calls.
    #[test]
    fn what_is_accepted_has_the_options_of_its_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Timing::default().apply(&listener).unwrap();
        let _near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        assert!(sockopt::tcp_nodelay(&far).unwrap());
        assert_eq!(sockopt::tcp_user_timeout(&far).unwrap(), 20_000);
        assert!(sockopt::socket_keepalive(&far).unwrap());
        let seconds = Duration::from_secs;
        assert_eq!(sockopt::tcp_keepidle(&far).unwrap(), seconds(15));
        assert_eq!(sockopt::tcp_keepintvl(&far).unwrap(), seconds(5));
        assert_eq!(sockopt::tcp_keepcnt(&far).unwrap(), PROBES);
    }

    #[test]
    fn the_session_asks_after_half_of_the_time() {
        let mut limits = Limits::default();
        let timing = Timing::of(Duration::from_secs(4)).unwrap();
        timing.limit(&mut limits);
        assert_eq!(limits.dead_after, Duration::from_secs(4));
        assert_eq!(limits.ping_interval, Duration::from_secs(2));
        assert_eq!(Timing::of(Duration::from_millis(1999)), None);
        // The defaults are those of every session.
        let mut limits = Limits::default();
        Timing::default().limit(&mut limits);
        assert_eq!(limits, Limits::default());
    }
}
