//! Teams: who may do what in a project, who is in it, and the invitations to it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ProjectId, SessionId, Timestamp, UserId, named};

/// What somebody may do in a project; each may do all that those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProjectRole {
    /// Sees the conversation, the app, its files and versions.
    Viewer,
    /// Also sends messages, and changes files.
    Editor,
    /// Also shares and deletes it, and says who else is in it.
    #[default]
    Owner,
}

named!(ProjectRole: Viewer = "viewer", Editor = "editor", Owner = "owner");

/// Somebody who is in a project, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// What others read: the name that they chose, else the part of their address before the `@`.
    pub name: String,
    /// `None` for who was in the project once.
    pub role: Option<ProjectRole>,
}

impl Person {
    /// Up to two letters that stand for the name.
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

/// Who is in a project, as one of them sees it at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Team {
    /// Who looks; `None` where there are no accounts.
    pub you: Option<UserId>,
    pub role: ProjectRole,
    /// The owner first, then those who were in it longest; those who have left come last.
    pub people: Vec<Person>,
    /// Who has the project open.
    pub here: Vec<UserId>,
}

impl Team {
    /// Whether more than one person is or was in the project.
    pub fn is_shared(&self) -> bool {
        self.people.len() > 1
    }

    /// What the others read of who did something; nobody noted is the owner.
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

/// Somebody who is in a project, as its owner sees them.
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
    /// The address whose account alone may accept it; `None` for whoever has the link.
    pub email: Option<String>,
    pub expires_at: Timestamp,
}

/// What the section "People" of the dialog "Share" shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Without the owner.
    pub members: Vec<Member>,
    pub invitations: Vec<OpenInvitation>,
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// What the invited open.
    pub link: String,
    /// Whether it is on its way by e-mail.
    pub sent: bool,
}

/// Whose project somebody is in, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub owner: String,
    pub role: ProjectRole,
}

/// An invitation as who opens its link sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    pub project: ProjectId,
    pub title: String,
    /// Who invites.
    pub inviter: String,
    pub role: ProjectRole,
    pub standing: Standing,
}

/// What opening an invitation's link means for who does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// They may join.
    Invited,
    /// They are in the project already.
    Joined,
    /// The project is theirs.
    Owner,
    /// It is for the account with another address.
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
