//! The client of all services that have our sandboxes: E2B's cloud, a single host, or the hosts of
//! `SANDBOX_HOSTS`. Of several, a new sandbox goes to the one with the best rank (`host`), and an
//! existing one is found by what this process knows, by what is recorded, or by asking each.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use reqwest::Method;

use super::{Host, HostStatus, Sandbox, SandboxError, Service, address, control::Listed, error};
use crate::{config, protocol::SandboxUse};

/// The time between two looks at each host.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How many hosts are asked again before a new sandbox is placed, so that this costs as much with
/// hundreds as with three.
const CANDIDATES: usize = 3;
/// How many sandboxes' hosts are remembered; then they are looked up again.
const MAX_KNOWN: usize = 20_000;

/// Looks up the recorded host of a sandbox.
pub type RecordedHost = Arc<dyn Fn(String) -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// Creates and finds sandboxes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    hosts: Arc<Hosts>,
}

struct Hosts {
    services: Vec<Arc<Service>>,
    /// Whose sandbox it is, by id, as far as this process knows.
    known: Mutex<HashMap<String, usize>>,
    recorded: Option<RecordedHost>,
    /// One sandbox is placed at a time, so that the next one counts it.
    choosing: Mutex<()>,
}

impl fmt::Debug for Hosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Hosts")
            .field(&self.services)
            .finish()
    }
}

impl Client {
    /// Fails if TLS can't be set up, or if the settings contain an invalid address or key.
    pub fn new(settings: config::Sandbox) -> Result<Self, SandboxError> {
        Self::with_records(settings, None)
    }

    /// A client that looks up where the sandboxes are that it doesn't know.
    pub fn with_records(
        settings: config::Sandbox,
        recorded: Option<RecordedHost>,
    ) -> Result<Self, SandboxError> {
        let services = if settings.hosts.is_empty() {
            vec![Arc::new(Service::new(&settings)?)]
        } else {
            let hosts = settings.hosts.iter();
            let hosts = hosts.map(|host| Service::of_host(&settings, host).map(Arc::new));
            hosts.collect::<Result<_, _>>()?
        };
        let hosts = Arc::new(Hosts {
            services,
            known: Mutex::default(),
            recorded,
            choosing: Mutex::default(),
        });
        if !settings.hosts.is_empty() {
            tokio::spawn(keep_probing(Arc::downgrade(&hosts)));
        }
        Ok(Self { hosts })
    }

    /// Creates a sandbox that stays awake for `timeout`; `metadata` shows in the service's lists.
    /// `Refused` if there is no such template.
    #[tracing::instrument(skip_all)]
    pub async fn create(
        &self,
        timeout: Duration,
        metadata: &HashMap<&'static str, String>,
    ) -> Result<Sandbox, SandboxError> {
        let services = &self.hosts.services;
        if let Some(only) = self.only() {
            return only.create(timeout, metadata).await;
        }
        let candidates = self.candidates().into_iter();
        join_all(candidates.map(|index| services[index].probe())).await;
        let mut refusals: Vec<(usize, String)> = Vec::new();
        loop {
            let tried: Vec<usize> = refusals.iter().map(|(index, _)| *index).collect();
            let (best, placing) = {
                let _one_at_a_time = self.hosts.choosing.lock();
                let Some(best) = self.best(&tried, &mut refusals) else {
                    break;
                };
                (best, services[best].host.as_ref().map(Host::place))
            };
            let created = services[best].create(timeout, metadata).await;
            drop(placing);
            match created {
                Ok(sandbox) => {
                    self.hosts.learn(sandbox.id(), best);
                    return Ok(sandbox);
                }
                Err(error) => {
                    let name = services[best].host.as_ref().map_or("", Host::name);
                    tracing::warn!(host = name, %error, "the sandbox host took no new sandbox");
                    refusals.push((best, format!("{name} says: {error}")));
                }
            }
        }
        let reasons: Vec<String> = refusals.into_iter().map(|(_, why)| why).collect();
        Err(SandboxError::Unavailable(format!(
            "no host of SANDBOX_HOSTS takes a new one: {}",
            reasons.join("; ")
        )))
    }

    /// The hosts to ask before a sandbox is placed: those that seem best by what is known of them,
    /// or all while none is fit. A silent one would keep the sandbox waiting.
    fn candidates(&self) -> Vec<usize> {
        let services = self.hosts.services.iter().enumerate();
        let ranked = services.filter_map(|(index, service)| {
            let host = service.host.as_ref()?;
            let rank = host.rank(&service.template, &service.domain).ok()?;
            Some((rank, index))
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by(|(one, _), (other, _)| other.cmp(one));
        ranked.truncate(CANDIDATES);
        match ranked.is_empty() {
            true => (0..self.hosts.services.len()).collect(),
            false => ranked.into_iter().map(|(_, index)| index).collect(),
        }
    }

    /// The host with the highest rank, except those tried. Without one, says why of each.
    fn best(&self, tried: &[usize], refusals: &mut Vec<(usize, String)>) -> Option<usize> {
        let mut ranked = Vec::new();
        let mut unfit = Vec::new();
        for (index, service) in self.hosts.services.iter().enumerate() {
            let Some(host) = service.host.as_ref().filter(|_| !tried.contains(&index)) else {
                continue;
            };
            match host.rank(&service.template, &service.domain) {
                Ok(rank) => ranked.push((rank, index)),
                Err(why) => unfit.push((index, why)),
            }
        }
        // The first one of equals, in the order of the setting.
        let best = ranked
            .into_iter()
            .rev()
            .max_by(|(one, _), (other, _)| one.cmp(other));
        if best.is_none() {
            refusals.extend(unfit);
        }
        best.map(|(_, index)| index)
    }

    /// The sandbox, awake for at least `timeout` more; a paused one is resumed. `NotFound` if it is
    /// gone, or if its host is lost: a host that does not answer is waited for until then.
    #[tracing::instrument(skip_all, fields(sandbox.id = id))]
    pub async fn connect(&self, id: &str, timeout: Duration) -> Result<Sandbox, SandboxError> {
        if !address::is_id(id) {
            return Err(SandboxError::NotFound);
        }
        let service = self.locate(id).await?;
        let connected = service.reach(|| service.connect(id, timeout)).await;
        if matches!(connected, Err(SandboxError::NotFound)) {
            self.hosts.known.lock().remove(id);
        }
        connected?.ok_or(SandboxError::NotFound)
    }

    /// Whether the sandbox is awake; `None` if it is gone, or if its host is lost. Does not wake
    /// it.
    #[tracing::instrument(skip_all, fields(sandbox.id = id))]
    pub async fn is_awake(&self, id: &str) -> Result<Option<bool>, SandboxError> {
        if !address::is_id(id) {
            return Ok(None);
        }
        match self.locate(id).await {
            Ok(service) if service.is_lost() => Ok(None),
            Ok(service) => service.is_awake(id).await,
            Err(SandboxError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All sandboxes that the keys can see, running and paused. Of several hosts, those that don't
    /// answer are left out.
    #[tracing::instrument(name = "list_sandboxes", skip_all)]
    pub async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        if let Some(only) = self.only() {
            return only.list().await;
        }
        let services = self.hosts.services.iter().enumerate();
        let answering =
            services.filter(|(_, service)| service.host.as_ref().is_some_and(Host::answers));
        let lists = answering.map(async |(index, service)| (index, service.list().await));
        let (mut listed, mut failed) = (Vec::new(), None);
        for (index, list) in join_all(lists).await {
            match list {
                Ok(list) => {
                    list.iter()
                        .for_each(|sandbox| self.hosts.learn(&sandbox.id, index));
                    listed.extend(list);
                }
                Err(error) => {
                    tracing::warn!(%error, "a sandbox host's sandboxes can't be listed");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if listed.is_empty() => Err(error),
            _ => Ok(listed),
        }
    }

    /// What these sandboxes used a moment ago, where it was measured.
    #[tracing::instrument(name = "measure_sandboxes", skip_all)]
    pub async fn measure(&self, ids: &[&str]) -> Result<HashMap<String, SandboxUse>, SandboxError> {
        if let Some(only) = self.only() {
            return only.measure(ids).await;
        }
        let services = &self.hosts.services;
        let mut by_host = vec![Vec::new(); services.len()];
        {
            let known = self.hosts.known.lock();
            for id in ids {
                if let Some(index) = known.get(*id) {
                    by_host[*index].push(*id);
                }
            }
        }
        let mut measured = HashMap::new();
        for (service, ids) in services.iter().zip(by_host) {
            measured.extend(service.measure(&ids).await?);
        }
        Ok(measured)
    }

    /// Kills the sandbox, running or paused. One that is already gone is no error, and neither is
    /// one whose host is lost: the sweep finds it when the host is back.
    #[tracing::instrument(skip_all, fields(sandbox.id = id))]
    pub async fn kill(&self, id: &str) -> Result<(), SandboxError> {
        if !address::is_id(id) {
            return Ok(());
        }
        match self.locate(id).await {
            Ok(service) if service.is_lost() => Ok(()),
            Ok(service) => service.kill(id).await,
            Err(SandboxError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where to send a request for a preview of the sandbox, as `host:port`; `None` if no host has
    /// it.
    pub async fn server_of(&self, id: &str) -> Result<Option<String>, SandboxError> {
        if !address::is_id(id) {
            return Ok(None);
        }
        match self.locate(id).await {
            Ok(service) => address::server(&service.data_plane).map(Some),
            Err(SandboxError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the sandbox's host wants to be rid of it.
    pub async fn is_draining(&self, id: &str) -> bool {
        if self.only().is_some() {
            return false;
        }
        let located = self.locate(id).await;
        located.is_ok_and(|service| service.host.as_ref().is_some_and(Host::is_draining))
    }

    /// Whether the sandbox's host counts as lost.
    pub async fn is_host_lost(&self, id: &str) -> bool {
        if self.only().is_some() {
            return false;
        }
        let located = self.locate(id).await;
        located.is_ok_and(|service| service.is_lost())
    }

    /// The hosts of `SANDBOX_HOSTS`, as last seen.
    pub fn hosts(&self) -> Vec<HostStatus> {
        let hosts = self.hosts.services.iter();
        hosts
            .filter_map(|service| Some(service.host.as_ref()?.status()))
            .collect()
    }

    /// Begins or ends the draining of the only host.
    pub async fn drain(&self, is_wanted: bool) -> Result<(), SandboxError> {
        let Some(only) = self.hosts.services.first() else {
            return Ok(());
        };
        let method = if is_wanted {
            Method::PUT
        } else {
            Method::DELETE
        };
        let url = address::join(&only.control_plane, "/host/drain")?;
        let response = only.control(method, url).send().await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(match error::of(response, error::Subject::Template).await {
            SandboxError::Unauthenticated(_) => SandboxError::Refused(
                "it refuses the key; set SANDBOX_HOST_KEY to the running host's".to_owned(),
            ),
            error => error,
        })
    }

    /// The only service, unless hosts are listed.
    fn only(&self) -> Option<&Arc<Service>> {
        let first = self.hosts.services.first();
        first.filter(|service| service.host.is_none())
    }

    /// The service that has the sandbox. `NotFound` if none has it; `Unavailable` if it may be on a
    /// host that does not answer.
    async fn locate(&self, id: &str) -> Result<Arc<Service>, SandboxError> {
        if let Some(only) = self.only() {
            return Ok(only.clone());
        }
        let services = &self.hosts.services;
        let known = self.hosts.known.lock().get(id).copied();
        if let Some(index) = known {
            return Ok(services[index].clone());
        }
        if let Some(recorded) = &self.hosts.recorded
            && let Some(name) = recorded(id.to_owned()).await
        {
            let is_it = |service: &Arc<Service>| {
                service
                    .host
                    .as_ref()
                    .is_some_and(|host| host.name() == name)
            };
            if let Some(index) = services.iter().position(is_it) {
                self.hosts.learn(id, index);
                return Ok(services[index].clone());
            }
        }
        let asked = services.iter().map(async |service| {
            if service.is_lost() {
                return Ok(None);
            }
            service.is_awake(id).await
        });
        let mut silent = None;
        for (index, answer) in join_all(asked).await.into_iter().enumerate() {
            match answer {
                Ok(Some(_)) => {
                    self.hosts.learn(id, index);
                    return Ok(services[index].clone());
                }
                Ok(None) => {}
                Err(error) => silent = Some(error),
            }
        }
        Err(silent.unwrap_or(SandboxError::NotFound))
    }
}

impl Hosts {
    fn learn(&self, id: &str, index: usize) {
        let mut known = self.known.lock();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(id.to_owned(), index);
    }
}

impl Service {
    fn is_lost(&self) -> bool {
        self.host.as_ref().is_some_and(Host::is_lost)
    }
}

/// Asks each host again and again, as long as the client is there.
async fn keep_probing(hosts: Weak<Hosts>) {
    while let Some(hosts) = hosts.upgrade() {
        join_all(hosts.services.iter().map(|service| service.probe())).await;
        drop(hosts);
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}
