//! An analyzer of the plainest kind for load tests: blocking, no retries, remembers exactly what was acknowledged.

use orugate_protocol::ascii::{ACK, ENQ, EOT};
use orugate_protocol::astm::link::{FrameEnd, encode_frame};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the connection counts as dead.
const ANSWER: Duration = Duration::from_secs(10);

/// One connection.
pub struct Sender {
    stream: TcpStream,
}

impl Sender {
    /// Connects.
    ///
    /// # Errors
    /// As the system's connect.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(Self { stream })
    }

    /// Sends bytes as they are and waits for nothing.
    ///
    /// # Errors
    /// The connection broke.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Hangs up, waits until the other side has taken everything and hung up as well, and gives what it answered.
    ///
    /// # Errors
    /// The connection broke, or the other side does not hang up.
    pub fn hang_up(mut self) -> io::Result<Vec<u8>> {
        self.stream.shutdown(Shutdown::Write)?;
        let mut answers = Vec::new();
        self.stream.read_to_end(&mut answers)?;
        Ok(answers)
    }

    /// Sends one message, a frame for each record, and calls `acknowledged` with the record's index after each ACK.
    ///
    /// # Errors
    /// The connection broke, or an answer was not ACK.
    pub fn message(&mut self, records: &[String], acknowledged: &mut dyn FnMut(usize)) -> io::Result<()> {
        let texts = records.iter().map(|record| (format!("{record}\r"), FrameEnd::Etx));
        self.frames(texts, acknowledged)
    }

    /// Sends one message, a frame for each text, and calls `acknowledged` with the frame's index after each ACK.
    ///
    /// # Errors
    /// The connection broke, or an answer was not ACK.
    pub fn frames(
        &mut self,
        texts: impl IntoIterator<Item = (String, FrameEnd)>,
        acknowledged: &mut dyn FnMut(usize),
    ) -> io::Result<()> {
        self.begin(texts, acknowledged)?;
        self.stream.write_all(&[EOT])
    }

    /// The same without the end: whoever drops this then has broken off.
    ///
    /// # Errors
    /// The connection broke, or an answer was not ACK.
    pub fn begin(
        &mut self,
        texts: impl IntoIterator<Item = (String, FrameEnd)>,
        acknowledged: &mut dyn FnMut(usize),
    ) -> io::Result<()> {
        self.stream.write_all(&[ENQ])?;
        self.expect_ack()?;
        for (index, (text, end)) in texts.into_iter().enumerate() {
            let number = u8::try_from((index + 1) % 8).unwrap_or(0);
            let mut frame = vec![0; text.len() + 16];
            let length = encode_frame(number, text.as_bytes(), end, &mut frame).unwrap_or(0);
            self.stream.write_all(frame.get(..length).unwrap_or_default())?;
            self.expect_ack()?;
            acknowledged(index);
        }
        Ok(())
    }

    fn expect_ack(&mut self) -> io::Result<()> {
        let mut answer = [0];
        self.stream.read_exact(&mut answer)?;
        if answer == [ACK] { Ok(()) } else { Err(io::Error::other(format!("answered {:#04x}", answer[0]))) }
    }
}

/// The records of an invented message: one specimen, `results` values that occur nowhere else.
#[must_use]
pub fn invented(sample: &str, stamp: &str, values: &[u64]) -> Vec<String> {
    let mut records = vec![
        format!("H|\\^&|||RIG^1|||||||P|1|{stamp}"),
        "P|1".to_owned(),
        format!("O|1|{sample}||^^^ALL|R||||||N||||||||||||||F"),
    ];
    for (index, value) in (1..).zip(values) {
        records.push(format!("R|{index}|^^^T{index}|{value}|mmol/L||N||F||||{stamp}"));
    }
    records.push("L|1|N".to_owned());
    records
}
