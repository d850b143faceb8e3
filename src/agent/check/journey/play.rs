//! Plays one journey in the browser. Each step waits for its condition, but no longer than a
//! visitor would; anything the page throws meanwhile fails the journey.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Action, Failure, Journey, Target, Theme, input,
    input::Point,
    roles,
    screen::{self, Found},
};
use crate::{
    agent::check::{
        activity::{PageActivity, STALLED},
        browser::Browser,
        content,
        launch::BrowserError,
        patience::Patience,
    },
    protocol::first_chars,
    sandbox::PageAddress,
};

/// How long a step waits for its condition, on a machine that is not busy.
const STEP: Duration = Duration::from_secs(4);
/// The time between two looks at the page.
const LOOK_AGAIN: Duration = Duration::from_millis(80);
/// A page is ready to be used when it has loaded and nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(250);
/// Something that must be absent has to stay absent this long; a theme has to last this long.
const STAYS: Duration = Duration::from_millis(250);
/// Requests that take longer than this after an action are not waited for.
const BUSY: Duration = Duration::from_secs(10);
/// No further step starts after this long.
const MAX_DURATION: Duration = Duration::from_secs(60);
/// How many errors of the page are quoted, and how much of each, in characters.
const MAX_ERRORS: usize = 3;
const MAX_ERROR: usize = 600;

/// Resolves when the page has nothing left to do, such as making its elements respond.
const IDLE: &str =
    "new Promise((done) => requestIdleCallback(() => done(true), { timeout: 2000 }))";
const HANGS: &str = "the page hangs: it answers nothing any more";

/// What a name without a role stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An element that can be used, or else any element with the name.
    Any,
    /// A field that can be written into.
    Field,
    /// A field with options.
    List,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "element to use",
            Self::Field => "field",
            Self::List => "list of options",
        }
    }

    fn has(self, role: &str) -> bool {
        match self {
            Self::Any => roles::is_usable(role),
            Self::Field => roles::is_field(role),
            Self::List => matches!(role, "combobox" | "listbox" | "button"),
        }
    }
}

/// What a step led to; the error says why it failed.
type Played<T = ()> = Result<Result<T, String>, BrowserError>;

/// Plays the journey as a new visitor; returns why it failed. `Err` when the
/// browser fails.
pub async fn play(
    browser: &mut Browser,
    address: &PageAddress,
    journey: &Journey,
) -> Result<Option<Failure>, BrowserError> {
    let mut player = Player {
        browser,
        address,
        activity: PageActivity::default(),
        frame: Value::Null,
        acted: Instant::now(),
        errors: Vec::new(),
    };
    player.begin().await?;
    let begun = Instant::now();
    for (number, step) in (1..).zip(&journey.steps) {
        let why = match player.perform(&step.action).await {
            Ok(Ok(())) if begun.elapsed() < MAX_DURATION => continue,
            Ok(Ok(())) => format!(
                "the journey takes more than {} seconds; make it shorter, or the app faster",
                MAX_DURATION.as_secs()
            ),
            Ok(Err(why)) => why,
            Err(BrowserError::Silent) => HANGS.to_owned(),
            Err(BrowserError::Failed(why)) => why,
            Err(error) => return Err(error),
        };
        let why = format!("{why}.{}", player.thrown());
        return Ok(Some(Failure::Step { number, why }));
    }
    let thrown = player.thrown();
    Ok((!thrown.is_empty()).then_some(Failure::Thrown(thrown)))
}

struct Player<'a> {
    browser: &'a mut Browser,
    address: &'a PageAddress,
    /// Of the page that was opened last.
    activity: PageActivity,
    /// The page's own frame.
    frame: Value,
    /// When the visitor last did something.
    acted: Instant,
    /// The errors of the earlier pages.
    errors: Vec<String>,
}

impl Player<'_> {
    async fn begin(&mut self) -> Result<(), BrowserError> {
        // Keys go to the focused page, but a window without a screen never gets the focus.
        let focus = json!({ "enabled": true });
        self.browser
            .ask("Emulation.setFocusEmulationEnabled", focus)
            .await?;
        self.browser.ask("Accessibility.enable", json!({})).await?;
        Ok(())
    }

    async fn perform(&mut self, action: &Action) -> Played {
        if !action.is_look() {
            self.acted = Instant::now();
            self.activity.may_load();
        }
        match action {
            Action::Open(path) => match self.address.page(path) {
                Ok(url) => {
                    let url = url.as_str();
                    self.load("Page.navigate", json!({ "url": url })).await
                }
                Err(error) => Ok(Err(error.to_string())),
            },
            Action::Reload => self.load("Page.reload", json!({})).await,
            Action::Press(stroke) => {
                input::press(self.browser, stroke).await?;
                self.settle().await.map(Ok)
            }
            Action::Click(target) => self.click(target).await,
            Action::Type { text, field } => {
                let (found, point) = match self.reach(field, Kind::Field).await? {
                    Ok(reached) => reached,
                    Err(why) => return Ok(Err(why)),
                };
                input::click(self.browser, point).await?;
                let written = input::write(self.browser, &found, text).await?;
                self.settle().await?;
                Ok(written)
            }
            Action::Select { option, field } => self.select(option, field).await,
            Action::See(_) | Action::NotSee(_) | Action::Theme(_) => self.look(action).await,
        }
    }

    async fn load(&mut self, method: &str, params: Value) -> Played {
        self.activity.listen(self.browser, Instant::now()).await?;
        let url = self.address.page("/").map_err(failed)?;
        let before = std::mem::replace(&mut self.activity, PageActivity::of(url.as_str()));
        self.errors.extend(before.into_findings().0);
        match self.browser.call(method, params, STALLED).await {
            Ok(answer) => {
                if let Some(error) = answer["errorText"].as_str() {
                    return Ok(Err(format!("the page can't be opened: {error}")));
                }
                if answer["frameId"].is_string() {
                    self.frame = answer["frameId"].clone();
                }
            }
            // It is on its way: the answer comes with the page's first bytes.
            Err(BrowserError::Silent) => {}
            Err(error) => return Err(error),
        }
        self.activity.follow(&self.frame);
        self.activity.until_it_rests(self.browser, QUIET).await?;
        if self.activity.is_lost() {
            return Ok(Err("the page could not be loaded".to_owned()));
        }
        self.settle().await?;
        self.acted = Instant::now();
        Ok(Ok(()))
    }

    async fn click(&mut self, target: &Target) -> Played {
        match self.reach(target, Kind::Any).await? {
            Ok((_, point)) => {
                input::click(self.browser, point).await?;
                self.settle().await.map(Ok)
            }
            Err(why) => Ok(Err(why)),
        }
    }

    /// An option of a `<select>`; else one of the list that opens when its field is clicked.
    async fn select(&mut self, option: &str, field: &Target) -> Played {
        let (found, point) = match self.reach(field, Kind::List).await? {
            Ok(reached) => reached,
            Err(why) => return Ok(Err(why)),
        };
        match input::choose(self.browser, &found, option).await? {
            Err(why) => Ok(Err(why)),
            Ok(true) => self.settle().await.map(Ok),
            Ok(false) => {
                input::click(self.browser, point).await?;
                self.settle().await?;
                let option = Target {
                    name: option.to_owned(),
                    role: Some("option".to_owned()),
                    number: 1,
                };
                self.click(&option).await
            }
        }
    }

    /// Waits until the element is there and can be clicked.
    async fn reach(&mut self, target: &Target, kind: Kind) -> Played<(Found, Point)> {
        let patience = self.browser.patience(STEP);
        loop {
            let why = match self.reach_now(target, kind).await {
                Ok(Ok(reached)) => return Ok(Ok(reached)),
                Ok(Err(why)) | Err(BrowserError::Failed(why)) => why,
                Err(error) => return Err(error),
            };
            if !self.may_look_again(&patience).await? {
                return Ok(Err(why));
            }
        }
    }

    async fn reach_now(&mut self, target: &Target, kind: Kind) -> Played<(Found, Point)> {
        let elements = screen::elements(self.browser).await?;
        let found = screen::find(&elements, target, kind.name(), |role| kind.has(role));
        let found = found.or_else(|why| match (kind, &target.role) {
            (Kind::Any, None) => {
                screen::find(&elements, target, "element", |_| true).map_err(|_| why)
            }
            _ => Err(why),
        });
        let found = match found {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let point = input::aim(self.browser, found).await?;
        Ok(point.map(|point| (found.clone(), point)))
    }

    /// Waits until the step sees what it should.
    async fn look(&mut self, action: &Action) -> Played {
        let patience = self.browser.patience(STEP);
        // Something that appears a moment later must not be missed.
        let stays = match action {
            Action::NotSee(_) | Action::Theme(_) => STAYS,
            _ => Duration::ZERO,
        };
        let mut since = None;
        loop {
            let why = match self.look_now(action).await {
                Ok(Ok(())) if stays.is_zero() => return Ok(Ok(())),
                Ok(Ok(())) if self.is_busy() => {
                    since = None;
                    "the page still waits for answers of the app".to_owned()
                }
                Ok(Ok(())) => {
                    if since.get_or_insert_with(Instant::now).elapsed() >= stays {
                        return Ok(Ok(()));
                    }
                    self.listen().await?;
                    continue;
                }
                Ok(Err(why)) | Err(BrowserError::Failed(why)) => {
                    since = None;
                    why
                }
                Err(error) => return Err(error),
            };
            if !self.may_look_again(&patience).await? {
                return Ok(Err(why));
            }
        }
    }

    async fn look_now(&mut self, action: &Action) -> Played {
        match action {
            Action::See(sight) => {
                let seen = screen::sees(self.browser, sight, false).await?;
                Ok(seen.map(|_| ()))
            }
            Action::NotSee(sight) => Ok(match screen::sees(self.browser, sight, true).await? {
                Ok(seen) => Err(seen),
                Err(_) => Ok(()),
            }),
            Action::Theme(wanted) => Ok(match screen::theme(self.browser).await? {
                Some(theme) if theme == *wanted => Ok(()),
                Some(Theme::Dark) => Err("most of the page is dark".to_owned()),
                Some(Theme::Light) => Err("most of the page is light".to_owned()),
                None => Err("the page could not be looked at".to_owned()),
            }),
            _ => Ok(Ok(())),
        }
    }

    /// Waits a moment; `false` if the step has run out of time.
    async fn may_look_again(&mut self, patience: &Patience) -> Result<bool, BrowserError> {
        self.listen().await?;
        Ok(!self.activity.is_lost() && (self.is_busy() || !patience.is_at_an_end()))
    }

    async fn listen(&mut self) -> Result<(), BrowserError> {
        let until = Instant::now() + LOOK_AGAIN;
        self.activity.listen(self.browser, until).await
    }

    /// Whether the page is still loading what its last step requested.
    fn is_busy(&self) -> bool {
        self.activity.is_busy() && self.acted.elapsed() < BUSY
    }

    /// Lets the page do what the last step led to.
    async fn settle(&mut self) -> Result<(), BrowserError> {
        let settled = async {
            let world = content::world(self.browser).await?;
            let idle = json!({ "expression": IDLE, "contextId": world, "awaitPromise": true });
            self.browser.ask("Runtime.evaluate", idle).await
        };
        match settled.await {
            // It has navigated.
            Ok(_) | Err(BrowserError::Failed(_)) => {}
            Err(error) => return Err(error),
        }
        self.activity.listen(self.browser, Instant::now()).await
    }

    /// The errors that the pages threw, for the model; empty without any.
    fn thrown(&mut self) -> String {
        self.activity.end(None, String::new());
        let last = std::mem::take(&mut self.activity);
        self.errors.extend(last.into_findings().0);
        self.errors.dedup();
        let errors = self.errors.iter().take(MAX_ERRORS);
        errors
            .map(|error| format!("\nThe page threw: {}", first_chars(error, MAX_ERROR)))
            .collect()
    }
}

fn failed(error: impl ToString) -> BrowserError {
    BrowserError::Failed(error.to_string())
}
