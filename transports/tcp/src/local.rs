//! Connections within a host.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::net::sockopt;

/// Bytes that the kernel is asked to keep for each direction at each end; Linux takes twice as much, its own records
/// included.
///
/// Left to itself it takes as many as a fast and far network needs, megabytes, and within a host, where the sender is as fast
/// as the reader, these fill up with large messages, and a small one waits for all that is before it (C-OV-2). Beside messages
/// of 16 MiB, one of a hundred small calls took more than 3 to 10 ms then; with twice this, more than 0.8 (under TLS, where
/// the bytes cost more, 2); with this, more than 0.5 (0.8). Large messages take as long as with twice this, 11 to 15 ms
/// (14 to 24), and a half more with half of it.
const QUEUE: usize = 64 * 1024;

/// Bounds what the kernel keeps of a connection to, or accepted at, this address, if it is one of this host alone.
pub(crate) fn bound(socket: impl AsFd, at: SocketAddr) -> rustix::io::Result<()> {
    let socket = socket.as_fd();
    if !at.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    sockopt::set_socket_recv_buffer_size(socket, QUEUE)?;
    sockopt::set_socket_send_buffer_size(socket, QUEUE)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// How much goes into a connection that nobody reads.
    fn taken(bounded: bool) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        if bounded {
            bound(&listener, at).unwrap();
        }
        let mut near = TcpStream::connect(at).unwrap();
        if bounded {
            bound(&near, at).unwrap();
        }
        let _far = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut taken = 0;
        loop {
            match near.write(&[0; 64 * 1024]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_connection_within_the_host_keeps_few_bytes_on_their_way() {
        let (few, many) = (taken(true), taken(false));
        assert!(few <= 4 * QUEUE && few < many, "{few} of {many}");
    }

    #[test]
    fn what_goes_to_other_hosts_is_left_to_the_kernel() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let before = sockopt::socket_recv_buffer_size(&listener).unwrap();
        bound(&listener, "192.0.2.1:1".parse().unwrap()).unwrap();
        bound(&listener, "[2001:db8::1]:1".parse().unwrap()).unwrap();
        assert_eq!(sockopt::socket_recv_buffer_size(&listener).unwrap(), before);
        bound(&listener, "[::ffff:127.0.0.1]:1".parse().unwrap()).unwrap();
        assert_eq!(
            sockopt::socket_recv_buffer_size(&listener).unwrap(),
            2 * QUEUE
        );
    }
}
