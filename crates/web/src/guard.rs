//! Checks that a request is meant for this server: a foreign page, or a foreign name for this
//! machine, can make a browser send one.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

/// The names by which a server may be called, besides its numbers and `localhost`.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// These names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Why a request with these headers is refused: its `Host` is none of the names, or it comes
    /// from a page of another origin. `server` and `option` are words for the message: what is
    /// asked, and the flag that adds a name.
    pub fn refuse(&self, headers: &HeaderMap, server: &str, option: &str) -> Option<String> {
        let text =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Some("the request has two `Host` headers".to_owned());
        }
        let host = text(header::HOST).unwrap_or_default();
        if !self.knows(host) {
            let name = shorten(host);
            return Some(format!(
                "this {server} is not known as `{name}`: open it by its number or as localhost, or name it with `{option}`"
            ));
        }
        let origin = text(header::ORIGIN)?;
        let is_own =
            origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host));
        (!is_own).then(|| format!("a page of `{}` may not use this {server}", shorten(origin)))
    }

    /// True if the machine may be called so. Numbers cannot be made to mean another machine than
    /// they did; names can.
    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // `[::1]` and `[::1]:80`: the number ends with a bracket.
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        number.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Compares in a time that tells nothing of where the difference is.
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn shorten(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn refusal(headers: &[(HeaderName, &str)]) -> Option<String> {
        let names = Names::new(["box.lan".to_owned()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        names.refuse(&map, "server", "--host")
    }

    #[test]
    fn numbers_localhost_and_names_given_are_known() {
        for host in [
            "127.0.0.1:6006",
            "localhost:8",
            "LOCALHOST",
            "[::1]:6006",
            "[::1]",
            "10.0.0.7",
            "box.lan:1",
        ] {
            assert_eq!(refusal(&[(header::HOST, host)]), None, "{host}");
        }
        for host in
            ["", "evil.example", "127.0.0.1.evil.example:6006", "localhost.evil.example", "[::1"]
        {
            assert!(refusal(&[(header::HOST, host)]).is_some(), "{host}");
        }
    }

    #[test]
    fn a_foreign_page_is_refused() {
        let host = (header::HOST, "localhost:6006");
        let from = |origin| refusal(&[host.clone(), (header::ORIGIN, origin)]);
        assert_eq!(from("http://localhost:6006"), None);
        for origin in ["http://evil.example", "http://localhost:7000", "null"] {
            assert!(from(origin).is_some(), "{origin}");
        }
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same(b"secret", b"secret"));
        assert!(!is_same(b"secret", b"secreT"));
        assert!(!is_same(b"", b"s"));
    }
}
