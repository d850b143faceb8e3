//! The size of the preview's frame: that of the pane, or a device's in CSS pixels, scaled down
//! where the pane has less room.

use std::{fmt, str::FromStr};

/// The sides that can be chosen, in CSS pixels.
pub const SIDES: std::ops::RangeInclusive<u32> = 200..=4000;

/// The device that the frame represents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The pane itself.
    Pane,
    Phone,
    Tablet,
    Laptop,
    Custom,
}

impl Device {
    const NAMED: [(Self, &'static str); 5] = [
        (Self::Pane, "pane"),
        (Self::Phone, "phone"),
        (Self::Tablet, "tablet"),
        (Self::Laptop, "laptop"),
        (Self::Custom, "custom"),
    ];

    fn name(self) -> &'static str {
        let mut named = Self::NAMED.iter();
        named
            .find(|(device, _)| *device == self)
            .map_or("pane", |(_, name)| name)
    }
}

/// The frame's size; without one, the pane's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewport {
    pub device: Device,
    /// Applies unless the device is the pane.
    pub width: u32,
    pub height: u32,
}

impl Viewport {
    pub const PANE: Self = Self {
        device: Device::Pane,
        width: 1024,
        height: 768,
    };

    /// The same size, or that of another device.
    pub fn choose(self, device: Device) -> Self {
        let (width, height) = match device {
            Device::Pane | Device::Custom => (self.width, self.height),
            Device::Phone => (390, 844),
            Device::Tablet => (768, 1024),
            Device::Laptop => (1280, 800),
        };
        Self {
            device,
            width,
            height,
        }
    }

    /// The rotated device.
    pub fn rotate(self) -> Self {
        Self {
            width: self.height,
            height: self.width,
            ..self
        }
    }

    /// A custom size; sides out of range become the nearest valid ones.
    pub fn custom(width: u32, height: u32) -> Self {
        let side = |side: u32| side.clamp(*SIDES.start(), *SIDES.end());
        Self {
            device: Device::Custom,
            width: side(width),
            height: side(height),
        }
    }

    /// The width and height of a device.
    pub fn size(self) -> Option<(u32, u32)> {
        (self.device != Device::Pane).then_some((self.width, self.height))
    }

    /// The scale in thousandths: at most the full size, and small enough to fit into a pane of this
    /// size.
    pub fn scale(self, room: (u32, u32)) -> u32 {
        let Some((width, height)) = self.size() else {
            return 1000;
        };
        let fits = |side: u32, room: u32| room * 1000 / side.max(1);
        fits(width, room.0)
            .min(fits(height, room.1))
            .clamp(50, 1000)
    }
}

/// The format of the preference: `phone 390x844`.
impl fmt::Display for Viewport {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            text,
            "{} {}x{}",
            self.device.name(),
            self.width,
            self.height
        )
    }
}

impl FromStr for Viewport {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, sides) = text.split_once(' ').ok_or(())?;
        let (width, height) = sides.split_once('x').ok_or(())?;
        let mut named = Device::NAMED.iter();
        let (device, _) = named.find(|(_, own)| *own == name).ok_or(())?;
        let side = |text: &str| {
            let side = text.parse().ok();
            side.filter(|side| SIDES.contains(side)).ok_or(())
        };
        Ok(Self {
            device: *device,
            width: side(width)?,
            height: side(height)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_survives_as_a_preference_and_nonsense_is_none() {
        let sizes = [
            Viewport::PANE,
            Viewport::PANE.choose(Device::Phone).rotate(),
            Viewport::custom(801, 602),
        ];
        for size in sizes {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in [
            "",
            "phone",
            "phone 390",
            "watch 200x200",
            "custom 199x400",
            "custom 400x4001",
            "custom -1x5",
        ] {
            assert_eq!(text.parse::<Viewport>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_device_is_shown_whole_and_never_larger_than_it_is() {
        let phone = Viewport::PANE.choose(Device::Phone);
        assert_eq!(phone.scale((1000, 2000)), 1000);
        assert_eq!(phone.scale((1000, 422)), 500);
        assert_eq!(phone.rotate().scale((422, 2000)), 500);
        assert_eq!(phone.scale((0, 0)), 50);
        assert_eq!(Viewport::PANE.scale((100, 100)), 1000);
    }

    #[test]
    fn a_custom_size_starts_from_the_one_before_and_stays_in_range() {
        let phone = Viewport::PANE.choose(Device::Phone);
        assert_eq!(phone.choose(Device::Custom).size(), Some((390, 844)));
        assert_eq!(Viewport::custom(1, 99_999).size(), Some((200, 4000)));
        assert_eq!(Viewport::PANE.size(), None);
    }
}
