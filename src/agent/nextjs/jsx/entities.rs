//! Character references in JSX, which knows HTML's by name and by number.

/// The references that people and models use.
const NAMED: [(&str, char); 24] = [
    ("amp", '&'),
    ("apos", '\''),
    ("bull", '•'),
    ("copy", '©'),
    ("euro", '€'),
    ("gt", '>'),
    ("hellip", '…'),
    ("laquo", '«'),
    ("larr", '←'),
    ("ldquo", '“'),
    ("lsquo", '‘'),
    ("lt", '<'),
    ("mdash", '—'),
    ("middot", '·'),
    ("nbsp", '\u{a0}'),
    ("ndash", '–'),
    ("quot", '"'),
    ("raquo", '»'),
    ("rarr", '→'),
    ("rdquo", '”'),
    ("reg", '®'),
    ("rsquo", '’'),
    ("times", '×'),
    ("trade", '™'),
];
/// The maximum length of a reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 12;

/// The text with its references replaced; `None` if it contains an unknown one.
pub fn decoded(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded += &rest[..at];
        rest = &rest[at + 1..];
        match reference(rest) {
            Some(name) => {
                decoded.push(named(name)?);
                rest = &rest[name.len() + 1..];
            }
            None => decoded.push('&'),
        }
    }
    Some(decoded + rest)
}

/// The text with references for these characters, and for text that would be read as a reference.
pub fn encoded(text: &str, special: &[char]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for (at, sign) in text.char_indices() {
        if sign == '&' && reference(&text[at + 1..]).is_some() {
            encoded += "&amp;";
        } else if special.contains(&sign) {
            let name = NAMED.iter().find(|(_, own)| *own == sign);
            encoded += &match name {
                Some((name, _)) => format!("&{name};"),
                None => format!("&#{};", u32::from(sign)),
            };
        } else {
            encoded.push(sign);
        }
    }
    encoded
}

/// The name or number of a reference, if one follows the `&`.
fn reference(text: &str) -> Option<&str> {
    let end = text
        .bytes()
        .take(MAX_REFERENCE_BYTES)
        .position(|byte| byte == b';')?;
    let name = &text[..end];
    let is_name = !name.is_empty()
        && name
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte.is_ascii_alphanumeric() || (at == 0 && byte == b'#'));
    is_name.then_some(name)
}

fn named(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        None => {
            let found = NAMED.iter().find(|(own, _)| *own == name);
            return found.map(|(_, sign)| *sign);
        }
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        },
    };
    char::from_u32(number.ok()?)
}
