//! Plays all journeys of an app, one after the other, once its pages are sound.

use std::time::{Duration, Instant};

use super::{FOLDER, Journey, MAX_JOURNEYS, is_journey, play::play, read};
use crate::{
    agent::{
        Agent, App, RunError,
        check::{
            browser::Browser,
            launch::BrowserError,
            report::{Problem, ProblemKind, Report, unfinished},
        },
    },
    sandbox::PageAddress,
};

/// After this long no further journey is begun.
const ENOUGH: Duration = Duration::from_secs(120);
/// How many times a journey is played if its browser crashes.
const ATTEMPTS: usize = 2;

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
                .push(Problem::new(ProblemKind::JourneyFile, FOLDER, text));
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
            let failure = if begun.elapsed() < ENOUGH {
                stage.play(journey).await?
            } else {
                Some(format!(
                    "“{}” was not played: those before it took too long. Make them shorter, or the \
                     app faster.",
                    journey.title
                ))
            };
            match failure {
                None => report.journeys.push(journey.title.clone()),
                Some(text) => report.problems.push(Problem::new(
                    ProblemKind::Journey,
                    journey.file.clone(),
                    text,
                )),
            }
        }
        if let Some(browser) = stage.browser {
            browser.stop().await;
        }
        Ok(())
    }
}

/// The browser that plays journeys, restarted if one crashes it.
struct Stage<'a> {
    agent: &'a Agent,
    address: PageAddress,
    browser: Option<Browser>,
}

impl Stage<'_> {
    /// Why the journey failed; `None` when it passed.
    async fn play(&mut self, journey: &Journey) -> Result<Option<String>, RunError> {
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
            if browser.ran_out_of_memory() && !matches!(played, Ok(Ok(()))) {
                browser.stop().await;
                let mb = self.agent.browsers.settings().memory_mb;
                return Ok(Some(format!(
                    "“{}” made the page use more than {mb} MB of memory.",
                    journey.title
                )));
            }
            match played {
                Ok(played) => {
                    self.browser = Some(browser);
                    return Ok(played.err());
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
        Ok(Some(format!(
            "The browser fails each time it plays “{}”: {failure}.",
            journey.title
        )))
    }
}
