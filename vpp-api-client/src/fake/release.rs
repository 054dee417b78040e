//! Releases of VPP, as far as the fake tells them apart.

use std::{fmt, str::FromStr};

/// A release: its year and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    year: u16,
    month: u16,
}

impl Release {
    /// Where `bridge_domain_add_del_v2` came.
    pub(crate) const V23_02: Self = Self { year: 23, month: 2 };
    /// Where memif's second messages came, and the check of a socket's path.
    pub(crate) const V23_06: Self = Self { year: 23, month: 6 };
}

impl Default for Release {
    fn default() -> Self {
        Self { year: 26, month: 6 }
    }
}

/// Text that is not a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a release of VPP: YY.MM, from 22.10 on")]
pub struct NotARelease(String);

impl FromStr for Release {
    type Err = NotARelease;

    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let parse = |part: &str| (part.len() == 2).then(|| part.parse().ok()).flatten();
        let numbers = text.split_once('.').and_then(|(year, month)| Some((parse(year)?, parse(month)?)));
        match numbers {
            Some((year, month)) if (year, month) >= (22, 10) && (1..=12).contains(&month) => {
                Ok(Self { year, month })
            }
            _ => Err(NotARelease(text.to_owned())),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_its_year_and_month() {
        assert_eq!("26.06".parse::<Release>().unwrap(), Release::default());
        assert!("22.10".parse::<Release>().unwrap() < Release::V23_02);
        for text in ["22.06", "26.13", "26", "v26.06", "26.6", ""] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }
}
