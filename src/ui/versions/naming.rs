//! Names of versions, for people and in addresses.

use crate::protocol::{Author, Fragment, ProjectId};

/// The query parameter for the viewed version, by number or id.
pub const VERSION_QUERY: &str = "version";

/// Its name for people.
pub fn name(version: &Fragment) -> String {
    match (version.draft, version.number) {
        (false, number) => format!("Version {number}"),
        (true, 0) => "Draft before version 1".to_owned(),
        (true, number) => format!("Draft after version {number}"),
    }
}

/// Its author: the person of this name, if the project has more than one.
pub fn author(version: &Fragment, name: Option<&str>) -> String {
    let made = match (version.author, version.restored) {
        (Author::Agent, _) => return "by the agent".to_owned(),
        (Author::You, _) => String::new(),
        (Author::Restore, Some(number)) if number > 0 => {
            format!("restored from version {number}")
        }
        (Author::Restore, Some(_)) => "restored from a draft".to_owned(),
        (Author::Restore, None) => "back at the beginning".to_owned(),
    };
    let name = match name {
        Some("You") => "you",
        Some(name) => name,
        None if made.is_empty() => "you",
        None => return made,
    };
    format!("{made} by {name}").trim_start().to_owned()
}

/// The address of its view.
pub fn address(project: ProjectId, version: &Fragment) -> String {
    format!("/projects/{project}?version={}", which(version))
}

/// Its name in addresses: drafts share the number of the version before them.
pub fn which(version: &Fragment) -> String {
    if version.draft {
        version.id.to_string()
    } else {
        version.number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FragmentId, Timestamp};

    #[test]
    fn a_version_is_called_by_its_number_and_its_maker() {
        let version = |number, draft, restored| Fragment {
            id: FragmentId(uuid::Uuid::nil()),
            number,
            title: "Shop".to_owned(),
            draft,
            user: None,
            author: if restored == 0 {
                Author::You
            } else {
                Author::Restore
            },
            restored: Some(restored),
            changed: None,
            picture: None,
            created_at: Timestamp(0),
        };
        assert_eq!(name(&version(3, false, 0)), "Version 3");
        assert_eq!(name(&version(0, true, 0)), "Draft before version 1");
        let restored = version(4, false, 2);
        assert_eq!(author(&restored, None), "restored from version 2");
        assert_eq!(
            author(&restored, Some("Ada")),
            "restored from version 2 by Ada"
        );
        let edited = version(4, false, 0);
        assert_eq!(author(&edited, None), "by you");
        assert_eq!(author(&edited, Some("You")), "by you");
        assert_eq!(author(&edited, Some("Ada")), "by Ada");
    }
}
