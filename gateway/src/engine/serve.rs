//! The engine's sockets: one task that listens, one for each connection.

use super::script::Behaviour;
use super::{Inner, lock};
use crate::wire::{self, Listener, Wire};
use orugate_protocol::hl7::ack::{Code, ErrorCode, Problem, Reply, Severity};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::hl7::ts::Stamp;
use orugate_protocol::mllp::{self, Decoder, Event, Rules};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest message.
const LONGEST: usize = 4 * 1024 * 1024;

/// What an acknowledgment needs beside what it repeats of the message.
const ANSWER: usize = 2048;

/// Takes connections until the sender of `stopped` is dropped; ends when all of them are gone.
pub(super) async fn listen(inner: Arc<Inner>, listener: Arc<dyn Listener>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = wire::accept(&*listener) => accepted,
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        if let Ok((stream, _)) = accepted {
            inner.counts.send_modify(|counts| counts.connections += 1);
            let inner = inner.clone();
            connections.spawn(async move {
                if let Err(error) = connection(&inner, stream).await {
                    tracing::debug!(%error, "a connection to the built-in engine ended");
                }
            });
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// What remains of a connection after an answer.
enum After {
    Open,
    Closed,
}

async fn connection(inner: &Inner, mut stream: Box<dyn Wire>) -> io::Result<()> {
    let mut decoder = Decoder::new(vec![0; LONGEST], Rules::default());
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let (taken, event) = decoder.receive(rest);
            rest = rest.get(taken..).unwrap_or_default();
            match event {
                Some(Event::Frame { payload, .. }) => {
                    let behaviour = inner.receive(payload);
                    if let After::Closed = answer(inner, &mut stream, payload, behaviour).await? {
                        return Ok(());
                    }
                }
                Some(Event::Noise { .. } | Event::Restarted { .. }) | None => {}
                Some(Event::TooLong { .. } | Event::BadEnd { .. }) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }
}

async fn answer(
    inner: &Inner,
    stream: &mut Box<dyn Wire>,
    message: &[u8],
    behaviour: Behaviour,
) -> io::Result<After> {
    let late = std::mem::take(&mut lock(&inner.kept).late);
    for late in late {
        stream.write_all(&late).await?;
    }
    let accept = || reply(inner, message, Code::ApplicationAccept, None);
    match behaviour {
        Behaviour::Answer(code, error) => stream.write_all(&reply(inner, message, code, error)).await?,
        Behaviour::CommitThenAccept => {
            stream.write_all(&reply(inner, message, Code::CommitAccept, None)).await?;
            stream.write_all(&accept()).await?;
        }
        Behaviour::Silent => {}
        Behaviour::Delay(wait) => {
            pause(wait).await;
            stream.write_all(&accept()).await?;
        }
        Behaviour::Late => {
            let late = accept();
            lock(&inner.kept).late.push(late);
        }
        Behaviour::WrongId => stream.write_all(&renamed(inner, message, b"SOMEBODY-ELSE")).await?,
        Behaviour::BlankId => stream.write_all(&renamed(inner, message, b"")).await?,
        Behaviour::Twice => {
            stream.write_all(&accept()).await?;
            stream.write_all(&accept()).await?;
        }
        Behaviour::Glued => {
            let both = [renamed(inner, message, b"SOMEBODY-ELSE"), accept()].concat();
            stream.write_all(&both).await?;
        }
        Behaviour::Half => {
            let whole = accept();
            stream.write_all(whole.get(..whole.len() / 2).unwrap_or_default()).await?;
        }
        Behaviour::Crumbs => {
            for byte in accept() {
                stream.write_all(&[byte]).await?;
                // Lets a reader on the same thread see each byte alone.
                tokio::task::yield_now().await;
            }
        }
        Behaviour::Noise => stream.write_all(&[b"\r\nready>", accept().as_slice()].concat()).await?,
        Behaviour::NoCr => {
            let whole = accept();
            stream.write_all(whole.strip_suffix(b"\r").unwrap_or(&whole)).await?;
        }
        Behaviour::Garbage => stream.write_all(b"\x0bERROR\x1c\r").await?,
        Behaviour::ResetBefore => return reset(stream),
        Behaviour::ResetAfter => {
            stream.write_all(&accept()).await?;
            return reset(stream);
        }
        Behaviour::Close => return Ok(After::Closed),
        Behaviour::CloseAfter => {
            stream.write_all(&accept()).await?;
            return Ok(After::Closed);
        }
    }
    Ok(After::Open)
}

/// Makes the close that follows a reset instead of an orderly end.
fn reset(stream: &mut Box<dyn Wire>) -> io::Result<After> {
    stream.abort();
    Ok(After::Closed)
}

/// A frame with the answer to a message.
fn reply(inner: &Inner, message: &[u8], code: Code, error: Option<ErrorCode>) -> Vec<u8> {
    let header = Header::read(message).ok().or_else(|| Header::salvage(message));
    let number = {
        let mut kept = lock(&inner.kept);
        kept.answers += 1;
        kept.answers
    };
    let problem = error.map(|code| Problem { location: None, code, severity: Severity::Error, text: "" });
    let reply = Reply {
        // A message that cannot even be named can only be rejected.
        code: if header.is_some() { code } else { Code::ApplicationReject },
        control_id: &format!("E{number:016}"),
        time: Some(Stamp::new(inner.clock.utc(), 0)),
        text: "",
        problems: problem.as_slice(),
    };
    let mut buffer = vec![0; message.len().saturating_add(ANSWER)];
    let content = reply.write(header.as_ref(), &mut buffer).unwrap_or_default();
    framed(content)
}

/// AA with another MSA-2.
fn renamed(inner: &Inner, message: &[u8], id: &[u8]) -> Vec<u8> {
    let whole = reply(inner, message, Code::ApplicationAccept, None);
    let Some(start) = whole.windows(7).position(|bytes| bytes.starts_with(b"\rMSA|AA")) else { return whole };
    let (head, tail) = whole.split_at(start + 8);
    let end = tail.iter().position(|byte| matches!(byte, b'|' | b'\r')).unwrap_or(tail.len());
    [head, id, tail.get(end..).unwrap_or_default()].concat()
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; content.len().saturating_add(mllp::OVERHEAD)];
    let length = mllp::encode(content, &mut frame).unwrap_or(0);
    frame.truncate(length);
    frame
}

/// The only place where the engine lets time pass: a slow engine is what is played here.
#[allow(clippy::disallowed_methods)]
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}
