//! Images that users attach: validated, sanitised, and stored once.

use tokio::sync::Semaphore;

use super::{ProjectError, Projects};
use crate::{
    protocol::{Image, ImageId},
    render::image::{self, Prepared},
};

pub use crate::store::ImageContent;

/// Limits concurrent decoding: each may take a few hundred megabytes for a moment.
static DECODING: Semaphore = Semaphore::const_new(2);

impl Projects {
    /// Stores an uploaded file as an image; its content decides the type. The image is stored
    /// upright, at most 2048 pixels on its longer side, and without metadata.
    pub async fn add_image(&self, file: bytes::Bytes) -> Result<Image, ProjectError> {
        let user = self.user()?;
        let prepared = prepare(file).await?;
        let content = ImageContent {
            media_type: prepared.media_type,
            bytes: prepared.bytes,
        };
        Ok(self
            .inner
            .store
            .add_image(user, &content, prepared.width, prepared.height)
            .await?)
    }

    /// An image's bytes and media type, or `NotFound`.
    pub async fn image_content(&self, id: &ImageId) -> Result<ImageContent, ProjectError> {
        Ok(self.inner.store.image_content(self.user()?, id).await?)
    }

    /// A picture of an app, or `NotFound`.
    pub async fn picture_content(&self, id: &ImageId) -> Result<ImageContent, ProjectError> {
        Ok(self.inner.store.picture_content(self.user()?, id).await?)
    }
}

/// Decodes the file when it is its turn. A client that disconnects neither ends a running decoding
/// nor frees its turn early.
async fn prepare(file: bytes::Bytes) -> Result<Prepared, ProjectError> {
    let turn = DECODING.acquire().await;
    let prepared = tokio::task::spawn_blocking(move || {
        let prepared = image::prepare(&file);
        drop(turn);
        prepared
    });
    Ok(prepared
        .await
        .map_err(|error| ProjectError::Internal(error.into()))??)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{io::Cursor, time::Duration};

    use ::image::{ImageFormat, RgbImage};

    use super::*;

    #[tokio::test]
    async fn a_client_that_hangs_up_frees_its_turn_only_when_the_decoding_ends() {
        let mut file = Cursor::new(Vec::new());
        RgbImage::new(3000, 3000)
            .write_to(&mut file, ImageFormat::Png)
            .unwrap();
        let mut upload = Box::pin(prepare(file.into_inner().into()));
        assert!(futures::poll!(&mut upload).is_pending());
        drop(upload);
        assert_eq!(DECODING.available_permits(), 1);
        while DECODING.available_permits() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
