//! Makes attached images safe: they are recognized by content, decoded within limits, turned
//! upright, scaled down and encoded again, so that only the file's pixels remain.

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    error::ImageError as DecodeError,
    imageops::FilterType,
};

use crate::protocol::{IMAGE_MAX_BYTES, ImageError, ImageType};

/// The longer side of a stored image, in pixels: vision models scale larger ones down anyway.
const MAX_SIDE: u32 = 2048;
/// Images with more pixels are not decoded.
const MAX_PIXELS: u64 = 50_000_000;
/// Images with a longer side, in pixels, are not decoded. Scaling takes 16 bytes for each pixel of
/// the old width and the new height: at most some 230 MB within both limits.
const MAX_DECODED_SIDE: u32 = 16_384;
/// The most memory, in bytes, for the decoded image and for its decoder's work, each.
const MAX_ALLOC: u64 = 320 << 20;
/// A larger PNG, in bytes, is stored as JPEG: it is a photo, and models limit the size of images.
const MAX_PNG: usize = 4 << 20;
const QUALITY: u8 = 90;

/// An image ready to store.
#[derive(Debug)]
pub struct Prepared {
    pub media_type: ImageType,
    pub bytes: Vec<u8>,
    /// In pixels, like the height.
    pub width: u32,
    pub height: u32,
}

/// Reads a PNG, JPEG or WebP image and encodes it again: upright, at most 2048 pixels on its longer
/// side, without metadata. The result is PNG if the input was PNG or has transparency, otherwise
/// JPEG. Blocks for up to some seconds.
pub fn prepare(file: &[u8]) -> Result<Prepared, ImageError> {
    if file.len() > IMAGE_MAX_BYTES {
        return Err(ImageError::TooLarge);
    }
    let format = match image::guess_format(file) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => format,
        Ok(_) | Err(_) => return Err(ImageError::WrongType),
    };
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    limits.max_image_width = Some(MAX_DECODED_SIDE);
    limits.max_image_height = Some(MAX_DECODED_SIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
    let (width, height) = decoder.dimensions();
    // The decoders' own limits don't cover their output buffer.
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_ALLOC {
        return Err(ImageError::TooManyPixels);
    }
    // An orientation that can't be read is ignored.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
    if width.max(height) > MAX_SIDE {
        picture = picture.resize(MAX_SIDE, MAX_SIDE, FilterType::CatmullRom);
    }
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    let rgba = picture.into_rgba8();
    let is_opaque = rgba.pixels().all(|pixel| pixel[3] == u8::MAX);
    let (width, height) = rgba.dimensions();
    let stored = |media_type, bytes| Prepared {
        media_type,
        bytes,
        width,
        height,
    };
    if format == ImageFormat::Png || !is_opaque {
        let mut bytes = Vec::new();
        let (kind, pixels) = match is_opaque {
            true => (
                ExtendedColorType::Rgb8,
                DynamicImage::from(rgba.clone()).into_rgb8().into_raw(),
            ),
            false => (ExtendedColorType::Rgba8, rgba.as_raw().clone()),
        };
        let written = PngEncoder::new(&mut bytes).write_image(&pixels, width, height, kind);
        written.map_err(|error| refusal(&error))?;
        if bytes.len() <= MAX_PNG {
            return Ok(stored(ImageType::Png, bytes));
        }
    }
    let mut bytes = Vec::new();
    let mut on_white = DynamicImage::from(image::RgbaImage::from_pixel(
        width,
        height,
        image::Rgba([u8::MAX; 4]),
    ));
    image::imageops::overlay(&mut on_white, &rgba, 0, 0);
    let written =
        JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&on_white.into_rgb8());
    written.map_err(|error| refusal(&error))?;
    Ok(stored(ImageType::Jpeg, bytes))
}

fn refusal(error: &DecodeError) -> ImageError {
    match error {
        DecodeError::Limits(_) => ImageError::TooManyPixels,
        DecodeError::Unsupported(_) => ImageError::WrongType,
        DecodeError::Decoding(_)
        | DecodeError::Encoding(_)
        | DecodeError::Parameter(_)
        | DecodeError::IoError(_) => ImageError::Damaged,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use image::{GenericImageView, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    /// Wider than high, the left half red.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| {
            if x < width / 2 {
                Rgb([250, 0, 0])
            } else {
                Rgb([0, 0, 250])
            }
        })
    }

    fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn read(prepared: &Prepared) -> DynamicImage {
        let format = image::guess_format(&prepared.bytes).unwrap();
        assert_eq!(format.to_mime_type(), prepared.media_type.as_str());
        let picture = image::load_from_memory(&prepared.bytes).unwrap();
        assert_eq!(picture.dimensions(), (prepared.width, prepared.height));
        picture
    }

    /// A JPEG with an Exif block: orientation 6 (turn right), a camera, and a GPS position.
    fn photo() -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [
                &tag.to_le_bytes()[..],
                &kind.to_le_bytes(),
                &count.to_le_bytes(),
                &value.to_le_bytes(),
            ]
            .concat()
        };
        tiff.extend(3_u16.to_le_bytes());
        tiff.extend(entry(0x010f, 2, 10, 62)); // Make
        tiff.extend(entry(0x0112, 3, 1, 6)); // Orientation
        tiff.extend(entry(0x8825, 4, 1, 72)); // GPS
        tiff.extend(0_u32.to_le_bytes());
        tiff.resize(62, 0);
        tiff.extend(b"SpyCamera\0");
        tiff.extend(1_u16.to_le_bytes());
        tiff.extend(entry(0x001d, 2, 11, 90)); // GPSDateStamp
        tiff.extend(0_u32.to_le_bytes());
        tiff.resize(90, 0);
        tiff.extend(b"2026:11:21\0");
        let exif = [b"Exif\0\0".as_slice(), &tiff].concat();
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let plain = file(picture(60, 40), ImageFormat::Jpeg);
        [&plain[..2], b"\xff\xe1", &length, &exif, &plain[2..]].concat()
    }

    #[test]
    fn a_file_is_what_its_content_says() {
        for (format, media_type) in [
            (ImageFormat::Png, ImageType::Png),
            (ImageFormat::Jpeg, ImageType::Jpeg),
            (ImageFormat::WebP, ImageType::Jpeg),
        ] {
            let prepared = prepare(&file(picture(60, 40), format)).unwrap();
            assert_eq!(prepared.media_type, media_type);
            let pixel = read(&prepared).get_pixel(10, 20);
            assert!(pixel[0] > 200 && pixel[2] < 60, "{pixel:?}");
        }
        for other in [
            b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(),
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html><script>alert(1)</script>",
            b"BM\0\0\0\0",
            b"",
        ] {
            assert_eq!(prepare(other).unwrap_err(), ImageError::WrongType);
        }
    }

    #[test]
    fn half_a_file_is_refused_and_no_file_makes_this_panic() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let whole = file(picture(60, 40), format);
            for length in [16, whole.len() / 3, whole.len() / 2] {
                let half = prepare(&whole[..length]);
                // JPEG decoders fill in missing data at the end; the result is an image.
                assert!(
                    half.is_err() || format == ImageFormat::Jpeg,
                    "{format:?} {length}"
                );
            }
            let html = [&whole[..8], b"<script>alert(1)</script>"].concat();
            assert!(prepare(&html).is_err());
        }
    }

    #[test]
    fn a_photo_is_turned_upright_and_tells_neither_camera_nor_place() {
        let taken = photo();
        assert!(taken.windows(9).any(|bytes| bytes == b"SpyCamera"));
        let prepared = prepare(&taken).unwrap();
        let upright = read(&prepared);
        // Turned to the right, the left side is on top.
        assert_eq!(upright.dimensions(), (40, 60));
        assert!(upright.get_pixel(20, 10)[0] > 200 && upright.get_pixel(20, 50)[2] > 200);
        for trace in [b"SpyCamera".as_slice(), b"Exif", b"2026:11:21"] {
            assert!(
                !prepared
                    .bytes
                    .windows(trace.len())
                    .any(|bytes| bytes == trace)
            );
        }
    }

    #[test]
    fn large_images_are_scaled_down_and_transparency_is_kept() {
        let prepared = prepare(&file(picture(3000, 1000), ImageFormat::Jpeg)).unwrap();
        assert_eq!((prepared.width, prepared.height), (2048, 683));
        let glass = RgbaImage::from_pixel(30, 30, Rgba([10, 20, 30, 100]));
        let prepared = prepare(&file(glass, ImageFormat::WebP)).unwrap();
        assert_eq!(prepared.media_type, ImageType::Png);
        assert_eq!(read(&prepared).get_pixel(5, 5), Rgba([10, 20, 30, 100]));
    }

    /// A small PNG whose header claims this size, bit depth and colour type.
    fn pretending(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
        let mut bytes = file(picture(60, 40), ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        bytes[24..26].copy_from_slice(&[depth, colour]);
        let checksum = bytes[12..29].iter().fold(!0_u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                if sum & 1 == 1 {
                    (sum >> 1) ^ 0xedb8_8320
                } else {
                    sum >> 1
                }
            })
        });
        bytes[29..33].copy_from_slice(&(!checksum).to_be_bytes());
        bytes
    }

    #[test]
    fn a_small_file_with_enormous_dimensions_is_refused_unread() {
        let (grey, rgb, rgba) = (0, 2, 6);
        for bomb in [
            pretending(65_535, 65_535, 8, rgb),
            // Few pixels, but scaling down would first produce one as wide or as high as this.
            pretending(50_000_000, 1, 1, grey),
            pretending(1, 50_000_000, 1, grey),
            // Few pixels of eight bytes each.
            pretending(7000, 7000, 16, rgba),
        ] {
            assert_eq!(prepare(&bomb).unwrap_err(), ImageError::TooManyPixels);
        }
        // The largest allowed: refused only because the rest of the file is missing.
        assert_eq!(
            prepare(&pretending(16_384, 3000, 8, rgb)).unwrap_err(),
            ImageError::Damaged
        );
        assert_eq!(
            prepare(&vec![0; IMAGE_MAX_BYTES + 1]).unwrap_err(),
            ImageError::TooLarge
        );
    }

    #[test]
    fn a_line_is_an_image_too() {
        let prepared = prepare(&file(picture(16_384, 1), ImageFormat::Png)).unwrap();
        assert_eq!((prepared.width, prepared.height), (2048, 1));
    }
}
