//! What was asked of the cluster, and whether all of it was done, once, and in one place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use codeflow::protocol::ProjectId;
use sea_orm::QueryResult;

use super::{
    cluster::Cluster,
    load::Load,
    model::{mark, page},
};

/// The builds of a project, the first one by which it is known.
struct Asked {
    project: ProjectId,
    /// The server that created it.
    node: usize,
    builds: Vec<u64>,
    /// A server or a host that worked on it was lost: a command may have been cut off, and its
    /// effect be there once, twice or not at all.
    interrupted: bool,
}

#[derive(Default)]
pub struct Ledger {
    /// By the number of the first build.
    all: BTreeMap<u64, Asked>,
    builds: usize,
    /// The projects whose runs were the killed server's.
    of_killed: Vec<String>,
}

impl Ledger {
    /// The first builds, of all projects.
    pub fn firsts(&self) -> impl Iterator<Item = u64> {
        self.all.keys().copied()
    }

    /// How many builds there are.
    pub fn len(&self) -> usize {
        self.builds
    }

    pub fn project(&self, first: u64) -> ProjectId {
        self.all[&first].project
    }

    pub fn created(&mut self, build: u64, project: ProjectId, node: usize) {
        self.builds += 1;
        let asked = Asked {
            project,
            node,
            builds: vec![build],
            interrupted: false,
        };
        self.all.insert(build, asked);
    }

    pub fn changed(&mut self, first: u64, build: u64) {
        self.builds += 1;
        self.all.get_mut(&first).unwrap().builds.push(build);
    }

    /// Notes that the work on these projects was interrupted. Returns how many there are.
    pub fn interrupt(&mut self, projects: &[QueryResult]) -> usize {
        let ids = ids(projects);
        for asked in self.all.values_mut() {
            asked.interrupted |= ids.contains(&asked.project.to_string());
        }
        ids.len()
    }

    /// Notes the unfinished projects of the server with this number. Returns how many there are.
    pub fn note_killed(&mut self, node: usize, unfinished: &[QueryResult]) -> usize {
        let ids = ids(unfinished);
        let its = self.all.values().filter(|asked| asked.node == node);
        let its = its.map(|asked| asked.project.to_string());
        self.of_killed = its.filter(|id| ids.contains(id)).collect();
        self.of_killed.len()
    }

    /// The condition for runs that were the killed server's.
    pub fn of_killed(&self) -> String {
        match self.of_killed.is_empty() {
            true => "FALSE".to_owned(),
            false => format!("project_id::TEXT IN ('{}')", self.of_killed.join("','")),
        }
    }

    /// The first builds of those projects.
    pub fn those(&self, projects: &BTreeSet<String>) -> BTreeSet<u64> {
        let those = self.all.iter();
        let those = those.filter(|(_, asked)| projects.contains(&asked.project.to_string()));
        those.map(|(first, _)| *first).collect()
    }

    /// Panics if anything was lost, done twice, or done for a project in two sandboxes.
    pub async fn check(&self, cluster: &Cluster, load: &Load) {
        let mut wrong = Vec::new();
        self.check_runs(load, &mut wrong).await;
        let strays = self.check_sandboxes(cluster, load, &mut wrong).await;
        let (mut repeated, mut cut_off) = (0, 0);
        for asked in self.all.values() {
            for build in &asked.builds {
                let marks = cluster.hosts.iter();
                let marks = marks.filter_map(|host| host.state().marks.get(&mark(*build)).copied());
                match (marks.sum::<usize>(), asked.interrupted) {
                    (1, _) => {}
                    (0, true) => cut_off += 1,
                    (_, true) => repeated += 1,
                    (times, false) => {
                        wrong.push(format!("the command of build {build} ran {times} times"));
                    }
                }
            }
        }
        let interrupted = self.all.values().filter(|asked| asked.interrupted).count();
        println!(
            "{} runs of {} projects are checked: of {interrupted} interrupted ones {repeated} \
             repeated their command, {cut_off} never ran it, and {strays} left a sandbox for the \
             sweep",
            self.builds,
            self.all.len()
        );
        for line in wrong.iter().take(20) {
            println!("WRONG: {line}");
        }
        assert!(wrong.is_empty(), "{} things are wrong", wrong.len());
    }

    /// Each build has one run, which succeeded, and one result.
    async fn check_runs(&self, load: &Load, wrong: &mut Vec<String>) {
        let runs = "SELECT project_id::TEXT, count(*), \
             count(*) FILTER (WHERE state = 'succeeded') FROM runs GROUP BY 1";
        let results = "SELECT project_id::TEXT, count(*), count(*) FROM messages \
             WHERE kind = 'result' GROUP BY 1";
        let counts = |rows: Vec<QueryResult>| -> HashMap<String, (i64, i64)> {
            let rows = rows.into_iter().map(|row| {
                let count = |at| row.try_get_by_index(at).unwrap();
                (row.try_get_by_index(0).unwrap(), (count(1), count(2)))
            });
            rows.collect()
        };
        let (runs, results) = (
            counts(load.rows(runs).await),
            counts(load.rows(results).await),
        );
        for asked in self.all.values() {
            let id = asked.project.to_string();
            let count = i64::try_from(asked.builds.len()).unwrap();
            if runs.get(&id) != Some(&(count, count)) {
                wrong.push(format!(
                    "{id}: of {count} runs {:?} succeeded",
                    runs.get(&id)
                ));
            }
            if results.get(&id) != Some(&(count, count)) {
                wrong.push(format!("{id}: {:?} results of {count}", results.get(&id)));
            }
        }
    }

    /// Each project has one sandbox, which has its latest page and each command's mark once.
    /// Returns how many others there are of interrupted projects.
    async fn check_sandboxes(
        &self,
        cluster: &Cluster,
        load: &Load,
        wrong: &mut Vec<String>,
    ) -> usize {
        let noted = "SELECT id::TEXT, sandbox FROM projects";
        let noted: HashMap<String, Option<String>> = load
            .rows(noted)
            .await
            .into_iter()
            .map(|row| {
                (
                    row.try_get_by_index(0).unwrap(),
                    row.try_get_by_index(1).unwrap(),
                )
            })
            .collect();
        // By project: each sandbox with its page and its log.
        let mut found: HashMap<String, Vec<(String, String, String)>> = HashMap::new();
        for host in cluster.hosts.iter().filter(|host| !host.is_lost()) {
            for (id, sandbox) in &host.state().sandboxes {
                let text = |name: &str| {
                    let file = sandbox.files.get(&format!("/home/user/{name}"));
                    let file = file.map(|file| String::from_utf8_lossy(file).into_owned());
                    file.unwrap_or_default()
                };
                let one = (id.clone(), text("app/page.tsx"), text("log.txt"));
                found.entry(sandbox.project.clone()).or_default().push(one);
            }
        }
        // Those on a lost host are made again when somebody needs them.
        let lost: BTreeSet<String> = load
            .rows("SELECT id::TEXT, coalesce(sandbox_host, '') FROM projects")
            .await
            .into_iter()
            .filter(|row| {
                let host: String = row.try_get_by_index(1).unwrap();
                let mut hosts = cluster.hosts.iter();
                hosts.any(|one| one.is_lost() && one.url == host)
            })
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect();
        let mut strays = 0;
        for asked in self.all.values() {
            let id = asked.project.to_string();
            let sandboxes = found.remove(&id).unwrap_or_default();
            let own = noted.get(&id).cloned().flatten();
            let others = sandboxes.iter().filter(|one| Some(&one.0) != own.as_ref());
            match (others.count(), asked.interrupted) {
                (0, _) => {}
                (count, true) => strays += count,
                (count, false) => wrong.push(format!("{id} has {count} sandboxes besides its own")),
            }
            if lost.contains(&id) {
                continue;
            }
            let Some((_, shown, log)) = sandboxes.iter().find(|one| Some(&one.0) == own.as_ref())
            else {
                wrong.push(format!("{id}: its sandbox {own:?} is nowhere"));
                continue;
            };
            if *shown != page(*asked.builds.last().unwrap()) {
                wrong.push(format!("{id}: its page is not that of its last build"));
            }
            for build in asked.builds.iter().filter(|_| !asked.interrupted) {
                if log.matches(&mark(*build)).count() != 1 {
                    wrong.push(format!("{id}: the mark of build {build} is not there once"));
                }
            }
        }
        strays
    }
}

fn ids(rows: &[QueryResult]) -> BTreeSet<String> {
    let ids = rows.iter().map(|row| row.try_get_by_index(0).unwrap());
    ids.collect()
}
