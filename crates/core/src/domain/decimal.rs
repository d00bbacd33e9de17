//! Reads decimal numbers exactly: prices in units of 1e-4, sizes in units of 1e-6, rounded half to even.

/// A number in fixed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The number times a power of ten.
    pub value: i64,
    /// Whether digits other than 0 were left out.
    pub is_rounded: bool,
}

/// Most digits of a number that are looked at; beyond them fractions only decide about rounding.
const DIGITS_MAX: u32 = 36;
/// Greatest exponent of ten that is looked at.
const EXPONENT_MAX: u32 = 60;

/// Returns the number times 10 to the power of `decimals`, or `None` if the text is no decimal number or too large. Accepts a sign and an
/// exponent (`1e-05`), as pandas writes them; no blanks, no thousands separators, no decimal comma.
pub fn parse(text: &[u8], decimals: i32) -> Option<Fixed> {
    let (is_negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let number = short(digits, decimals).or_else(|| long(digits, decimals))?;
    Some(Fixed { value: if is_negative { -number.value } else { number.value }, ..number })
}

/// Reads a number of at most 18 digits, without an exponent and with at most so many decimals: nearly all numbers.
fn short(text: &[u8], decimals: i32) -> Option<Fixed> {
    const POWERS: [i64; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    if text.len() > 19 {
        return None;
    }
    let (mut value, mut digits, mut point) = (0_i64, 0, None);
    for byte in text {
        if byte.is_ascii_digit() && digits < 18 {
            value = value * 10 + i64::from(byte - b'0');
            digits += 1;
        } else if *byte == b'.' && point.is_none() && digits > 0 {
            point = Some(digits);
        } else {
            return None;
        }
    }
    let fraction = point.map_or(0, |point| digits - point);
    if digits == 0 || point == Some(digits) {
        return None;
    }
    let shift = usize::try_from(decimals - fraction).ok()?;
    Some(Fixed { value: value.checked_mul(*POWERS.get(shift)?)?, is_rounded: false })
}

fn long(text: &[u8], decimals: i32) -> Option<Fixed> {
    let (mut value, mut digits, mut scale, mut is_inexact, mut point) = (0_u128, 0, 0, false, false);
    let mut exponent = 0;
    for (place, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits < DIGITS_MAX => {
                value = value * 10 + u128::from(byte - b'0');
                digits += u32::from(value > 0);
                scale += i32::from(point);
            }
            // Zeros of a long integer part would be lost.
            b'0'..=b'9' if point => is_inexact |= *byte != b'0',
            b'.' if !point && place > 0 && text.get(place + 1).is_some_and(u8::is_ascii_digit) => point = true,
            b'e' | b'E' if place > 0 && text[place - 1].is_ascii_digit() => {
                exponent = std::str::from_utf8(&text[place + 1..]).ok()?.parse::<i32>().ok()?;
                break;
            }
            _ => return None,
        }
    }
    if text.is_empty() || exponent.unsigned_abs() > EXPONENT_MAX {
        return None;
    }
    scaled(value, decimals + exponent - scale, is_inexact)
}

/// Returns `value` times 10 to the power of `shift`.
fn scaled(value: u128, shift: i32, is_inexact: bool) -> Option<Fixed> {
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    if shift >= 0 {
        let value = if value == 0 { 0 } else { value.checked_mul(power?)? };
        return Some(Fixed { value: i64::try_from(value).ok()?, is_rounded: is_inexact });
    }
    let Some(power) = power else { return Some(Fixed { value: 0, is_rounded: value > 0 || is_inexact }) };
    let (whole, rest) = (value / power, value % power);
    let half = power / 2;
    let is_up = rest > half || (rest == half && (is_inexact || whole % 2 == 1));
    let value = i64::try_from(whole + u128::from(is_up)).ok()?;
    Some(Fixed { value, is_rounded: rest > 0 || is_inexact })
}

/// Returns the number divided by this power of ten, rounded half to even.
pub fn divided(value: i64, power: i64) -> Fixed {
    let (whole, rest) = (value.div_euclid(power), value.rem_euclid(power));
    let is_up = rest * 2 > power || (rest * 2 == power && whole % 2 != 0);
    Fixed { value: whole + i64::from(is_up), is_rounded: rest > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Option<(i64, bool)> {
        parse(text.as_bytes(), 4).map(|fixed| (fixed.value, fixed.is_rounded))
    }

    #[test]
    fn numbers_are_read_exactly_or_rounded_half_to_even() {
        for (text, value, is_rounded) in [
            ("201.37", 2_013_700, false),
            ("201", 2_010_000, false),
            ("0", 0, false),
            ("-1.5", -15_000, false),
            ("+1.5", 15_000, false),
            ("10.000000", 100_000, false),
            ("0.00005", 0, true),
            ("0.00015", 2, true),
            ("0.000150000000000000000000000000000000000000001", 2, true),
            ("0.000050000000000000000000000000000000000000001", 1, true),
            ("201.37000000000001", 2_013_700, true),
            ("1e-05", 0, true),
            ("2.5E+2", 2_500_000, false),
            ("1.2345e2", 1_234_500, false),
            ("1e-60", 0, true),
            ("0e50", 0, false),
            ("922337203685477.5807", i64::MAX, false),
            ("0000000000000009999", 99_990_000, false),
            ("000000000000000000000000000000000000000000001.5", 15_000, false),
        ] {
            assert_eq!(price(text), Some((value, is_rounded)), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1,5",
            "1 000",
            " 1",
            "1 ",
            "NaN",
            "nan",
            "inf",
            "1e",
            "e5",
            "1e5.5",
            "1.2.3",
            "0x10",
            "١",
            "922337203685477.5808",
            "1e61",
            "9999999999999999999999999999999999999999999",
            "--1",
            "1e999999999999",
            "1e-2147483648",
            "9999999999999999999",
        ] {
            assert_eq!(price(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_numbers_are_read_like_long_ones(text in "[0-9]{1,14}(\\.[0-9]{1,6})?", decimals in 0..7) {
            let (short, long) = (short(text.as_bytes(), decimals), long(text.as_bytes(), decimals));
            if let Some(short) = short {
                prop_assert_eq!(Some(short), long);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,50}", decimals in 0..10) {
            let _ = parse(text.as_bytes(), decimals);
        }

        #[test]
        fn division_rounds_half_to_even(value: i32, power in prop_oneof![Just(10_i64), Just(1_000), Just(100_000)]) {
            let value = i64::from(value);
            let Fixed { value: found, is_rounded } = divided(value, power);
            prop_assert!((found * power - value).abs() * 2 <= power);
            prop_assert_eq!(is_rounded, found * power != value);
            if (found * power - value).abs() * 2 == power {
                prop_assert_eq!(found % 2, 0);
            }
        }
    }
}
