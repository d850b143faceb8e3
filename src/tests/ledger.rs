//! The ledger of credits, on SQLite and PostgreSQL: whatever happens, concurrently or in any order,
//! no credit is lost or created, and no balance falls below zero.

use std::{path::PathBuf, time::Duration};

use codeflow::{
    protocol::{
        AccountRole, CreditReason, CreditRules, NewPrompt, Plan, ProjectId, Run, RunState, Spent,
        UserId,
    },
    store::{AccountChange, Actor, NewFragment, NewUser, Reply, Rewind, Store, StoreError},
};
use futures::{FutureExt as _, future::join_all};
use proptest::{
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};

use crate::support::Postgres;

const RULES: CreditRules = CreditRules {
    free: 6,
    pro: 12,
    days: 30,
    cost: 1,
};

/// A database that can be reopened.
enum Place {
    File(PathBuf),
    Url(String),
}

impl Place {
    async fn open(&self) -> Store {
        let store = match self {
            Self::File(path) => Store::open_file(path).await,
            Self::Url(url) => Store::open(url).await,
        };
        store.unwrap().charging(Some(RULES))
    }
}

async fn set_plan(store: &Store, user: &UserId, plan: Plan) -> Result<(), StoreError> {
    let change = AccountChange::Plan(plan);
    store.change_account(&Actor::shell(), user, change).await
}

/// Creates a separate account, with an address that no other test case uses.
async fn account(store: &Store) -> UserId {
    let email = format!("{}@example.com", ProjectId::new());
    let new = NewUser {
        email: email.clone(),
        written_email: email,
        password_hash: None,
        role: AccountRole::User,
        plan: Plan::Free,
    };
    store.create_user(new, None).await.unwrap().id
}

async fn left(store: &Store, user: &UserId) -> i64 {
    store.credits(user).await.unwrap().unwrap().left
}

/// An event; runs are named by their index.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Prompt,
    /// A prompt after the period's end.
    PromptAfterPeriod,
    Replay(usize),
    SendAgain(usize),
    Remove(usize),
    Start(usize),
    Answer(usize),
    Succeed(usize),
    Fail(usize),
    Stop(usize),
    Abandon(usize),
    SetPlan(Plan),
}

#[derive(Debug, Clone)]
enum Round {
    /// Concurrent events; each is either awaited or dropped after this many polls, as in a process
    /// that dies.
    Happens(Vec<(Happening, Option<u8>)>),
    /// The server ends and starts again.
    Reopened,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let run = 0..9_usize;
    let happening = prop_oneof![
        4 => Just(Happening::Prompt),
        1 => Just(Happening::PromptAfterPeriod),
        2 => run.clone().prop_map(Happening::Replay),
        1 => run.clone().prop_map(Happening::SendAgain),
        1 => run.clone().prop_map(Happening::Remove),
        1 => run.clone().prop_map(Happening::Start),
        2 => run.clone().prop_map(Happening::Answer),
        1 => run.clone().prop_map(Happening::Succeed),
        2 => run.clone().prop_map(Happening::Fail),
        2 => run.clone().prop_map(Happening::Stop),
        1 => run.prop_map(Happening::Abandon),
        1 => prop_oneof![Just(Plan::Free), Just(Plan::Pro)].prop_map(Happening::SetPlan),
    ];
    let patience = prop_oneof![4 => Just(None), 1 => (0..4_u8).prop_map(Some)];
    let round = prop_oneof![
        8 => prop::collection::vec((happening, patience), 1..6).prop_map(Round::Happens),
        1 => Just(Round::Reopened),
    ];
    prop::collection::vec(round, 1..14)
}

/// Applies the event; impossible ones are refused.
async fn happen(store: &Store, user: &UserId, project: ProjectId, runs: &[Run], what: Happening) {
    let prompt = NewPrompt::new("More").unwrap();
    let run = |at: usize| &runs[at % runs.len()];
    let content = "It ended.".to_owned();
    let done = match what {
        Happening::Prompt => store
            .add_prompt(user, project, &prompt, None)
            .await
            .map(drop),
        Happening::PromptAfterPeriod => {
            let later = store
                .clone()
                .charging(Some(CreditRules { days: 0, ..RULES }));
            later
                .add_prompt(user, project, &prompt, None)
                .await
                .map(drop)
        }
        Happening::Replay(at) => store.replay_run(user, run(at).id).await.map(drop),
        Happening::SendAgain(at) => {
            let rewind = Rewind {
                user: user.clone(),
                message: run(at).message,
                prompt,
                image: None,
                unsaved: None,
                source: None,
            };
            store.rewind(project, rewind).await.map(drop)
        }
        Happening::Remove(at) => store.remove_prompt(run(at).message).await.map(drop),
        Happening::Start(at) => store.start_run(run(at).id).await.map(drop),
        Happening::Answer(at) => {
            let (id, spent) = (run(at).id, Spent::default());
            match store.begin_step(id, "turn-1", "").await {
                Ok(_) => {
                    let output = "\"answer\"";
                    store.finish_step(id, "turn-1", output, spent, None).await
                }
                Err(error) => Err(error),
            }
        }
        Happening::Succeed(at) => {
            let fragment = NewFragment {
                project_title: String::new(),
                title: "One".to_owned(),
                entries: [].into(),
                partial: false,
                picture: None,
            };
            let reply = Reply::Result {
                content,
                fragment,
                journeys: Vec::new(),
            };
            store.finish_run(run(at).id, &reply).await.map(drop)
        }
        Happening::Fail(at) => {
            let reply = Reply::Error { content };
            store.finish_run(run(at).id, &reply).await.map(drop)
        }
        Happening::Stop(at) => {
            let reply = Reply::Cancelled { content };
            store.finish_run(run(at).id, &reply).await.map(drop)
        }
        Happening::Abandon(at) => store.abandon_run(run(at).id).await,
        Happening::SetPlan(plan) => set_plan(store, user, plan).await,
    };
    match done {
        Ok(())
        | Err(StoreError::OutOfCredits(_) | StoreError::Conflict(_) | StoreError::NotFound(_)) => {}
        Err(error) => panic!("{what:?}: {error}"),
    }
}

/// What is wrong with the user's ledger, which covers one project's runs.
async fn fault(store: &Store, user: &UserId, project: ProjectId) -> Option<String> {
    let runs = store.list_runs(project).await.unwrap();
    let entries = store.list_credit_entries(user, 10_000).await.unwrap();
    let left = left(store, user).await;
    let sum: i64 = entries.iter().map(|entry| entry.amount).sum();
    if left != sum || left < 0 {
        return Some(format!("{left} are left, and the entries' sum is {sum}"));
    }
    let mut of_runs = 0;
    for run in &runs {
        let amounts = |reason| {
            let own = entries.iter().filter(move |one| one.run == Some(run.id));
            own.filter(move |one| one.reason == reason)
                .map(|one| one.amount)
                .collect::<Vec<_>>()
        };
        let (paid, refunded) = (amounts(CreditReason::Run), amounts(CreditReason::Refund));
        of_runs += paid.len() + refunded.len();
        let steps = store.list_steps(run.id).await.unwrap();
        let is_answered = steps.iter().any(|step| step.output.is_some());
        let refund_is_right = match (run.state, &*refunded) {
            (RunState::Failed, refunded) => refunded == [1],
            // An answer may come in the moment after it was stopped.
            (RunState::Cancelled, [1]) => true,
            (RunState::Cancelled, []) => is_answered,
            (RunState::Queued | RunState::Running | RunState::Succeeded, refunded) => {
                refunded.is_empty()
            }
            _ => false,
        };
        if paid != [-1] || !refund_is_right {
            let state = run.state.as_str();
            return Some(format!("a {state} run paid {paid:?} and got {refunded:?}"));
        }
    }
    let others = entries.iter().filter(|entry| entry.run.is_none());
    let is_grant = |reason| matches!(reason, CreditReason::Refill | CreditReason::Plan);
    if others.clone().any(|entry| !is_grant(entry.reason)) {
        return Some("an entry belongs to no run".to_owned());
    }
    (of_runs + others.count() != entries.len()).then(|| "a run that is not there paid".to_owned())
}

async fn play(place: &Place, rounds: Vec<Round>) {
    let mut store = place.open().await;
    let user = account(&store).await;
    let prompt = NewPrompt::new("Build").unwrap();
    let made = store.create_project(&user, &prompt, None, "Build").await;
    let project = made.unwrap().0.id;
    for round in rounds {
        match round {
            Round::Reopened => {
                store.close().await;
                store = place.open().await;
            }
            Round::Happens(all) => {
                let runs = store.list_runs(project).await.unwrap();
                let all = all.into_iter().map(async |(what, patience)| {
                    let mut happens = Box::pin(happen(&store, &user, project, &runs, what));
                    let Some(polls) = patience else {
                        return happens.await;
                    };
                    for _ in 0..polls {
                        if (&mut happens).now_or_never().is_some() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                });
                join_all(all).await;
            }
        }
        // What was given up may still be on its way, whole.
        let mut looks = 0;
        while let Some(fault) = fault(&store, &user, project).await {
            looks += 1;
            assert!(looks < 200, "{fault}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    store.close().await;
}

/// Plays this many games.
fn play_many(place: &Place, cases: u32, runtime: &tokio::runtime::Runtime) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let played = runner.run(&rounds(), |rounds| {
        runtime.block_on(play(place, rounds));
        Ok(())
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(why, rounds)) => panic!("{why}: {rounds:#?}"),
        Err(error) => panic!("{error}"),
    }
}

/// Of a hundred concurrent prompts, exactly the paid ones are served.
async fn compete(place: &Place) {
    let store = place.open().await;
    let user = account(&store).await;
    let prompt = NewPrompt::new("Build").unwrap();
    let all = (0..100).map(|_| store.create_project(&user, &prompt, None, "Build"));
    let mut served = 0;
    for made in join_all(all).await {
        match made {
            Ok(_) => served += 1,
            Err(StoreError::OutOfCredits(credits)) => assert_eq!(credits.left, 0),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((served, left(&store, &user).await), (6, 0));
    // What was refused left nothing behind.
    assert_eq!(store.list_projects(&user).await.unwrap().len(), 6);
    set_plan(&store, &user, Plan::Pro).await.unwrap();
    assert_eq!(left(&store, &user).await, 6);
    set_plan(&store, &user, Plan::Free).await.unwrap();
    assert_eq!(left(&store, &user).await, 0);
    // The period's end fills up what is missing, and no more than that.
    let later = store
        .clone()
        .charging(Some(CreditRules { days: 0, ..RULES }));
    for _ in 0..3 {
        let made = later.create_project(&user, &prompt, None, "Build").await;
        assert!(made.is_ok());
        assert_eq!(
            (left(&later, &user).await, left(&store, &user).await),
            (6, 5)
        );
    }
    // A subscription gives the plan, once, and takes it when all of them have ended.
    for (customer, subscribed, more) in [
        ("cus_1", true, 6),
        ("cus_1", true, 6),
        ("cus_2", true, 6),
        ("cus_1", false, 6),
        ("cus_2", false, 0),
    ] {
        let set = store.set_subscribed(customer, Some(user.clone()), subscribed);
        set.await.unwrap();
        assert_eq!(left(&store, &user).await, 5 + more, "{customer}");
    }
    let nobody = store.set_subscribed("cus_3", None, true).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))));
    store.delete_user(&user).await.unwrap();
    assert!(
        store
            .list_credit_entries(&user, 9)
            .await
            .unwrap()
            .is_empty()
    );
    store.close().await;
}

#[test]
fn on_sqlite_no_credit_is_lost_or_made() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("a.db"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(compete(&place));
    play_many(&place, 40, &runtime);
}

#[test]
fn on_postgresql_no_credit_is_lost_or_made() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let postgres = runtime.block_on(Postgres::start());
    let place = Place::Url(postgres.url.clone());
    runtime.block_on(compete(&place));
    play_many(&place, 40, &runtime);
}
