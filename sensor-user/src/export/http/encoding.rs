//! Whether an answer is compressed (RFC 9110 §12.5.3).

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::ACCEPT_ENCODING;

/// Answers shorter than this are not worth it.
const SHORTEST: usize = 1 << 10;

/// The best weight, and the weight of what is not mentioned: they are written in thousandths.
const BEST: u16 = 1000;

/// How an answer is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// By gzip (RFC 1952).
    Gzip,
}

impl Encoding {
    /// What the peer likes best: gzip where it likes both as much. Who accepts neither gets the answer as it is.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let (mut gzip, mut identity, mut any) = (None, None, None);
        let lists = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|list| list.to_str().ok());
        for (coding, weight) in lists.flat_map(|list| list.split(',')).filter_map(read) {
            match coding.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "identity" => identity = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
        let gzip = gzip.or(any).unwrap_or(0);
        // Unless it is mentioned, it is acceptable and no more.
        let identity = identity.unwrap_or(0);
        if gzip > 0 && gzip >= identity { Self::Gzip } else { Self::Identity }
    }

    /// Encodes an answer; says how it is encoded now.
    pub(super) fn encode(self, body: Bytes) -> (Bytes, Self) {
        if self == Self::Identity || body.len() < SHORTEST {
            return (body, Self::Identity);
        }
        // A page of every port shrinks to a twelfth at the lowest level; the highest takes eight times as long
        // for a sixth of that.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        match encoder.write_all(&body).and_then(|()| encoder.finish()) {
            Ok(compressed) => (compressed.into(), Self::Gzip),
            // Memory can't refuse to be written.
            Err(_) => (body, Self::Identity),
        }
    }
}

/// A coding and its weight; `None` if it is not written as it must be.
fn read(item: &str) -> Option<(&str, u16)> {
    let Some((coding, parameter)) = item.split_once(';') else { return Some((item.trim(), BEST)) };
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some((coding.trim(), weight(value.trim())?))
}

/// `qvalue`: 0 to 1 with up to three digits after the point, in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(BEST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::not_said(&[], false)]
    #[case::nothing(&[""], false)]
    #[case::prometheus(&["gzip"], true)]
    #[case::browser(&["gzip, deflate, br, zstd"], true)]
    #[case::any_case(&["GZIP;Q=0.5"], true)]
    #[case::old_name(&["x-gzip"], true)]
    #[case::refused(&["gzip;q=0"], false)]
    #[case::refused_in_full(&["gzip ; q=0.000"], false)]
    #[case::hardly(&["gzip;q=0.001"], true)]
    #[case::identity_is_liked_better(&["gzip;q=0.5, identity"], false)]
    #[case::identity_is_liked_less(&["identity;q=0.5, gzip;q=0.8"], true)]
    #[case::as_much(&["identity, gzip"], true)]
    #[case::anything(&["*"], true)]
    #[case::anything_but(&["gzip;q=0, *"], false)]
    #[case::nothing_but(&["gzip, *;q=0"], true)]
    #[case::others(&["deflate, br"], false)]
    #[case::two_lines(&["br", "gzip"], true)]
    #[case::a_longer_name(&["gzipped"], false)]
    #[case::too_much(&["gzip;q=1.001"], false)]
    #[case::more_than_all(&["gzip;q=2"], false)]
    #[case::too_exact(&["gzip;q=0.0001"], false)]
    #[case::no_number(&["gzip;q=yes"], false)]
    #[case::no_weight(&["gzip;q="], false)]
    #[case::another_parameter(&["gzip;level=9"], false)]
    fn gzip_goes_to_who_asks_for_it(#[case] lines: &[&str], #[case] gzip: bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, line.parse().unwrap());
        }
        assert_eq!(Encoding::accepted(&headers) == Encoding::Gzip, gzip);
    }

    #[test]
    fn what_is_compressed_is_the_same_afterwards() {
        let body = Bytes::from("0123456789".repeat(1000));
        let (compressed, encoding) = Encoding::Gzip.encode(body.clone());
        assert_eq!(encoding, Encoding::Gzip);
        assert!(compressed.len() < body.len());
        let mut text = Vec::new();
        GzDecoder::new(&compressed[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, body);
        assert_eq!(Encoding::Identity.encode(body.clone()), (body, Encoding::Identity));
        assert_eq!(Encoding::Gzip.encode("short".into()), ("short".into(), Encoding::Identity));
    }
}
