//! Plays all journeys of an app, one after the other, once its pages are sound.

use std::time::{Duration, Instant};

use super::{End, Failure, Journey, MAX_JOURNEYS, play::play, read};
use crate::{
    agent::{
        Agent, App, RunError,
        check::{
            browser::Browser,
            launch::BrowserError,
            picture,
            report::{Problem, ProblemKind, Report, VerifiedJourney, unfinished},
            request::{READY, answered},
        },
    },
    protocol::{JOURNEYS, is_journey},
    sandbox::PageAddress,
};

/// No further journey starts after this long.
const ENOUGH: Duration = Duration::from_secs(120);
/// How many times a journey is played if its browser crashes.
const ATTEMPTS: usize = 2;
/// How many passed journeys get a picture of their end.
const MAX_PICTURES: usize = 5;

/// The answer to a request to play anything else.
const NO_JOURNEY: &str = "There is no such journey: they are the files tests/journeys/<name>.json.";

/// The outcome of a journey that somebody played.
#[derive(Debug)]
pub struct JourneyOutcome {
    pub title: String,
    /// Which step failed and why, for people; `None` if it passed.
    pub failure: Option<String>,
    /// The page at its end: a small JPEG.
    pub picture: Option<Vec<u8>>,
}

impl Agent {
    /// Plays the journeys among these files of the app, and adds the failed and passed ones to the
    /// report. Does nothing if there are none.
    pub(in crate::agent::check) async fn play_journeys(
        &self,
        app: &App,
        files: &[String],
        report: &mut Report,
    ) -> Result<(), RunError> {
        let mut files: Vec<String> = files
            .iter()
            .filter(|path| is_journey(path))
            .cloned()
            .collect();
        if files.is_empty() {
            return Ok(());
        }
        if files.len() > MAX_JOURNEYS {
            let text = format!(
                "The app has {} journeys, and at most {MAX_JOURNEYS} are played. Make one of those \
                 that belong together.",
                files.len()
            );
            report
                .problems
                .push(Problem::new(ProblemKind::JourneyFile, JOURNEYS, text));
            files.truncate(MAX_JOURNEYS);
        }
        let mut journeys = Vec::new();
        for (file, content) in app.read_files(files).await? {
            match read::read(&file, &content) {
                Ok(journey) => journeys.push(journey),
                Err(mistake) => {
                    report
                        .problems
                        .push(Problem::new(ProblemKind::JourneyFile, file, mistake))
                }
            }
        }
        let permit = self.browsers.permit().await?;
        if permit.is_none() || !self.browsers.is_proven() {
            report
                .notes
                .push("no browser was there to play the app's journeys in".to_owned());
            return Ok(());
        }
        let begun = Instant::now();
        let mut stage = Stage {
            agent: self,
            address: app.page_address()?,
            browser: None,
        };
        for journey in &journeys {
            let text = if begun.elapsed() < ENOUGH {
                let shows_end = report.journeys.len() < MAX_PICTURES;
                let End { failure, picture } = stage.play(journey, shows_end).await?;
                let Some(failure) = failure else {
                    let title = journey.title.clone();
                    report.journeys.push(VerifiedJourney { title, picture });
                    continue;
                };
                failure.for_model(journey)
            } else {
                format!(
                    "“{}” was not played: those before it took too long. Make them shorter, or the \
                     app faster.",
                    journey.title
                )
            };
            report.problems.push(Problem::new(
                ProblemKind::Journey,
                journey.file.clone(),
                text,
            ));
        }
        stage.end().await;
        Ok(())
    }

    /// Plays one journey of the running app for somebody who wants to see it. `Err(User)` says why
    /// that is impossible.
    pub async fn play_journey(&self, app: &App, file: &str) -> Result<JourneyOutcome, RunError> {
        let refuse = |why: &str| RunError::User(why.to_owned());
        if !is_journey(file) {
            return Err(refuse(NO_JOURNEY));
        }
        let read = app.read_files(vec![file.to_owned()]).await?;
        let (_, content) = read.first().ok_or_else(|| refuse(NO_JOURNEY))?;
        let journey = match read::read(file, content) {
            Ok(journey) => journey,
            Err(mistake) => {
                return Ok(JourneyOutcome {
                    title: file.to_owned(),
                    failure: Some(mistake),
                    picture: None,
                });
            }
        };
        if answered(app, "/", READY).await?.is_none() {
            return Err(refuse(
                "The app does not answer. Look at its preview, and run the journey when it works.",
            ));
        }
        let Ok(permit) = self.browsers.permit().await else {
            return Err(refuse(
                "The server is busy with checks of other apps. Try again in a moment.",
            ));
        };
        if permit.is_none() {
            return Err(refuse(
                "This server has no browser to run journeys in. Install Chromium on it, or set \
                 CHROMIUM_PATH.",
            ));
        }
        let mut stage = Stage {
            agent: self,
            address: app.page_address()?,
            browser: None,
        };
        let played = stage.play(&journey, true).await;
        stage.end().await;
        let End { failure, picture } = played.map_err(|error| {
            tracing::warn!(sandbox.id = app.id(), %error, "a journey could not be played");
            refuse("The server's browser fails, so the journey was not run. Try again.")
        })?;
        Ok(JourneyOutcome {
            failure: failure.map(|failure| failure.for_people(&journey)),
            title: journey.title,
            picture,
        })
    }
}

/// The browser that plays journeys, restarted if one crashes it.
struct Stage<'a> {
    agent: &'a Agent,
    address: PageAddress,
    browser: Option<Browser>,
}

impl Stage<'_> {
    /// How the journey ended, with a picture where it `shows_end`.
    async fn play(&mut self, journey: &Journey, shows_end: bool) -> Result<End, RunError> {
        let mut failure = BrowserError::Silent;
        for _ in 0..ATTEMPTS {
            let fresh = match self.browser.take() {
                Some(mut browser) => browser.renew().await.map(|()| browser),
                None => Browser::start(self.agent.browsers.settings(), &self.address).await,
            };
            let mut browser = match fresh {
                Ok(browser) => browser,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let played = play(&mut browser, &self.address, journey).await;
            if browser.ran_out_of_memory() && !matches!(played, Ok(None)) {
                browser.stop().await;
                let mb = self.agent.browsers.settings().memory_mb;
                return Ok(End::failed(format!(
                    "“{}” made the page use more than {mb} MB of memory.",
                    journey.title
                )));
            }
            match played {
                Ok(failure) => {
                    let picture = if shows_end {
                        look(&mut browser).await
                    } else {
                        None
                    };
                    self.browser = Some(browser);
                    return Ok(End { failure, picture });
                }
                Err(error) => {
                    browser.stop().await;
                    failure = error;
                }
            }
        }
        if matches!(failure, BrowserError::Unusable(_)) {
            return Err(unfinished(&format!(
                "The app's journeys could not be played: the browser fails ({failure})."
            )));
        }
        Ok(End::failed(format!(
            "The browser fails each time it plays “{}”: {failure}.",
            journey.title
        )))
    }

    async fn end(self) {
        if let Some(browser) = self.browser {
            browser.stop().await;
        }
    }
}

impl End {
    fn failed(why: String) -> Self {
        Self {
            failure: Some(Failure::Browser(why)),
            picture: None,
        }
    }
}

/// The page as a small JPEG; `None` if no picture can be taken any more.
async fn look(browser: &mut Browser) -> Option<Vec<u8>> {
    let shot = browser.screenshot().await.ok()?;
    let small = tokio::task::spawn_blocking(move || picture::small(&shot));
    small.await.ok()?
}
