//! From the names of a member to a connection.
//!
//! # Invariants
//!
//! * Names are resolved at each dial: a member that moved is found where it is now.
//! * All addresses of a member are tried at once and the first that answers is taken; the others are dropped.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::peer::ElectionAddress;

/// A connection, and the host by which it was found.
#[derive(Debug)]
pub struct Dialled {
    /// The socket.
    pub stream: TcpStream,
    /// The host of the configuration: whom the other end must prove to be.
    pub host: String,
    /// Where it leads.
    pub to: SocketAddr,
}

/// Connects to one of these addresses within `limit`.
///
/// # Errors
///
/// Why none of them could be reached, each named.
pub async fn connect(addresses: &[ElectionAddress], limit: Duration) -> Result<Dialled, String> {
    let mut tries = JoinSet::new();
    for address in addresses {
        let address = address.clone();
        tries.spawn(async move {
            let outcome = timeout(limit, one(&address)).await;
            outcome
                .unwrap_or_else(|_| Err(format!("{address} does not answer within {} ms", limit.as_millis())))
        });
    }
    let mut failures = Vec::new();
    while let Some(done) = tries.join_next().await {
        match done {
            Ok(Ok(dialled)) => return Ok(dialled),
            Ok(Err(why)) => failures.push(why),
            Err(e) => failures.push(e.to_string()),
        }
    }
    if failures.is_empty() {
        return Err("the configuration names no address".to_owned());
    }
    failures.sort_unstable();
    Err(failures.join("; "))
}

/// Every address of a name, one after the other.
async fn one(address: &ElectionAddress) -> Result<Dialled, String> {
    let ElectionAddress { host, port } = address;
    let found = lookup_host((host.as_str(), *port)).await;
    let found = found.map_err(|e| format!("{address} cannot be resolved: {e}"))?;
    let mut failure = format!("{address} has no address");
    for to in found {
        match TcpStream::connect(to).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(Dialled { stream, host: host.clone(), to });
            }
            Err(e) => failure = format!("{address}: {e}"),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn at(host: &str, port: u16) -> ElectionAddress {
        ElectionAddress { host: host.to_owned(), port }
    }

    #[tokio::test]
    async fn the_first_address_that_answers_is_taken() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = good.local_addr().unwrap().port();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let dead = at("127.0.0.1", closed);
        let limit = Duration::from_secs(10);
        let dialled = connect(&[dead.clone(), at("127.0.0.1", port)], limit).await.unwrap();
        assert_eq!((dialled.to.port(), dialled.host.as_str()), (port, "127.0.0.1"));
        let failure = connect(std::slice::from_ref(&dead), limit).await.unwrap_err();
        assert!(failure.contains(&dead.to_string()), "{failure}");
        let unknown = connect(&[at("no-such-host.invalid", 1)], limit).await.unwrap_err();
        assert!(unknown.contains("no-such-host.invalid:1 cannot be resolved"), "{unknown}");
        assert!(connect(&[], limit).await.is_err());
    }
}
