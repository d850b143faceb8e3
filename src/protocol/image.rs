//! Images that users attach to their messages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::named;

/// The largest image that is accepted, in bytes.
pub const IMAGE_MAX_BYTES: usize = 10 << 20;
/// The media types of images that are accepted.
pub const IMAGE_TYPES: [&str; 3] = ["image/png", "image/jpeg", "image/webp"];

/// What an image is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageType {
    Png,
    Jpeg,
}

named!(ImageType: Png = "image/png", Jpeg = "image/jpeg");

impl ImageType {
    /// What the names of its files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
        }
    }
}

/// An image's id: the SHA-256 of its content as it is stored, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(String);

impl ImageId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = text.len() == 64
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_id
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is no image's id"))
    }
}

impl TryFrom<String> for ImageId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An uploaded image, as a message has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    /// In pixels, as is the height.
    pub width: u32,
    pub height: u32,
}

impl Image {
    /// Where the image is found on the app's own origin.
    pub fn path(&self) -> String {
        format!("/api/images/{}", self.id)
    }
}

/// Why a file is refused as an image; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("That file is larger than 10 MB. Please attach a smaller image.")]
    TooLarge,
    #[error("Only PNG, JPEG and WebP images can be attached.")]
    WrongType,
    #[error(
        "That image has more than 50 megapixels, or more than 16,384 pixels on a side. Please \
         attach a smaller one."
    )]
    TooManyPixels,
    #[error("That image is damaged. Please attach another one.")]
    Damaged,
}
