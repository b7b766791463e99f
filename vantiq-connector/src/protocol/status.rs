//! [`Status`]: the number that opens every answer.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The status of an answer or acknowledgement, an HTTP-like number (`docs/PROTOCOL.md`, section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Status(pub u16);

impl Status {
    /// Rows of a query, with more to follow.
    pub const PARTIAL: Self = Self(100);
    /// The last answer of a query, with rows; or an accepted message.
    pub const OK: Self = Self(200);
    /// The last answer of a query, without rows.
    pub const EMPTY: Self = Self(204);
    /// A query that ended in an error.
    pub const ERROR: Self = Self(400);

    /// Whether the number reports a failure: 300 and above.
    pub const fn is_error(self) -> bool {
        self.0 >= 300
    }

    /// Whether this status ends a query: all but [`PARTIAL`](Self::PARTIAL).
    pub const fn is_terminal(self) -> bool {
        self.0 != Self::PARTIAL.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Status {
    /// Accepts a number or a text of digits: other than the Java SDK (J12), an odd type must not end a link.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Status;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status number")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Status, E> {
                number.try_into().map(Status).map_err(|_| E::custom("a status above 65535"))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Status, E> {
                // `{}` prints a whole float without its fraction, so only whole numbers parse.
                self.visit_str(&format!("{number}"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Status, E> {
                text.trim().parse().map(Status).map_err(|_| E::custom("a status that is not a number"))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_a_number_of_any_type() {
        for text in ["200", "200.0", "\"200\"", "\" 200 \""] {
            assert_eq!(serde_json::from_str::<Status>(text).unwrap(), Status::OK, "{text}");
        }
        for text in ["null", "true", "200.5", "-1", "70000", "\"ok\"", "[200]"] {
            assert!(serde_json::from_str::<Status>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_start_at_300_and_only_100_is_not_terminal() {
        assert!(!Status::EMPTY.is_error() && Status(300).is_error() && Status::ERROR.is_error());
        assert!(!Status::PARTIAL.is_terminal() && Status::OK.is_terminal() && Status(500).is_terminal());
    }
}
