//! Who may send requests: a token, and names of this machine.

use abeyance_web::{Names, is_same};
use http::{HeaderMap, HeaderValue, header};

use crate::request_error::{ErrorKind, RequestError};

/// The rules for who may send requests.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) token: Option<String>,
    /// The names of this machine that requests may use. `None` where they do not matter: a token is
    /// asked for, or anybody may ask. On addresses of this machine alone anybody on it may ask, and
    /// so any page in its browsers.
    pub(crate) names: Option<Names>,
}

/// True if a request with these headers may ask.
///
/// # Errors
/// Why not.
pub(crate) fn is_allowed(access: &Access, headers: &HeaderMap) -> Result<(), RequestError> {
    if let Some(token) = &access.token {
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let scheme = b"bearer ";
        let bearer = given.split_at_checked(scheme.len());
        let bearer = bearer.filter(|(named, _)| named.eq_ignore_ascii_case(scheme));
        if !bearer.is_some_and(|(_, bearer)| is_same(bearer.trim_ascii(), token.as_bytes())) {
            return Err(RequestError::new(
                ErrorKind::Unauthenticated,
                "the token is missing or wrong: send it as `Authorization: Bearer TOKEN`",
            ));
        }
    }
    if let Some(names) = &access.names
        && let Some(why) = names.refuse(headers, "server", "--host")
    {
        return Err(RequestError::new(ErrorKind::Forbidden, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_by_its_scheme() {
        let access = Access { token: Some("0123456789abcdef".to_owned()), names: None };
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            is_allowed(&access, &headers).is_ok()
        };
        assert!(with("Bearer 0123456789abcdef") && with("bearer 0123456789abcdef"));
        for wrong in ["", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcdeF"] {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(is_allowed(&access, &HeaderMap::new()).is_err());
    }
}
