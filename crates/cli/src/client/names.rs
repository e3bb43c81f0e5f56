//! Names of Rust for names of inputs and outputs, which are any texts.

use std::collections::HashSet;

/// Longer ones are cut.
const LONGEST: usize = 26;

/// Keywords, of any edition, which are names only where they are written raw.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Keywords that are not names even where they are written raw.
const RESERVED: [&str; 3] = ["crate", "self", "super"];

/// A field's name for each text, no two the same: letters in snake case, digits, `_` for what else
/// there is, `instead` for what has neither letters nor digits.
pub fn fields<'a>(texts: impl IntoIterator<Item = &'a str>, instead: &str) -> Vec<String> {
    let mut taken = HashSet::new();
    texts
        .into_iter()
        .map(|text| {
            let plain = plain(text, instead);
            let numbered = (2..).map(|count| format!("{plain}_{count}"));
            let mut candidates = std::iter::once(plain.clone()).chain(numbered);
            candidates.find(|name| taken.insert(name.clone())).unwrap_or(plain)
        })
        .map(|name| if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name })
        .collect()
}

fn plain(text: &str, instead: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for sign in text.chars() {
        // `inputImage` becomes `input_image`, `RGB` becomes `rgb`.
        let is_new_word = sign.is_ascii_uppercase() && before.is_ascii_lowercase();
        if is_new_word || !sign.is_ascii_alphanumeric() {
            // Two of them next to each other are no snake case.
            if !name.ends_with('_') && !name.is_empty() {
                name.push('_');
            }
        }
        if sign.is_ascii_alphanumeric() {
            name.push(sign.to_ascii_lowercase());
        }
        before = sign;
        if name.len() >= LONGEST {
            break;
        }
    }
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => instead.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{instead}_{name}"),
        _ if RESERVED.contains(&name) => format!("{instead}_{name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    fn named(texts: &[&str]) -> Vec<String> {
        fields(texts.iter().copied(), "input")
    }

    #[test]
    fn texts_become_names_in_snake_case() {
        assert_eq!(
            named(&["images", "serving_default_x:0", "inputImage", "RGB", "a  b", "__x__", "3d"]),
            ["images", "serving_default_x_0", "input_image", "rgb", "a_b", "x", "input_3d"]
        );
    }

    #[test]
    fn keywords_are_written_raw_or_get_a_sign_more() {
        assert_eq!(
            named(&["type", "Self", "crate", "in"]),
            ["r#type", "input_self", "input_crate", "r#in"]
        );
    }

    #[test]
    fn no_two_are_the_same() {
        assert_eq!(named(&["x", "/x", "X", "x_2", "x:"]), ["x", "x_2", "x_3", "x_2_2", "x_4"]);
        assert_eq!(named(&["", "∑", "日本"]), ["input", "input_2", "input_3"]);
        assert_eq!(named(&["type", "type:"]), ["r#type", "type_2"]);
    }

    #[test]
    fn long_ones_are_cut() {
        let long = "a".repeat(1000);
        let names = named(&[&long, &long]);
        assert_eq!(names, ["a".repeat(26), format!("{}_2", "a".repeat(26))]);
    }
}
