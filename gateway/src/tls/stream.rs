//! The handshake, and the open connection as a [`Wire`].
//!
//! Promises: a handshake ends in time; before each byte in either direction the peer is judged anew when files were
//! replaced since; a close says so to the peer (close_notify). A peer that hangs up without saying so has hung up: what
//! it said before counts, because MLLP and LIS01 frames show by themselves whether they are whole.

use super::facts;
use super::files::{Dated, Kind};
use super::trouble::{Trouble, What};
use super::verifier::{Handshake, unix};
use super::{Set, User};
use crate::clock::Clock;
use crate::config::{TlsSide, TlsVersion};
use crate::wire::Wire;
use orugate_protocol::time::Tick;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// How long a handshake may take.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// In TLS 1.3 an engine refuses after the handshake; one that hangs up later than this had another reason.
pub(super) const REFUSAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(&self.0))
    }
}

static FROM_12: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::V12 => &FROM_12,
        TlsVersion::V13 => &FROM_13,
    }
}

impl User {
    /// Makes an open wire a TLS connection that this side begins.
    pub(super) async fn connect(self: Arc<Self>, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, Trouble> {
        let set = self.current()?;
        let TlsSide::Client(name) = &self.plan.side else {
            return Err(self.trouble(What::Other("it listens and cannot connect".to_owned())));
        };
        let other = |error: &dyn std::fmt::Display| self.trouble(What::Other(error.to_string()));
        let name = ServerName::try_from(name.clone()).map_err(|error| other(&error))?;
        let handshake = self.handshake(&set);
        let builder = ClientConfig::builder_with_details(set.provider.clone(), self.time());
        let builder =
            builder.with_protocol_versions(versions(self.plan.min_version)).map_err(|error| other(&error))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(handshake.clone())
            .with_client_cert_resolver(handshake.clone());
        // A resumed session would skip the look at the certificate.
        config.resumption = Resumption::disabled();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, wire);
        let stream = tokio::time::timeout(HANDSHAKE, connecting).await;
        self.shaken(set, handshake, stream.map(|stream| stream.map(TlsStream::Client)))
    }

    /// Makes an open wire a TLS connection that the peer begins.
    pub(super) async fn accept(self: Arc<Self>, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, Trouble> {
        let set = self.current()?;
        let handshake = self.handshake(&set);
        let builder = ServerConfig::builder_with_details(set.provider.clone(), self.time());
        let builder = builder
            .with_protocol_versions(versions(self.plan.min_version))
            .map_err(|error| self.trouble(What::Other(error.to_string())))?;
        let builder = if self.plan.knows_the_peer() {
            builder.with_client_cert_verifier(handshake.clone())
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(handshake.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let accepting = TlsAcceptor::from(Arc::new(config)).accept(wire);
        let stream = tokio::time::timeout(HANDSHAKE, accepting).await;
        self.shaken(set, handshake, stream.map(|stream| stream.map(TlsStream::Server)))
    }

    fn handshake(&self, set: &Set) -> Arc<Handshake> {
        Arc::new(Handshake::new(set.verifier.clone(), set.own.clone(), self.clock.clone()))
    }

    fn time(&self) -> Arc<Time> {
        Arc::new(Time(self.clock.clone()))
    }

    fn shaken(
        self: &Arc<Self>,
        set: Arc<Set>,
        handshake: Arc<Handshake>,
        stream: Result<io::Result<TlsStream<Box<dyn Wire>>>, tokio::time::error::Elapsed>,
    ) -> Result<Box<dyn Wire>, Trouble> {
        let stream = match stream {
            Err(_) => return Err(self.knocked(What::TimedOut(HANDSHAKE))),
            Ok(Err(error)) => {
                let asked = handshake.asked_in_vain();
                let what = handshake.said().unwrap_or_else(|| What::of_io(&error, true, asked));
                return Err(self.knocked(what));
            }
            Ok(Ok(stream)) => stream,
        };
        let (_, connection) = stream.get_ref();
        let peer: Vec<CertificateDer<'static>> = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|c| c.clone().into_owned())
            .collect();
        let names = peer.first().and_then(|leaf| facts::of(leaf)).unwrap_or_default().all_names();
        tracing::info!(name = &*self.name, version = ?connection.protocol_version(), peer = ?names, "TLS");
        let dated = peer.iter().filter_map(|certificate| {
            let facts = facts::of(certificate)?;
            let name = facts.all_names().into_iter().next().unwrap_or_default();
            Some(Dated {
                kind: Kind::Peer,
                what: format!("the certificate {name} of the other side"),
                valid: facts.valid,
            })
        });
        let (dated, since) = (dated.collect(), self.clock.tick());
        {
            let mut told = self.told();
            told.peer = dated;
            match self.plan.side {
                // Here a handshake ends with the client's word.
                TlsSide::Server => told.trouble = None,
                TlsSide::Client(_) => told.shaken = Some(since),
            }
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(TlsWire {
            stream,
            user: self.clone(),
            set,
            peer,
            asked: handshake.asked_in_vain(),
            heard: false,
            since,
            aborted: false,
        }))
    }
}

/// An open connection.
struct TlsWire {
    stream: TlsStream<Box<dyn Wire>>,
    user: Arc<User>,
    /// By which the peer was judged last.
    set: Arc<Set>,
    peer: Vec<CertificateDer<'static>>,
    /// The peer asked for a certificate and got none. In TLS 1.3 its refusal comes after the handshake.
    asked: bool,
    /// The peer has said something, so it took this side's certificate.
    heard: bool,
    since: Tick,
    aborted: bool,
}

impl TlsWire {
    fn judge(&mut self) -> io::Result<()> {
        let now = self.user.set.load();
        let Some(now) = now.as_ref().filter(|now| !Arc::ptr_eq(now, &self.set)) else { return Ok(()) };
        if let Err(what) = now.verifier.again(&self.peer, &self.user.clock) {
            return Err(self.user.trouble(what).into());
        }
        self.set = now.clone();
        Ok(())
    }

    /// rustls' errors as troubles, which say more; others as they are.
    fn told(&self, error: io::Error) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            return self.user.trouble(What::of_io(&error, false, self.asked)).into();
        }
        error
    }
}

impl AsyncRead for TlsWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.judge()?;
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        match read {
            Ok(()) => {
                if !self.heard && buffer.filled().len() > before {
                    self.heard = true;
                    self.user.told().trouble = None;
                }
                Poll::Ready(Ok(()))
            }
            // It hung up without close_notify, as many do.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let young = self.user.clock.tick().since(self.since) < REFUSAL;
                if self.asked && !self.heard && young {
                    return Poll::Ready(Err(self.user.trouble(What::WantsCertificate).into()));
                }
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.told(error))),
        }
    }
}

impl AsyncWrite for TlsWire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.judge()?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(written.map_err(|error| self.told(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| self.told(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Wire for TlsWire {
    fn queued(&self) -> u32 {
        self.stream.get_ref().0.queued()
    }

    fn socket(&self) -> Option<std::os::fd::OwnedFd> {
        self.stream.get_ref().0.socket()
    }

    fn poll_push(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_flush(context)
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.stream.get_mut().0.abort();
    }
}

impl Drop for TlsWire {
    /// Says that it closes, as far as the socket takes it at once. Waiting for more would hold up who closes.
    fn drop(&mut self) {
        self.user.open.fetch_sub(1, Ordering::Relaxed);
        self.user.told().shaken.take_if(|at| *at == self.since);
        if !self.aborted {
            let mut context = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut self.stream).poll_shutdown(&mut context);
        }
    }
}
