//! Who has which project open: everybody who follows its feed from this server. None of it is
//! saved. Feeds also learn here that a project's members have changed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::protocol::{ProjectId, UserId};

/// How long a change by another process may go unnoticed.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// Who is present where, as a cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rooms: Mutex<HashMap<ProjectId, Room>>,
    /// Counts the changes to memberships.
    memberships: watch::Sender<u64>,
}

/// A project that somebody has open.
#[derive(Debug, Default)]
struct Room {
    /// By connection: one person may have many.
    guests: HashMap<u64, UserId>,
    last: u64,
    changes: watch::Sender<u64>,
}

/// A user's open connection. They are present until it is dropped.
#[derive(Debug)]
pub struct Guest {
    presence: Presence,
    project: ProjectId,
    number: u64,
    changes: watch::Receiver<u64>,
}

impl Presence {
    /// Marks the user as present in the project.
    pub fn enter(&self, project: ProjectId, user: UserId) -> Guest {
        let mut rooms = self.inner.rooms.lock();
        let room = rooms.entry(project).or_default();
        room.last += 1;
        room.guests.insert(room.last, user);
        room.changes.send_modify(|changes| *changes += 1);
        Guest {
            presence: self.clone(),
            project,
            number: room.last,
            changes: room.changes.subscribe(),
        }
    }

    /// The users who have the project open, each once.
    pub fn here(&self, project: ProjectId) -> Vec<UserId> {
        let rooms = self.inner.rooms.lock();
        let guests = rooms.get(&project).map(|room| room.guests.values());
        let mut here: Vec<UserId> = guests.into_iter().flatten().cloned().collect();
        here.sort();
        here.dedup();
        here
    }

    /// A membership of the project has changed: open connections look again.
    pub fn people_changed(&self, project: ProjectId) {
        self.inner.memberships.send_modify(|changes| *changes += 1);
        if let Some(room) = self.inner.rooms.lock().get(&project) {
            room.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Changes whenever a membership does.
    pub fn memberships(&self) -> watch::Receiver<u64> {
        self.inner.memberships.subscribe()
    }
}

impl Guest {
    /// Returns when somebody came or went, when a membership has changed, and once in a while.
    pub async fn changed(&mut self) {
        // The room exists as long as its guests.
        let _ = tokio::time::timeout(CHECK_INTERVAL, self.changes.changed()).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut rooms = self.presence.inner.rooms.lock();
        if let Some(room) = rooms.get_mut(&self.project) {
            room.guests.remove(&self.number);
            room.changes.send_modify(|changes| *changes += 1);
            if room.guests.is_empty() {
                rooms.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_a_project_open_twice_is_there_once_until_both_are_closed() {
        let (presence, project) = (Presence::default(), ProjectId::new());
        let [ada, ben] = ["ada", "ben"].map(|name| UserId(name.to_owned()));
        let mut first = presence.enter(project, ada.clone());
        let second = presence.enter(project, ada.clone());
        first.changed().await;
        let other = presence.enter(project, ben.clone());
        assert_eq!(presence.here(project), [ada.clone(), ben]);
        first.changed().await;
        drop(second);
        first.changed().await;
        drop(other);
        first.changed().await;
        assert_eq!(presence.here(project), [ada]);
        let mut memberships = presence.memberships();
        presence.people_changed(project);
        first.changed().await;
        assert!(memberships.has_changed().is_ok_and(|changed| changed));
        memberships.mark_unchanged();
        drop(first);
        assert!(presence.here(project).is_empty());
        assert!(presence.inner.rooms.lock().is_empty());
    }
}
