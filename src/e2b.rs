//! The shared part of E2B's protocol: ports, header names, and the frames of Connect streams
//! (<https://connectrpc.com/docs/protocol>). The client (`sandbox`) and the server (`sandbox_host`)
//! import it and nothing of each other; it imports no other module.

use axum::http::HeaderName;
use bytes::{Buf, Bytes, BytesMut};

/// The port of envd, the daemon inside a sandbox. Every other port is an app's.
pub const ENVD_PORT: u16 = 49983;

/// The control plane's key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The sandbox and the port that a request to the data plane is for.
pub const SANDBOX_ID: HeaderName = HeaderName::from_static("e2b-sandbox-id");
pub const SANDBOX_PORT: HeaderName = HeaderName::from_static("e2b-sandbox-port");
/// A sandbox's token, required on envd's port.
pub const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");
/// The token of a sandbox whose apps are not public.
pub const TRAFFIC_TOKEN: HeaderName = HeaderName::from_static("e2b-traffic-access-token");
/// Where the next page of a list begins; absent on the last page.
pub const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-next-token");
/// How many sandboxes of a list are running, over all its pages.
pub const TOTAL_RUNNING: HeaderName = HeaderName::from_static("x-total-running");
/// `1`; every Connect call carries it.
pub const CONNECT_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
/// The time limit of a call, in milliseconds.
pub const CONNECT_TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
/// Seconds of silence after which a stream sends a keepalive.
pub const KEEPALIVE_INTERVAL: HeaderName = HeaderName::from_static("keepalive-ping-interval");
/// How many bytes of each output of a command the client keeps, half from each end. Our own host
/// sends no more; E2B's ignores the header.
pub const OUTPUT_LIMIT: HeaderName = HeaderName::from_static("codeflow-output-limit");
/// Marks a request whose response may take long but must not keep the sandbox awake, because nobody
/// may be looking. Only our own host knows it; in E2B's cloud no request keeps a sandbox awake.
pub const PASSIVE: HeaderName = HeaderName::from_static("codeflow-passive");

/// The content type of a stream.
pub const STREAM: &str = "application/connect+json";
/// The maximum size of a frame's message, in bytes.
pub const MAX_FRAME: usize = 16 << 20;
/// The flag of a frame whose message is compressed.
pub const COMPRESSED: u8 = 1;
/// The flag of a stream's last frame.
pub const END_OF_STREAM: u8 = 2;

/// The length of the flags and the message's length.
const HEAD: usize = 5;

/// A frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    pub flags: u8,
    pub message: Bytes,
}

/// A frame announces a message of more than [`MAX_FRAME`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes, more than the {MAX_FRAME} allowed")]
pub struct FrameTooLong(usize);

/// The bytes of a frame: `flags:u8 | length:u32 big-endian | message`.
pub fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[flags], &length.to_be_bytes()[..], message].concat()
}

/// Takes the first frame out of the buffer; `None` while it is incomplete.
pub fn take_frame(buffer: &mut BytesMut) -> Result<Option<RawFrame>, FrameTooLong> {
    let Some(&[flags, a, b, c, d]) = buffer.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > MAX_FRAME {
        return Err(FrameTooLong(length));
    }
    if buffer.len() < HEAD + length {
        return Ok(None);
    }
    buffer.advance(HEAD);
    let message = buffer.split_to(length).freeze();
    Ok(Some(RawFrame { flags, message }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn take_all(buffer: &mut BytesMut) -> Result<Vec<RawFrame>, FrameTooLong> {
        std::iter::from_fn(|| take_frame(buffer).transpose()).collect()
    }

    proptest! {
        #[test]
        fn frames_are_the_same_whatever_pieces_they_arrive_in(
            frames in vec((any::<u8>(), vec(any::<u8>(), 0..300)), 0..8),
            sizes in vec(1_usize..400, 1..20),
        ) {
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(flags, message)| frame(*flags, message)).collect();
            let (mut buffer, mut taken, mut rest) = (BytesMut::new(), Vec::new(), &bytes[..]);
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                buffer.extend_from_slice(piece);
                taken.extend(take_all(&mut buffer).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let taken: Vec<(u8, Vec<u8>)> = taken
                .into_iter()
                .map(|frame| (frame.flags, frame.message.to_vec()))
                .collect();
            prop_assert_eq!(taken, frames);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn no_announced_length_takes_more_memory(
            flags in any::<u8>(),
            length in prop_oneof![
                any::<u32>(),
                0_u32..100,
                (MAX_FRAME as u32 - 2)..(MAX_FRAME as u32 + 3),
            ],
            rest in vec(any::<u8>(), 0..100),
        ) {
            let head = [&[flags], &length.to_be_bytes()[..], &rest].concat();
            let mut buffer = BytesMut::from(&head[..]);
            let before = buffer.capacity();
            let first = take_frame(&mut buffer);
            prop_assert_eq!(first.is_err(), length as usize > MAX_FRAME);
            prop_assert!(buffer.capacity() <= before);
        }
    }
}
