//! Every fault at every step of the dialogue, into a whole gateway on a clock of the test's own.
//!
//! What is expected stands in tables, a cell for each fault and step; `docs/faults.md` shows them to people.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // A rig lets time pass, and watches that the real one does not.

mod asking;
mod bare;
mod bedside;
mod cells;
mod clocks;
mod counted;
mod engine;
mod full;
mod net;
mod odd;
mod page;
mod peer;
mod printing;
mod pushing;
mod recovery;
mod rig;
mod sending;

use cells::Mode;

#[tokio::test]
async fn datagrams_stay_whole_and_get_lost_doubled_and_late() {
    use net::datagrams::Fate;
    use orugate::config::UdpPlan;
    use orugate::wire::Wires as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (gateway, monitor): (std::net::SocketAddr, std::net::SocketAddr) =
        ("192.0.2.1:24105".parse().unwrap(), "192.0.2.90:24105".parse().unwrap());
    let net = net::Net::new(gateway.ip());
    let near = UdpPlan { address: monitor, local_port: Some(gateway.port()) };
    let far = UdpPlan { address: gateway, local_port: Some(monitor.port()) };
    let mut device = net.host(monitor.ip()).udp(&far).unwrap();
    let former = net.udp(&near).unwrap();
    let mut wire = net.udp(&near).unwrap();
    drop(former);
    net.fates(monitor, gateway, [Fate::Arrives, Fate::Lost, Fate::Twice, Fate::Late]);
    for datagram in [&b"a"[..], b"lost", b"b", b"late", b"c", b"", b"d"] {
        assert_eq!(device.write(datagram).await.unwrap(), datagram.len());
    }
    let mut heard = Vec::new();
    for _ in 0..6 {
        let mut buffer = [0; 10];
        let length = wire.read(&mut buffer).await.unwrap();
        heard.push(buffer[..length].to_vec());
    }
    assert_eq!(heard, [&b"a"[..], b"b", b"b", b"c", b"late", b"d"]);
    assert_eq!(net.sent(monitor, gateway).len(), 7);
    net.host([192, 0, 2, 91].into()).udp(&far).unwrap().write_all(b"stranger").await.unwrap();
    wire.write_all(b"poll").await.unwrap();
    let mut buffer = [0; 10];
    assert_eq!(device.read(&mut buffer).await.unwrap(), 4);
    device.write_all(b"after").await.unwrap();
    assert_eq!(wire.read(&mut buffer).await.unwrap(), 5, "a stranger is not heard");
}

#[test]
fn whatever_happens_while_the_instrument_sends() {
    sending::tables(Mode::Play);
}

#[test]
fn whatever_happens_on_a_line_of_bare_records() {
    bare::tables(Mode::Play);
}

#[test]
fn whatever_happens_while_the_gateway_answers_a_query() {
    asking::table(Mode::Play);
}

#[test]
fn whatever_the_engine_does() {
    engine::tables(Mode::Play);
}

#[test]
fn whatever_lasts_long_or_is_odd() {
    std::thread::scope(|scope| {
        let plays = odd::PLAYS.iter().chain(&clocks::PLAYS);
        let plays: Vec<_> = plays.map(|(name, _, play)| (name, scope.spawn(play))).collect();
        let failed: Vec<_> =
            plays.into_iter().filter_map(|(name, play)| play.join().err().map(|_| name)).collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}
