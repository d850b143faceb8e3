//! Teams: a project's members, their roles, and the invitations.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ProjectId, SessionId, Timestamp, UserId, named};

/// A role in a project. Each includes the rights of those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProjectRole {
    /// May see the conversation, the app, its files and its versions.
    Viewer,
    /// May also send messages and change files.
    Editor,
    /// May also share and delete the project, and manage its members.
    #[default]
    Owner,
}

named!(ProjectRole: Viewer = "viewer", Editor = "editor", Owner = "owner");

/// A current or former member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// Their name for others: the one they chose, else the part of their address before the `@`.
    pub name: String,
    /// `None` for former members.
    pub role: Option<ProjectRole>,
}

impl Person {
    /// Up to two letters as initials.
    pub fn initials(&self) -> String {
        let words = self.name.split(|letter: char| !letter.is_alphanumeric());
        let letters = words.filter_map(|word| word.chars().next()).take(2);
        let initials: String = letters.flat_map(char::to_uppercase).collect();
        if initials.is_empty() {
            return "?".to_owned();
        }
        initials
    }
}

/// A project's people, as one of them sees them at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Team {
    /// The viewer; `None` where there are no accounts.
    pub you: Option<UserId>,
    pub role: ProjectRole,
    /// The owner first, then the longest-standing members; former members come last.
    pub people: Vec<Person>,
    /// The users who have the project open.
    pub here: Vec<UserId>,
}

impl Team {
    /// Whether the project has or had more than one person.
    pub fn is_shared(&self) -> bool {
        self.people.len() > 1
    }

    /// The name of the user who did something; no recorded user means the owner.
    pub fn name_of(&self, user: Option<&UserId>) -> String {
        let found = self.people.iter().find(|person| match user {
            Some(user) => person.id == *user,
            None => person.role == Some(ProjectRole::Owner),
        });
        match found {
            Some(person) if Some(&person.id) == self.you.as_ref() => "You".to_owned(),
            Some(person) => person.name.clone(),
            None => "Somebody who left".to_owned(),
        }
    }

    /// The others who have the project open.
    pub fn others_here(&self) -> Vec<Person> {
        let here = |person: &&Person| {
            self.here.contains(&person.id) && Some(&person.id) != self.you.as_ref()
        };
        self.people.iter().filter(here).cloned().collect()
    }
}

/// A member of a project, as its owner sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: ProjectRole,
}

/// An invitation that nobody has used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInvitation {
    pub id: SessionId,
    pub role: ProjectRole,
    /// The only address whose account may accept it; `None` for anyone with the link.
    pub email: Option<String>,
    pub expires_at: Timestamp,
}

/// The contents of the section "People" in the dialog "Share".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Without the owner.
    pub members: Vec<Member>,
    pub invitations: Vec<OpenInvitation>,
}

/// The outcome of sending an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// The invitation's link.
    pub link: String,
    /// Whether it was also sent by e-mail.
    pub sent: bool,
}

/// The project's owner, and the member's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub owner: String,
    pub role: ProjectRole,
}

/// An invitation, as seen by whoever opens its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    pub project: ProjectId,
    pub title: String,
    /// The person who invites.
    pub inviter: String,
    pub role: ProjectRole,
    pub standing: Standing,
}

/// How the visitor of an invitation's link relates to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// They may join.
    Invited,
    /// They are in the project already.
    Joined,
    /// The project is theirs.
    Owner,
    /// It is for an account with another address.
    OtherAddress,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: &str, name: &str, role: Option<ProjectRole>) -> Person {
        Person {
            id: UserId(id.to_owned()),
            name: name.to_owned(),
            role,
        }
    }

    #[test]
    fn roles_grow_and_initials_are_those_of_the_first_words() {
        assert!(ProjectRole::Viewer < ProjectRole::Editor);
        assert!(ProjectRole::Editor < ProjectRole::Owner);
        for (name, initials) in [
            ("ada lovelace", "AL"),
            ("anna.maria.k", "AM"),
            ("ärla", "Ä"),
            ("…", "?"),
        ] {
            assert_eq!(person("a", name, None).initials(), initials);
        }
    }

    #[test]
    fn who_did_something_is_you_another_or_somebody_who_left() {
        let team = Team {
            you: Some(UserId("b".to_owned())),
            role: ProjectRole::Editor,
            people: vec![
                person("a", "Ada", Some(ProjectRole::Owner)),
                person("b", "Ben", Some(ProjectRole::Editor)),
            ],
            here: vec![UserId("a".to_owned()), UserId("b".to_owned())],
        };
        assert_eq!(team.name_of(None), "Ada");
        assert_eq!(team.name_of(Some(&UserId("b".to_owned()))), "You");
        let gone = UserId("c".to_owned());
        assert_eq!(team.name_of(Some(&gone)), "Somebody who left");
        let others = team.others_here();
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].name, "Ada");
    }
}
