//! An instrument written by hand, for what the simulator does not do: it takes answers, and is silent or deaf at will.

use crate::rig::{INSTRUMENT, Rig};
use orugate::wire::{Wire, Wires as _};
use orugate_protocol::ascii::{ACK, CR, ENQ, EOT, LF};
use orugate_protocol::astm::link::{FrameEnd, encode_frame};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long it waits for a byte.
const PATIENCE: Duration = Duration::from_secs(45);

pub(crate) struct Peer {
    pub(crate) wire: Box<dyn Wire>,
}

impl Peer {
    pub(crate) async fn connect(rig: &Rig, name: &str) -> Self {
        let net = rig.net.host(INSTRUMENT);
        Self { wire: net.connect(&rig.place(name), PATIENCE).await.unwrap() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).await.unwrap();
    }

    /// The next byte, if one comes in time.
    pub(crate) async fn byte(&mut self) -> Option<u8> {
        self.byte_within(PATIENCE).await
    }

    pub(crate) async fn byte_within(&mut self, time: Duration) -> Option<u8> {
        tokio::time::timeout(time, self.wire.read_u8()).await.ok()?.ok()
    }

    /// Sends a frame for each record, as it should be done; false when something was not acknowledged.
    pub(crate) async fn message(&mut self, records: &[String]) -> bool {
        self.frames(records).await && self.rest(records, records.len()).await
    }

    /// As [`message`](Self::message), and no EOT.
    pub(crate) async fn frames(&mut self, records: &[String]) -> bool {
        self.send(&[ENQ]).await;
        if self.byte().await != Some(ACK) {
            return false;
        }
        for index in 0..records.len() {
            if !self.frame_again(records, index).await {
                return false;
            }
        }
        true
    }

    /// The frame of one record, once more or for the first time.
    pub(crate) async fn frame_again(&mut self, records: &[String], index: usize) -> bool {
        let text = format!("{}\r", records[index]);
        let mut frame = vec![0; text.len() + 7];
        encode_frame(u8::try_from((index + 1) % 8).unwrap(), text.as_bytes(), FrameEnd::Etx, &mut frame)
            .unwrap();
        self.send(&frame).await;
        self.byte().await == Some(ACK)
    }

    /// What stands behind the first frames of a message, and its EOT.
    pub(crate) async fn rest(&mut self, records: &[String], from: usize) -> bool {
        for index in from..records.len() {
            if !self.frame_again(records, index).await {
                return false;
            }
        }
        self.send(&[EOT]).await;
        true
    }

    /// Reads a frame from behind its STX; its text.
    pub(crate) async fn frame(&mut self) -> Option<Vec<u8>> {
        let mut frame = Vec::new();
        loop {
            frame.push(self.byte().await?);
            if frame.ends_with(&[CR, LF]) {
                return Some(frame);
            }
        }
    }
}
