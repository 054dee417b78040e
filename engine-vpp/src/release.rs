//! VPP's releases, read from what a VPP calls its version.

/// A release: its year and month, and whether its branch had been made. What is built before that has a part of the release only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    year: u16,
    month: u16,
    is_branched: bool,
}

impl Release {
    /// Where a memif's abstract socket can be in another network namespace. 23.06 opens it there too, and stays there itself.
    pub(crate) const V23_10: Self = Self { year: 23, month: 10, is_branched: true };
    /// Where a policer of what VPP sends sees what it bridges.
    pub(crate) const V26_06: Self = Self { year: 26, month: 6, is_branched: true };

    /// The release of a version such as `24.10-release`, `v26.06-rc0~301-g0f37c4847` or `25.02.1~2-gabc`.
    pub(crate) fn of(version: &str) -> Option<Self> {
        let begin = version.find(|character: char| character.is_ascii_digit())?;
        let (year, rest) = version[begin..].split_once('.')?;
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (month, rest) = rest.split_at(end);
        let [year, month] = [year, month].map(|text| text.parse().ok().filter(|_| text.len() == 2));
        let month = month.filter(|month| (1..=12).contains(month))?;
        Some(Self { year: year?, month, is_branched: !rest.starts_with("-rc0") })
    }

    /// Whether that version is of this release or a later one. One that cannot be read is of none: what is promised and not kept does more
    /// harm than what is refused with a reason.
    pub(crate) fn is_reached_by(self, version: &str) -> bool {
        Self::of(version).is_some_and(|found| found >= self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_vpp_writes_them() {
        for version in
            ["26.06-release", "v26.06-rc1~3-gabc", "26.06", "26.06.1-1~gabc", "26.10-rc0~4", "27.02-fake"]
        {
            assert!(Release::V26_06.is_reached_by(version), "{version}");
        }
        for version in
            ["24.10-release", "v24.10-rc0~12-gabc", "26.02-release", "26.06-rc0~300-gabc", "26.06-rc0"]
        {
            assert!(!Release::V26_06.is_reached_by(version), "{version}");
        }
        assert!(
            Release::V23_10.is_reached_by("23.10-release") && !Release::V23_10.is_reached_by("23.06-release")
        );
        for version in ["", "custom", "26", "26.6", "2026.06", "26.13-release", "v.06", "26.006"] {
            assert_eq!(Release::of(version), None, "{version}");
        }
    }
}
