//! A browser that sends requests both as programs do and as browsers without scripts do.

use codeflow::protocol::{AuditPage, UserPage};
use reqwest::{Method, Response, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::support::{Server, http, secrets};

const PASSWORD: &str = "seven uncommon lanterns";

/// A browser with its cookie; empty if nobody is signed in.
pub struct Browser<'a> {
    pub server: &'a Server,
    pub cookie: String,
}

/// The cookie that the answer sets.
pub fn cookie(response: &Response) -> String {
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

impl<'a> Browser<'a> {
    pub async fn sign_up(server: &'a Server, email: &str) -> Self {
        let nobody = Self {
            server,
            cookie: String::new(),
        };
        let form = [("email", email), ("password", PASSWORD)];
        let signed_up = nobody.post("/api/account/sign-up", &form).await;
        assert_eq!(signed_up.status(), 200);
        Self {
            server,
            cookie: cookie(&signed_up),
        }
    }

    pub async fn ask(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Response {
        secrets::remember_request(&self.cookie, form);
        let request = http()
            .request(method, format!("{}{path}", self.server.url()))
            .header("accept", "application/json")
            .header("cookie", &self.cookie);
        let request = match form {
            [] => request,
            form => request.form(form),
        };
        request.send().await.unwrap()
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.ask(Method::POST, path, form).await
    }

    /// Sends a request that must succeed, and returns the answer.
    pub async fn done<T: DeserializeOwned>(&self, path: &str, form: &[(&str, &str)]) -> T {
        let response = self.post(path, form).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.ask(Method::GET, path, &[]).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn status(&self, path: &str) -> StatusCode {
        self.ask(Method::GET, path, &[]).await.status()
    }

    /// Loads a page as a browser without scripts.
    pub async fn page(&self, path: &str) -> (StatusCode, String) {
        let request = http()
            .get(format!("{}{path}", self.server.url()))
            .header("accept", "text/html")
            .header("cookie", &self.cookie);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Submits a form as a browser without scripts; returns where it is redirected.
    pub async fn form(&self, page: &str, path: &str, form: &[(&str, &str)]) -> String {
        let request = http()
            .post(format!("{}{path}", self.server.url()))
            .header("accept", "text/html,application/xhtml+xml")
            .header("referer", format!("{}{page}", self.server.url()))
            .header("cookie", &self.cookie)
            .form(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 302, "{path}");
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    pub async fn audit(&self, filter: &str) -> AuditPage {
        self.get(&format!("/api/admin/audit?{filter}")).await
    }

    pub async fn id_of(&self, email: &str) -> String {
        let found: UserPage = self
            .get(&format!("/api/admin/users?filter[search]={email}"))
            .await;
        assert_eq!(found.users.len(), 1, "{email}");
        found.users[0].account.id.to_string()
    }
}
