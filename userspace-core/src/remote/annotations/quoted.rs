//! Text in quotation marks as Go's `%q` writes it (strconv.Quote), in which the downward API shows an annotation's value.

/// The text; `None` when it is not quoted or has an escape that there is none of.
pub(super) fn unquote(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(char) = rest.next() {
        let meant = match char {
            '"' => return None,
            '\\' => match escaped(&mut rest)? {
                Meant::Byte(byte) => {
                    bytes.push(byte);
                    continue;
                }
                Meant::Char(char) => char,
            },
            plain => plain,
        };
        bytes.extend(meant.encode_utf8(&mut [0; 4]).bytes());
    }
    String::from_utf8(bytes).ok()
}

enum Meant {
    Char(char),
    /// One of a text that is not UTF-8.
    Byte(u8),
}

fn escaped(rest: &mut std::str::Chars<'_>) -> Option<Meant> {
    let char = match rest.next()? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        same @ ('\\' | '"') => same,
        'x' => return u8::try_from(number(rest, 2)?).ok().map(Meant::Byte),
        'u' => char::from_u32(number(rest, 4)?)?,
        'U' => char::from_u32(number(rest, 8)?)?,
        _ => return None,
    };
    Some(Meant::Char(char))
}

fn number(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0_u32, |sum, _| Some(sum.checked_mul(16)? + rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_quotes_is_text_again() {
        for (quoted, text) in [
            (r#""""#, Some("")),
            (r#""a\"b\\c\n\tü""#, Some("a\"b\\c\n\tü")),
            (r#""\a\b\f\r\v\x00""#, Some("\x07\x08\x0c\r\x0b\0")),
            (r#""\u00ad\U0001f600\xc3\xbc""#, Some("\u{ad}😀ü")),
            (r#""\xff""#, None),
            (r#""\q""#, None),
            (r#""\ud800""#, None),
            (r#""\u12""#, None),
            (r#""a"b""#, None),
            (r#""a\""#, None),
            ("\"", None),
            ("a", None),
        ] {
            assert_eq!(unquote(quoted).as_deref(), text, "{quoted}");
        }
    }
}
