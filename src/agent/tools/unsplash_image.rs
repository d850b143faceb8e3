//! `unsplashImage`: finds a photo for a description, saves it with the app's own files, and credits
//! its author (unsplash.com/documentation).

use std::time::Duration;

use futures::{FutureExt, StreamExt, future::BoxFuture};
use reqwest::{StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, MAX_FILE, ToolContext, ToolError, ToolOutput, Written, object, writable,
};
use crate::{
    agent::{AppPath, app::path::PathError},
    config::Unsplash,
    protocol::{Status, first_chars},
};

/// How long a request to Unsplash may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Identifies us in links to Unsplash, as its guidelines require.
const REFERRAL: &str = "utm_source=codeflow&utm_medium=referral";

#[derive(Debug, Deserialize)]
pub struct Arguments {
    query: String,
    path: String,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Finds a photo on Unsplash and saves it into public/. The result says how to show it and \
         whom to credit.",
        object(
            json!({
                "query": { "type": "string", "description": "What the photo shows, in English, such as mountain lake at dawn" },
                "path": { "type": "string", "description": "Where to save it, such as public/images/hero.jpg" },
            }),
            &["query", "path"],
        ),
    )
}

#[derive(Deserialize)]
struct Found {
    results: Vec<Photo>,
}

#[derive(Deserialize)]
struct Photo {
    #[serde(default)]
    alt_description: Option<String>,
    urls: Urls,
    links: Links,
    user: User,
}

#[derive(Deserialize)]
struct Urls {
    regular: String,
}

#[derive(Deserialize)]
struct Links {
    #[serde(default)]
    download_location: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    links: UserLinks,
}

#[derive(Deserialize)]
struct UserLinks {
    html: String,
}

impl Handler for Arguments {
    fn title(&self) -> String {
        first_chars(&self.query, 120).to_owned()
    }

    fn status(&self) -> Status {
        Status::DownloadingImages
    }

    fn access(&self) -> FileAccess {
        match self.place() {
            Ok(path) => FileAccess::Writes(vec![path.as_str().to_owned()]),
            Err(_) => FileAccess::None,
        }
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.download(context).boxed()
    }
}

impl Arguments {
    /// The photo's path: below `public/`, which is added if it is missing.
    fn place(&self) -> Result<AppPath, PathError> {
        let path = AppPath::new(&self.path)?;
        if path.as_str().starts_with("public/") {
            Ok(path)
        } else {
            AppPath::new(&format!("public/{path}"))
        }
    }

    async fn download(&self, context: &ToolContext<'_>) -> Result<ToolOutput, ToolError> {
        let path = writable(self.place()?.as_str())?;
        let lower = path.as_str().to_ascii_lowercase();
        if !(lower.ends_with(".jpg") || lower.ends_with(".jpeg")) {
            return Err(ToolError::RespondToModel(format!(
                "photos are JPEG: name it .jpg instead of {path}"
            )));
        }
        let (http, unsplash) = context.agent.photos();
        let Some(key) = &unsplash.access_key else {
            return Err(ToolError::RespondToModel(
                "photos are not available here (there is no UNSPLASH_ACCESS_KEY). Use a CSS gradient or an inline SVG instead, and no \
                 images from other servers"
                    .to_owned(),
            ));
        };
        let ask = |url: &str| {
            http.get(url)
                .timeout(TIMEOUT)
                .header(
                    header::AUTHORIZATION,
                    format!("Client-ID {}", key.expose_secret()),
                )
                .header("accept-version", "v1")
        };
        let search = ask(&format!("{}/search/photos", unsplash.url)).query(&[
            ("query", self.query.as_str()),
            ("per_page", "1"),
            ("content_filter", "high"),
        ]);
        let answer = search.send().await.map_err(|error| out_of_reach(&error))?;
        let found: Found = match answer.status() {
            status if status.is_success() => {
                answer.json().await.map_err(|error| out_of_reach(&error))?
            }
            status => return Err(refused(status)),
        };
        let Some(photo) = found.results.into_iter().next() else {
            return Err(ToolError::RespondToModel(format!(
                "there is no photo for {:?}; try other words, or use a gradient or an inline SVG",
                self.query
            )));
        };
        let image = fetch(http, &photo.urls.regular, unsplash).await?;
        context
            .app
            .sandbox()
            .write_file(&path.absolute(), image.clone())
            .await?;
        // Unsplash counts each use for the author, as its guidelines require. If that fails, the
        // photo is saved anyway.
        if let Some(location) = photo
            .links
            .download_location
            .filter(|url| is_theirs(url, unsplash))
            && let Err(error) = ask(&location).send().await
        {
            tracing::warn!(error = %error.without_url(), "the download of a photo could not be reported to Unsplash");
        }
        let shown = path.as_str().strip_prefix("public").unwrap_or_default();
        let alt = photo.alt_description.unwrap_or_else(|| self.query.clone());
        let (author, profile) = (photo.user.name, photo.user.links.html);
        let message = format!(
            "Saved {path}; show it as {shown} with the alternative text {alt:?}. Credit the author near the photo or in the footer: \
             “Photo by {author} on Unsplash”, with links to {profile}?{REFERRAL} and https://unsplash.com/?{REFERRAL}."
        );
        Ok(ToolOutput::wrote(
            Written::bytes(path.as_str(), &image),
            message,
        ))
    }
}

/// The photo's bytes, a JPEG.
async fn fetch(
    http: &reqwest::Client,
    url: &str,
    unsplash: &Unsplash,
) -> Result<Vec<u8>, ToolError> {
    if !is_theirs(url, unsplash) {
        return Err(ToolError::RespondToModel(
            "Unsplash named a photo on another server; try other words".to_owned(),
        ));
    }
    let answer = http
        .get(url)
        .timeout(TIMEOUT)
        .header(header::ACCEPT, "image/jpeg")
        .send()
        .await;
    let answer = answer.map_err(|error| out_of_reach(&error))?;
    if !answer.status().is_success() {
        return Err(refused(answer.status()));
    }
    let (mut image, mut stream) = (Vec::new(), answer.bytes_stream());
    while let Some(piece) = stream.next().await {
        image.extend_from_slice(&piece.map_err(|error| out_of_reach(&error))?);
        if image.len() > MAX_FILE {
            return Err(ToolError::RespondToModel(format!(
                "the photo is larger than {} MiB; try other words",
                MAX_FILE >> 20
            )));
        }
    }
    if !image.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err(ToolError::RespondToModel(
            "what Unsplash sent is no photo; try other words".to_owned(),
        ));
    }
    Ok(image)
}

/// Whether an address in Unsplash's answer is its own: below unsplash.com, or at the configured
/// address.
fn is_theirs(url: &str, unsplash: &Unsplash) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return false;
    };
    let own = reqwest::Url::parse(&unsplash.url).is_ok_and(|own| own.origin() == parsed.origin());
    let host = parsed.host_str().unwrap_or_default();
    own || (parsed.scheme() == "https"
        && (host == "unsplash.com" || host.ends_with(".unsplash.com")))
}

fn refused(status: StatusCode) -> ToolError {
    let why = match status {
        StatusCode::UNAUTHORIZED => "refuses the UNSPLASH_ACCESS_KEY",
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            "has reached the key's limit of requests for this hour"
        }
        _ => "can't answer right now",
    };
    ToolError::RespondToModel(format!(
        "Unsplash {why} ({}). Use a CSS gradient or an inline SVG instead",
        status.as_u16()
    ))
}

fn out_of_reach(error: &reqwest::Error) -> ToolError {
    let why = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_decode() {
        "gave an answer that can't be read"
    } else {
        "can't be reached"
    };
    ToolError::RespondToModel(format!(
        "Unsplash {why}. Use a CSS gradient or an inline SVG instead"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_come_only_from_unsplash_and_go_into_the_public_folder() {
        let unsplash = Unsplash {
            access_key: None,
            url: "https://api.unsplash.com".to_owned(),
        };
        assert!(is_theirs(
            "https://images.unsplash.com/photo-1?w=1080",
            &unsplash
        ));
        for other in [
            "http://images.unsplash.com/x",
            "https://unsplash.com.evil.example/x",
            "https://evilunsplash.com/x",
            "http://169.254.169.254/",
            "x",
        ] {
            assert!(!is_theirs(other, &unsplash), "{other}");
        }
        let place = |path: &str| {
            let arguments = Arguments {
                query: "lake".to_owned(),
                path: path.to_owned(),
            };
            arguments.place().map(|path| path.as_str().to_owned()).ok()
        };
        assert_eq!(place("hero.jpg").as_deref(), Some("public/hero.jpg"));
        assert_eq!(
            place("/home/user/public/a/hero.jpg").as_deref(),
            Some("public/a/hero.jpg")
        );
        assert_eq!(place("../hero.jpg"), None);
    }
}
