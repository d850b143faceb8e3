//! Connect's streaming frames: `flags:u8 | length:u32 big-endian | message`, the last one marked as the end of the stream.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use tokio_util::codec::Decoder;

use super::{SandboxError, error};

/// No message of envd's is larger, in bytes; a longer one is no message.
const MAX_FRAME: usize = 16 << 20;
const COMPRESSED: u8 = 1;
const END_OF_STREAM: u8 = 2;

/// A frame of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    Message(Bytes),
    /// The stream ended well.
    End,
}

/// Cuts frames out of whatever pieces the bytes come in. An error at the end of the stream is an error here.
#[derive(Debug, Default)]
pub(super) struct Frames;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EndOfStream {
    error: Option<EndError>,
}

#[derive(Debug, Deserialize)]
struct EndError {
    code: String,
    #[serde(default)]
    message: String,
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = SandboxError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, SandboxError> {
        let Some(header) = buffer.first_chunk::<5>() else {
            return Ok(None);
        };
        let flags = header[0];
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > MAX_FRAME {
            return Err(SandboxError::Protocol(format!("a frame of {length} bytes")));
        }
        if flags & COMPRESSED != 0 {
            return Err(SandboxError::Protocol("a compressed frame, which nobody asked for".to_owned()));
        }
        if buffer.len() < 5 + length {
            buffer.reserve(5 + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(5);
        let message = buffer.split_to(length).freeze();
        if flags & END_OF_STREAM == 0 {
            return Ok(Some(Frame::Message(message)));
        }
        let end: EndOfStream = serde_json::from_slice(&message).map_err(|error| SandboxError::Protocol(error.to_string()))?;
        match end.error {
            Some(end) if end.code == "deadline_exceeded" => Err(SandboxError::Refused(DEADLINE.to_owned())),
            Some(end) => Err(error::of_connect(&end.code, end.message)),
            None => Ok(Some(Frame::End)),
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, SandboxError> {
        match self.decode(buffer)? {
            Some(frame) => Ok(Some(frame)),
            None if buffer.is_empty() => Ok(None),
            None => Err(SandboxError::Unavailable("the stream was cut within a frame".to_owned())),
        }
    }
}

/// What the server says when a command's time is over.
pub(super) const DEADLINE: &str = "deadline exceeded";

/// A message as the one frame of a request.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn decode_in_pieces(bytes: &[u8], size: usize) -> Result<Vec<Frame>, SandboxError> {
        let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(size) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = Frames.decode(&mut buffer)? {
                frames.push(frame);
            }
        }
        while let Some(frame) = Frames.decode_eof(&mut buffer)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_are_the_same_whatever_pieces_they_come_in() {
        let mut bytes = frame(b"{\"a\":1}");
        bytes.extend(frame(b""));
        bytes.extend([2, 0, 0, 0, 2, b'{', b'}']);
        for size in 1..=bytes.len() {
            let frames = decode_in_pieces(&bytes, size).unwrap();
            assert_eq!(
                frames,
                [
                    Frame::Message(Bytes::from_static(b"{\"a\":1}")),
                    Frame::Message(Bytes::new()),
                    Frame::End
                ]
            );
        }
    }

    #[test]
    fn a_cut_a_compressed_and_an_oversized_frame_and_an_error_at_the_end_are_errors() {
        assert!(matches!(
            decode_in_pieces(&[0, 0, 0, 0, 9, b'x'], 6),
            Err(SandboxError::Unavailable(_))
        ));
        assert!(matches!(decode_in_pieces(&[1, 0, 0, 0, 0], 5), Err(SandboxError::Protocol(_))));
        assert!(matches!(decode_in_pieces(&[0, 255, 0, 0, 0], 5), Err(SandboxError::Protocol(_))));
        let end = br#"{"error":{"code":"invalid_argument","message":"cwd '/x' does not exist"}}"#;
        let mut bytes = frame(end);
        bytes[0] = END_OF_STREAM;
        assert!(matches!(decode_in_pieces(&bytes, 7), Err(SandboxError::Refused(message)) if message.contains("/x")));
    }
}
