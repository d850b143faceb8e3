//! The client's side of a Connect stream: frames as messages, and the success or error that the
//! last frame reports.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio_util::codec::Decoder;

use super::{SandboxError, error};
use crate::e2b::{self, COMPRESSED, END_OF_STREAM};

/// A frame of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    Message(Bytes),
    /// The stream ended successfully.
    End,
}

/// Decodes frames from chunks of any size. An error at the end of the stream is returned as an
/// error.
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
        let frame =
            e2b::take_frame(buffer).map_err(|error| SandboxError::Protocol(error.to_string()))?;
        let Some(e2b::RawFrame { flags, message }) = frame else {
            return Ok(None);
        };
        if flags & COMPRESSED != 0 {
            return Err(SandboxError::Protocol(
                "a compressed frame, which nobody asked for".to_owned(),
            ));
        }
        if flags & END_OF_STREAM == 0 {
            return Ok(Some(Frame::Message(message)));
        }
        let end: EndOfStream = serde_json::from_slice(&message)
            .map_err(|error| SandboxError::Protocol(error.to_string()))?;
        match end.error {
            Some(end) if end.code == "deadline_exceeded" => {
                Err(SandboxError::Refused(DEADLINE.to_owned()))
            }
            Some(end) => Err(error::of_connect(&end.code, end.message)),
            None => Ok(Some(Frame::End)),
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, SandboxError> {
        match self.decode(buffer)? {
            Some(frame) => Ok(Some(frame)),
            None if buffer.is_empty() => Ok(None),
            None => Err(SandboxError::Unavailable(
                "the stream was cut within a frame".to_owned(),
            )),
        }
    }
}

/// The server's message when a command has exceeded its time.
pub(super) const DEADLINE: &str = "deadline exceeded";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn decode_in_pieces(bytes: &[u8], sizes: &[usize]) -> Result<Vec<Frame>, SandboxError> {
        let (mut buffer, mut frames, mut rest) = (BytesMut::new(), Vec::new(), bytes);
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            buffer.extend_from_slice(piece);
            while let Some(frame) = Frames.decode(&mut buffer)? {
                frames.push(frame);
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        while let Some(frame) = Frames.decode_eof(&mut buffer)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_are_the_same_whatever_pieces_they_come_in(
            messages in vec(vec(any::<u8>(), 0..300), 0..8),
            ends in any::<bool>(),
            sizes in vec(1_usize..400, 1..20),
        ) {
            let mut bytes: Vec<u8> =
                messages.iter().flat_map(|message| e2b::frame(0, message)).collect();
            let mut expected: Vec<_> =
                messages.into_iter().map(|message| Frame::Message(message.into())).collect();
            if ends {
                bytes.extend([END_OF_STREAM, 0, 0, 0, 2, b'{', b'}']);
                expected.push(Frame::End);
            }
            prop_assert_eq!(decode_in_pieces(&bytes, &sizes).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in vec(any::<u8>(), 0..100), small in any::<bool>(), sizes in vec(1_usize..100, 1..9)) {
            let mut bytes = bytes;
            if let (true, Some(length)) = (small, bytes.get_mut(1..4)) {
                length.fill(0);
            }
            let _ = decode_in_pieces(&bytes, &sizes);
        }
    }

    #[test]
    fn a_cut_and_a_compressed_frame_and_an_error_at_the_end_are_errors() {
        let cut = decode_in_pieces(&[0, 0, 0, 0, 9, b'x'], &[6]);
        assert!(matches!(cut, Err(SandboxError::Unavailable(_))));
        let compressed = decode_in_pieces(&[1, 0, 0, 0, 0], &[5]);
        assert!(matches!(compressed, Err(SandboxError::Protocol(_))));
        let end = br#"{"error":{"code":"invalid_argument","message":"cwd '/x' does not exist"}}"#;
        let bytes = e2b::frame(END_OF_STREAM, end);
        assert!(
            matches!(decode_in_pieces(&bytes, &[7]), Err(SandboxError::Refused(message)) if message.contains("/x"))
        );
    }
}
