//! Colours: Okabe and Ito's, which people with any kind of colour blindness can tell apart, and those of paper and ink.
//!
//! The report's page swaps some of them for darker or lighter ones where a reader's screen is dark: its style sheet names
//! them as they are written here.

use std::fmt;

use serde::{Serialize, Serializer};

/// A colour of a screen, written `#0072B2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// 0 to 255.
    pub red: u8,
    /// 0 to 255.
    pub green: u8,
    /// 0 to 255.
    pub blue: u8,
}

impl Colour {
    const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.red, self.green, self.blue)
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Good, and the first of several.
pub const BLUE: Colour = Colour::new(0x00, 0x72, 0xb2);
/// Bad.
pub const VERMILION: Colour = Colour::new(0xd5, 0x5e, 0x00);
/// Between the two.
pub const ORANGE: Colour = Colour::new(0xe6, 0x9f, 0x00);
/// Neither.
pub const SKY: Colour = Colour::new(0x56, 0xb4, 0xe9);
/// As the others.
pub const GREEN: Colour = Colour::new(0x00, 0x9e, 0x73);
/// As the others.
pub const PURPLE: Colour = Colour::new(0xcc, 0x79, 0xa7);
/// As the others.
pub const GREY: Colour = Colour::new(0x99, 0x99, 0x99);

/// For the places of a ranking. The last three are of Paul Tol's muted scheme, as Okabe and Ito have no more.
pub const PLACES: [Colour; 10] = [
    BLUE,
    VERMILION,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    GREY,
    Colour::new(0x88, 0x22, 0x55),
    Colour::new(0x44, 0xaa, 0x99),
    Colour::new(0x99, 0x99, 0x33),
];

/// Of text.
pub const INK: Colour = Colour::new(0x1b, 0x1f, 0x24);
/// Of axes and the lines across a figure.
pub const LINES: Colour = Colour::new(0xd8, 0xdb, 0xdf);
/// Behind all.
pub const PAPER: Colour = Colour::new(0xff, 0xff, 0xff);
