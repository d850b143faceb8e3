//! Invitations to projects. Each works once, for two weeks, and only for the account of its address
//! if it has one. Every unusable link gives the same error.

use sea_orm::{ActiveValue::Set, Condition, QueryOrder, entity::prelude::*};

use super::{Actor, Deed, Result, Store, StoreError, audit, member, project, readable, user};
use crate::protocol::{
    InvitationView, OpenInvitation, ProjectId, ProjectRole, SessionId, Standing, Timestamp, UserId,
};

/// The maximum number of people in a project, including those invited.
const MAX_PEOPLE: u64 = 100;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "project_invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub project_id: ProjectId,
    pub role: ProjectRole,
    pub email: Option<String>,
    pub written_email: Option<String>,
    pub token_hash: String,
    pub created_at: i64,
    pub expires_at: i64,
    pub used_by: Option<UserId>,
    pub used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An invitation to be created.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    pub project: ProjectId,
    pub role: ProjectRole,
    /// The address in normal form, and as written.
    pub email: Option<(String, String)>,
    pub token_hash: String,
    pub expires_at: Timestamp,
}

/// An invitation, with its project and inviter.
struct Found {
    invitation: Model,
    project: project::Model,
    inviter: user::Model,
    standing: Standing,
}

impl Store {
    /// Saves an invitation, in place of an earlier one to the same address. `Conflict` if the
    /// address already has access, or the project has too many people.
    pub async fn invite_to_project(&self, by: &Actor, new: NewInvitation) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| Box::pin(async move { add(tx, &by, new).await }))
            .await
    }

    /// The project's invitations that can still be used, the latest first.
    pub async fn list_project_invitations(&self, id: ProjectId) -> Result<Vec<OpenInvitation>> {
        let all = Entity::find()
            .filter(Column::ProjectId.eq(id))
            .filter(open())
            .order_by_desc(Column::Id);
        let all = readable::models(&self.db, "invitation", all).await?;
        let all = all.into_iter().map(|model| OpenInvitation {
            id: model.id,
            role: model.role,
            email: model.written_email,
            expires_at: Timestamp(model.expires_at),
        });
        Ok(all.collect())
    }

    /// Withdraws an invitation of the project. `NotFound` when there is none that can be used.
    pub async fn withdraw_project_invitation(
        &self,
        by: &Actor,
        project: ProjectId,
        id: SessionId,
    ) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let title = project::there(tx, project).await?.title;
                let of_project = Condition::all()
                    .add(Column::Id.eq(id))
                    .add(Column::ProjectId.eq(project));
                if revoke(tx, of_project).await? == 0 {
                    return Err(StoreError::NotFound("invitation"));
                }
                let deed = Deed::new("withdraw invitation", "project", project, title);
                audit::insert(tx, &by, deed).await
            })
        })
        .await
    }

    /// The invitation with this token's hash, as the user sees it. `NotFound` if it is not valid
    /// (any more).
    pub async fn find_project_invitation(
        &self,
        user: &UserId,
        hash: &str,
    ) -> Result<InvitationView> {
        let found = find(&self.db, user, hash).await?;
        Ok(InvitationView {
            project: found.project.id,
            title: found.project.title,
            inviter: member::name_of(&found.inviter),
            role: found.invitation.role,
            standing: found.standing,
        })
    }

    /// Adds the user to the project of the invitation with this token's hash, and redeems it; an
    /// existing member keeps their role. Returns the project, or `None` if the invitation is for
    /// another address. `NotFound` as in [`Store::find_project_invitation`].
    pub async fn join_project(&self, by: &Actor, hash: &str) -> Result<Option<ProjectId>> {
        let (by, hash) = (by.clone(), hash.to_owned());
        self.write(move |tx| Box::pin(async move { join(tx, &by, &hash).await }))
            .await
    }
}

async fn add(tx: &impl ConnectionTrait, by: &Actor, new: NewInvitation) -> Result<()> {
    let project = project::there(tx, new.project).await?;
    let (normal, written) = new.email.unzip();
    let members = member::Entity::find().filter(member::Column::ProjectId.eq(project.id));
    if let Some(normal) = &normal {
        let invited = user::Entity::find().filter(user::Column::Email.eq(normal));
        let invited = invited.one(tx).await?.map(|user| user.id);
        let is_in = match &invited {
            Some(user) if *user == project.user_id => true,
            Some(user) => {
                let member = members
                    .clone()
                    .filter(member::Column::UserId.eq(user.clone()));
                member.count(tx).await? > 0
            }
            None => false,
        };
        if is_in {
            return Err(StoreError::Conflict(
                "Who has this address is in the project already.",
            ));
        }
        let earlier = Condition::all()
            .add(Column::ProjectId.eq(project.id))
            .add(Column::Email.eq(normal));
        revoke(tx, earlier).await?;
    }
    let invited = Entity::find()
        .filter(Column::ProjectId.eq(project.id))
        .filter(open());
    if members.count(tx).await? + invited.count(tx).await? >= MAX_PEOPLE {
        return Err(StoreError::Conflict(
            "Too many people are in this project or invited to it. Remove some of them, or \
             withdraw invitations.",
        ));
    }
    let row = ActiveModel {
        id: Set(SessionId::new()),
        project_id: Set(project.id),
        role: Set(new.role),
        email: Set(normal),
        written_email: Set(written.clone()),
        token_hash: Set(new.token_hash),
        created_at: Set(Timestamp::now().0),
        expires_at: Set(new.expires_at.0),
        used_by: Set(None),
        used_at: Set(None),
        revoked_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    let details = serde_json::json!({ "role": new.role, "email": written });
    let deed = Deed::new("invite to project", "project", project.id, project.title);
    audit::insert(tx, by, deed.with(details)).await
}

async fn join(tx: &impl ConnectionTrait, by: &Actor, hash: &str) -> Result<Option<ProjectId>> {
    let found = find(tx, &by.user, hash).await?;
    let (invitation, project) = (found.invitation, found.project);
    match found.standing {
        Standing::Invited => {}
        Standing::Joined | Standing::Owner => return Ok(Some(project.id)),
        Standing::OtherAddress => return Ok(None),
    }
    let used = Entity::update_many()
        .col_expr(Column::UsedBy, Expr::value(by.user.clone()))
        .col_expr(Column::UsedAt, Expr::value(Timestamp::now().0))
        .filter(Column::Id.eq(invitation.id))
        .filter(open());
    if used.exec(tx).await?.rows_affected == 0 {
        // It was used or withdrawn just now, perhaps by the same user in another window.
        let found = find(tx, &by.user, hash).await?;
        return Ok((found.standing == Standing::Joined).then_some(project.id));
    }
    let (role, inviter) = (invitation.role, &found.inviter.id);
    member::add(tx, project.id, &by.user, role, inviter).await?;
    let deed = Deed::new("join project", "project", project.id, project.title);
    audit::insert(tx, by, deed.with(serde_json::json!({ "role": role }))).await?;
    Ok(Some(project.id))
}

/// The invitation and what it means for the user, or `NotFound`.
async fn find(db: &impl ConnectionTrait, user: &UserId, hash: &str) -> Result<Found> {
    let absent = || StoreError::NotFound("invitation");
    let invitation = Entity::find().filter(Column::TokenHash.eq(hash));
    let invitation = invitation.one(db).await?.ok_or_else(absent)?;
    let project = project::Entity::find_by_id(invitation.project_id)
        .filter(project::Column::DeletedAt.is_null());
    let project = project.one(db).await?.ok_or_else(absent)?;
    let inviter = user::Entity::find_by_id(project.user_id.clone());
    let inviter = inviter.one(db).await?;
    let inviter = inviter
        .filter(|inviter| inviter.disabled_at.is_none())
        .ok_or_else(absent)?;
    let is_mine = invitation.used_by.as_ref() == Some(user);
    let is_over = invitation.revoked_at.is_some()
        || invitation.expires_at <= Timestamp::now().0
        || invitation.used_at.is_some();
    if is_over && !is_mine {
        return Err(absent());
    }
    let member = member::Entity::find_by_id((project.id, user.clone()));
    let standing = if project.user_id == *user {
        Standing::Owner
    } else if member.one(db).await?.is_some() {
        Standing::Joined
    } else if is_over {
        return Err(absent());
    } else {
        let account = user::Entity::find_by_id(user.clone()).one(db).await?;
        let account = account.ok_or_else(absent)?;
        match &invitation.email {
            Some(email) if *email != account.email => Standing::OtherAddress,
            _ => Standing::Invited,
        }
    };
    Ok(Found {
        invitation,
        project,
        inviter,
        standing,
    })
}

/// Revokes the valid ones among these. Returns how many.
async fn revoke(tx: &impl ConnectionTrait, which: Condition) -> Result<u64> {
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(Timestamp::now().0))
        .filter(which)
        .filter(open());
    Ok(revoked.exec(tx).await?.rows_affected)
}

/// Whether an invitation can be used.
fn open() -> Condition {
    Condition::all()
        .add(Column::UsedAt.is_null())
        .add(Column::RevokedAt.is_null())
        .add(Column::ExpiresAt.gt(Timestamp::now().0))
}
