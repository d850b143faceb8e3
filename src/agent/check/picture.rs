//! Shrinks a page's screenshot for lists of projects and versions. Also detects dark pages.

use std::io::Cursor;

use image::{
    DynamicImage, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder, imageops::FilterType,
};

/// In pixels: half the window of the check, in which text still has its shape.
const SIZE: (u32, u32) = (640, 400);
/// The largest screenshot that is decoded, in pixels of each side.
const MAX_SIDE: u32 = 4096;
/// JPEG qualities, tried in turn until the picture is small enough.
const QUALITIES: [u8; 3] = [82, 65, 40];
/// The maximum size of a picture, in bytes.
const MAX_JPEG_BYTES: usize = 100_000;

/// The screenshot (PNG); `None` when it can't be read, or is too large.
pub fn decoded(png: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    reader.decode().ok()
}

/// Whether most of a screenshot (PNG) is dark; `None` when it can't be read.
pub fn is_dark(png: &[u8]) -> Option<bool> {
    let picture = decoded(png)?.thumbnail(SIZE.0 / 4, SIZE.1 / 4).to_luma8();
    let dark = picture.pixels().filter(|pixel| pixel.0[0] < 128).count();
    Some(dark * 2 > picture.pixels().count())
}

/// The screenshot (PNG) as a JPEG of at most 100 kB; `None` when it can't be read.
pub fn small(png: &[u8]) -> Option<Vec<u8>> {
    let picture = decoded(png)?
        .resize_to_fill(SIZE.0, SIZE.1, FilterType::Triangle)
        .into_rgb8();
    QUALITIES.into_iter().find_map(|quality| {
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
        picture.write_with_encoder(encoder).ok()?;
        (jpeg.len() <= MAX_JPEG_BYTES).then_some(jpeg)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screenshot_becomes_a_small_jpeg_and_anything_else_nothing() -> image::ImageResult<()> {
        let noise = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) as u8;
        let page = image::RgbImage::from_fn(1280, 800, |x, y| {
            image::Rgb([noise(x, y), noise(y, x), noise(x + y, x)])
        });
        let mut png = Cursor::new(Vec::new());
        page.write_to(&mut png, ImageFormat::Png)?;
        let jpeg = small(png.get_ref()).unwrap_or_default();
        assert!(jpeg.len() <= MAX_JPEG_BYTES);
        let read = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg)?;
        assert_eq!((read.width(), read.height()), SIZE);
        assert_eq!(small(b"no picture"), None);
        Ok(())
    }

    #[test]
    fn a_picture_is_dark_when_most_of_it_is() -> image::ImageResult<()> {
        for (dark_rows, is) in [(250, false), (550, true)] {
            let page = image::RgbImage::from_fn(1280, 800, |_, y| {
                image::Rgb([if y < dark_rows { 20 } else { 250 }; 3])
            });
            let mut png = Cursor::new(Vec::new());
            page.write_to(&mut png, ImageFormat::Png)?;
            assert_eq!(is_dark(png.get_ref()), Some(is));
        }
        assert_eq!(is_dark(b"no picture"), None);
        Ok(())
    }
}
