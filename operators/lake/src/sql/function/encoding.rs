//! Bytes as text and text as bytes: UTF-8, hexadecimal, base 32 and 64, and numbers in network order.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

use arrow::datatypes::{Float32Type, Float64Type, Int32Type};

use super::kernel::{Evaluated, bigint, broken, bytes, double, each, form, integer, invalid, real, text};
use super::{Argument, Call, EvalError, Function, Overload};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "to_utf8",
        overloads: &[form("(varchar(x)) -> varbinary", to_utf8), form("(char(x)) -> varbinary", to_utf8)],
    },
    Function {
        name: "from_utf8",
        overloads: &[
            form("(varbinary) -> varchar", from_utf8),
            form("(varbinary, varchar(x)) -> varchar", from_utf8_replaced),
            form("(varbinary, bigint) -> varchar", from_utf8_replaced_by_code),
        ],
    },
    Function { name: "to_hex", overloads: &[form("(varbinary) -> varchar", to_hex)] },
    Function { name: "from_hex", overloads: FROM_HEX },
    Function { name: "to_base64", overloads: &[form("(varbinary) -> varchar", to_base64)] },
    Function { name: "from_base64", overloads: FROM_BASE64 },
    Function { name: "to_base64url", overloads: &[form("(varbinary) -> varchar", to_base64url)] },
    Function { name: "from_base64url", overloads: FROM_BASE64URL },
    Function { name: "to_base32", overloads: &[form("(varbinary) -> varchar", to_base32)] },
    Function { name: "from_base32", overloads: FROM_BASE32 },
    Function { name: "to_big_endian_32", overloads: &[form("(integer) -> varbinary", to_big_endian_32)] },
    Function { name: "from_big_endian_32", overloads: &[form("(varbinary) -> integer", from_big_endian_32)] },
    Function { name: "to_big_endian_64", overloads: &[form("(bigint) -> varbinary", to_big_endian_64)] },
    Function { name: "from_big_endian_64", overloads: &[form("(varbinary) -> bigint", from_big_endian_64)] },
    Function { name: "to_ieee754_32", overloads: &[form("(real) -> varbinary", to_ieee754_32)] },
    Function { name: "from_ieee754_32", overloads: &[form("(varbinary) -> real", from_ieee754_32)] },
    Function { name: "to_ieee754_64", overloads: &[form("(double) -> varbinary", to_ieee754_64)] },
    Function { name: "from_ieee754_64", overloads: &[form("(varbinary) -> double", from_ieee754_64)] },
];

static FROM_HEX: &[Overload] =
    &[form("(varchar(x)) -> varbinary", from_hex), form("(varbinary) -> varbinary", from_hex_bytes)];
static FROM_BASE64: &[Overload] =
    &[form("(varchar(x)) -> varbinary", from_base64), form("(varbinary) -> varbinary", from_base64_bytes)];
static FROM_BASE64URL: &[Overload] =
    &[form("(varchar(x)) -> varbinary", from_base64url), form("(varbinary) -> varbinary", from_base64url_bytes)];
static FROM_BASE32: &[Overload] =
    &[form("(varchar(x)) -> varbinary", from_base32), form("(varbinary) -> varbinary", from_base32_bytes)];

fn to_utf8(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let width = match call.arguments.first() {
        Some(Type::Char(width)) => usize::try_from(*width).unwrap_or_default(),
        _ => 0,
    };
    each(call, text(arguments, 0)?).bytes(|text, out| {
        out.extend_from_slice(text.as_bytes());
        let blanks = if width == 0 { 0 } else { width.saturating_sub(text.chars().count()) };
        out.extend(std::iter::repeat_n(b' ', blanks));
        Ok(())
    })
}

/// How many bytes of an ill-formed start make up one replaced character. Trino takes the sequence that the first byte
/// announces, as far as continuation bytes follow, even where its value is none (too long a form, a surrogate).
fn ill_formed_length(bytes: &[u8]) -> usize {
    let announced = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        Some(0xf8..=0xfb) => 5,
        Some(0xfc..=0xfd) => 6,
        _ => 1,
    };
    let following = bytes.iter().skip(1).take(announced - 1).take_while(|byte| **byte & 0xc0 == 0x80).count();
    1 + following
}

/// Writes bytes as text, each ill-formed sequence replaced.
fn write_text(bytes: &[u8], replacement: Option<char>, out: &mut String) {
    let mut rest = bytes;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return;
            }
            Err(error) => {
                let (good, bad) = rest.split_at(error.valid_up_to());
                out.push_str(&String::from_utf8_lossy(good));
                out.extend(replacement);
                rest = &bad[ill_formed_length(bad)..];
            }
        }
    }
}

fn from_utf8(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).text(|value, out| {
        write_text(value, Some(char::REPLACEMENT_CHARACTER), out);
        Ok(())
    })
}

fn from_utf8_replaced(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bytes(arguments, 0)?, text(arguments, 1)?)).text(|(value, replacement), out| {
        let mut characters = replacement.chars();
        let first = characters.next();
        if characters.next().is_some() {
            return Err(invalid("Replacement character string must empty or a single character"));
        }
        write_text(value, first, out);
        Ok(())
    })
}

fn from_utf8_replaced_by_code(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bytes(arguments, 0)?, bigint(arguments, 1)?)).text(|(value, code), out| {
        let replacement = u32::try_from(code).ok().and_then(char::from_u32);
        write_text(value, Some(replacement.ok_or_else(|| invalid("Invalid replacement character"))?), out);
        Ok(())
    })
}

fn to_hex(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    each(call, bytes(arguments, 0)?).text(|value, out| {
        for byte in value {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Ok(())
    })
}

/// Reads pairs of hexadecimal digits.
fn read_hex(digits: &[u8], out: &mut Vec<u8>) -> Result<(), EvalError> {
    fn digit(byte: u8) -> Result<u8, EvalError> {
        match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            b'A'..=b'F' => Ok(byte - b'A' + 10),
            _ => Err(invalid(format!("not a hexadecimal digit: \"{}\" = {byte}", char::from(byte)))),
        }
    }
    if !digits.len().is_multiple_of(2) {
        return Err(invalid(format!("invalid input length {}", digits.len())));
    }
    for pair in digits.chunks_exact(2) {
        out.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Ok(())
}

/// What the Base64 decoder takes: padding or none, and any bits after the last byte.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn read_base64_of(engine: &GeneralPurpose, value: &[u8], out: &mut Vec<u8>) -> Result<(), EvalError> {
    engine.decode_vec(value, out).map_err(|error| match error {
        base64::DecodeError::InvalidByte(_, byte) if byte != b'=' => {
            invalid(format!("Illegal base64 character {byte:x}"))
        }
        _ => invalid("Input byte array has incorrect ending"),
    })
}

fn read_base64(value: &[u8], out: &mut Vec<u8>) -> Result<(), EvalError> {
    read_base64_of(&BASE64, value, out)
}

fn read_base64url(value: &[u8], out: &mut Vec<u8>) -> Result<(), EvalError> {
    read_base64_of(&BASE64URL, value, out)
}

/// The digits of base 32 (RFC 4648).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Reads base-32 digits with or without padding; bits after the last byte are dropped.
fn read_base32(value: &[u8], out: &mut Vec<u8>) -> Result<(), EvalError> {
    let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &value[..value.len() - padding];
    if matches!(digits.len() % 8, 1 | 3 | 6) {
        return Err(invalid(format!("Invalid input length {}", digits.len())));
    }
    let (mut pending, mut bits) = (0_u32, 0_u32);
    for byte in digits {
        let digit = BASE32.iter().position(|digit| digit == byte).ok_or_else(|| {
            if byte.is_ascii_graphic() {
                invalid(format!("Unrecognized character: {}", char::from(*byte)))
            } else {
                invalid(format!("Unrecognized character: 0x{byte:x}"))
            }
        })?;
        pending = (pending << 5 | u32::try_from(digit).map_err(|_| broken("a large digit"))?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((pending >> bits & 0xff).to_le_bytes()[0]);
        }
    }
    Ok(())
}

macro_rules! decoders {
    ($($of_text:ident, $of_bytes:ident = $read:ident;)*) => {$(
        fn $of_text(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, text(arguments, 0)?).bytes(|value, out| $read(value.as_bytes(), out))
        }

        fn $of_bytes(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, bytes(arguments, 0)?).bytes($read)
        }
    )*};
}

decoders! {
    from_hex, from_hex_bytes = read_hex;
    from_base64, from_base64_bytes = read_base64;
    from_base64url, from_base64url_bytes = read_base64url;
    from_base32, from_base32_bytes = read_base32;
}

fn to_base64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).text(|value, out| {
        general_purpose::STANDARD.encode_string(value, out);
        Ok(())
    })
}

fn to_base64url(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).text(|value, out| {
        general_purpose::URL_SAFE.encode_string(value, out);
        Ok(())
    })
}

fn to_base32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).text(|value, out| {
        for block in value.chunks(5) {
            let word = (0..5).fold(0_u64, |word, at| word << 8 | u64::from(block.get(at).copied().unwrap_or(0)));
            let digits = (block.len() * 8).div_ceil(5);
            for at in 0..8 {
                let digit = usize::from((word >> (35 - 5 * at) & 31).to_le_bytes()[0]);
                out.push(if at < digits { char::from(BASE32[digit]) } else { '=' });
            }
        }
        Ok(())
    })
}

fn to_big_endian_32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, integer(arguments, 0)?).bytes(|value, out| {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    })
}

fn to_big_endian_64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bigint(arguments, 0)?).bytes(|value, out| {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    })
}

fn from_big_endian_32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).primitive::<Int32Type>(|value| {
        let bytes = value
            .try_into()
            .map_err(|_| invalid(format!("expected 4-byte input, but got instead: {}", value.len())))?;
        Ok(i32::from_be_bytes(bytes))
    })
}

fn from_big_endian_64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bigint(|value| {
        let bytes = value
            .try_into()
            .map_err(|_| invalid(format!("expected 8-byte input, but got instead: {}", value.len())))?;
        Ok(i64::from_be_bytes(bytes))
    })
}

fn to_ieee754_32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, real(arguments, 0)?).bytes(|value, out| {
        let canonical = if value.is_nan() { f32::NAN } else { value };
        out.extend_from_slice(&canonical.to_be_bytes());
        Ok(())
    })
}

fn to_ieee754_64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).bytes(|value, out| {
        let canonical = if value.is_nan() { f64::NAN } else { value };
        out.extend_from_slice(&canonical.to_be_bytes());
        Ok(())
    })
}

fn from_ieee754_32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).primitive::<Float32Type>(|value| {
        let bytes = value.try_into().map_err(|_| invalid("Input floating-point value must be exactly 4 bytes long"))?;
        Ok(f32::from_be_bytes(bytes))
    })
}

fn from_ieee754_64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).primitive::<Float64Type>(|value| {
        let bytes = value.try_into().map_err(|_| invalid("Input floating-point value must be exactly 8 bytes long"))?;
        Ok(f64::from_be_bytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bytes, character, error, text, value};
    use crate::sql::types::Type;

    const BYTES: Type = Type::Varbinary;
    const VARCHAR: Type = Type::Varchar(None);

    #[test]
    fn ill_formed_text_is_replaced_by_sequence() {
        let from = |bytes_: &[u8]| value("from_utf8", 0, VARCHAR, &[bytes(bytes_)]);
        assert_eq!(from(b"\xff\x41"), "\u{fffd}A");
        assert_eq!(from(b"\xf0\x90\x80\x41\xc1\xbf\xed\xa0\x80"), "\u{fffd}A\u{fffd}\u{fffd}");
        assert_eq!(value("from_utf8", 1, VARCHAR, &[bytes(b"\xe2\x82\x41"), text("?")]), "?A");
        assert_eq!(value("to_utf8", 1, BYTES, &[character("ab", 4)]), "61622020");
    }

    #[test]
    fn base64_takes_missing_padding_but_not_misplaced() {
        let from = |digits| value("from_base64", 0, BYTES, &[text(digits)]);
        assert_eq!(from("aGk"), "6869");
        assert_eq!(from("aGl"), "6869");
        for bad in ["aGk==", "aGk=a", "a", "aA==aA==", "a*b="] {
            assert!(error("from_base64", 0, BYTES, &[text(bad)]).starts_with("INVALID_FUNCTION_ARGUMENT"), "{bad}");
        }
        assert_eq!(value("from_base64url", 0, BYTES, &[text("-_8=")]), "fbff");
    }

    #[test]
    fn base32_is_upper_case() {
        assert_eq!(value("to_base32", 0, VARCHAR, &[bytes(b"hello")]), "NBSWY3DP");
        assert_eq!(value("to_base32", 0, VARCHAR, &[bytes(&[1, 2])]), "AEBA====");
        assert_eq!(value("from_base32", 0, BYTES, &[text("NBSWY3DP")]), "68656c6c6f");
        assert_eq!(value("from_base32", 0, BYTES, &[text("AF")]), "01");
        assert_eq!(value("from_base32", 0, BYTES, &[text("AEAAA")]), "010000");
        assert_eq!(
            error("from_base32", 0, BYTES, &[text("1!")]),
            "INVALID_FUNCTION_ARGUMENT: Unrecognized character: 1"
        );
        assert_eq!(error("from_base32", 0, BYTES, &[text("A")]), "INVALID_FUNCTION_ARGUMENT: Invalid input length 1");
    }

    #[test]
    fn hexadecimal_wants_pairs_of_digits() {
        assert_eq!(value("to_hex", 0, VARCHAR, &[bytes(&[0, 255])]), "00FF");
        assert_eq!(value("from_hex", 0, BYTES, &[text("4D7a")]), "4d7a");
        assert_eq!(
            error("from_hex", 0, BYTES, &[text("4G")]),
            "INVALID_FUNCTION_ARGUMENT: not a hexadecimal digit: \"G\" = 71"
        );
        assert_eq!(error("from_hex", 0, BYTES, &[text("ABC")]), "INVALID_FUNCTION_ARGUMENT: invalid input length 3");
    }
}
