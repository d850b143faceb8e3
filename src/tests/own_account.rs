//! What somebody does with their own account on the real server: links by e-mail, a copy of their
//! data, and its end.

use std::io::{Cursor, Read as _};

use codeflow::protocol::{NewApiToken, ProjectId};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};

use crate::{
    accounts::{OTHER, PASSWORD, command, cookie, get, post, refusal, server, sessions, sign},
    support::{MailServer, Server, data_dir, http, picture, until},
};

/// The token of the link in a letter.
fn link_in<'a>(letter: &'a str, page: &str) -> &'a str {
    let found = letter.split_once(&format!("/{page}?link="));
    found.unwrap().1.split_whitespace().next().unwrap()
}

/// An account whose address was confirmed by its letter. Returns the session's cookie.
pub async fn join_by_mail(server: &Server, mail: &mut MailServer, email: &str) -> String {
    let asked = sign(server, "sign-up", email, PASSWORD).await;
    assert_eq!((asked.status(), cookie(&asked)), (StatusCode::OK, None));
    let letter = mail.letter().await;
    let link = link_in(&letter, "sign-up").split('&').next().unwrap();
    let form = [("link", link), ("password", PASSWORD)];
    let joined = post(server, "/api/account/sign-up", "", &form).await;
    cookie(&joined).unwrap()
}

#[tokio::test]
async fn where_mail_is_sent_signing_up_tells_nobody_whether_an_address_has_an_account() {
    let (data, mut mail) = (data_dir(), MailServer::start().await);
    let server = server(&data, &[("SMTP_URL", &mail.url)]).await;
    let page = get(&server, "/sign-up", "").await.text().await.unwrap();
    assert!(!page.contains("name=\"password\""), "{page}");
    let ask = async |email: &str| {
        let form = [("email", email), ("to", "/pricing")];
        let answer = post(&server, "/api/account/sign-up", "", &form).await;
        let session = cookie(&answer);
        (answer.status(), session, answer.text().await.unwrap())
    };
    let new = ask(" Ada@Example.com ").await;
    assert_eq!(
        new,
        (StatusCode::OK, None, "\"/sign-up?sent=1\"".to_owned())
    );
    let letter = mail.letter().await;
    assert!(letter.contains("To: Ada@Example.com"), "{letter}");
    let path = format!("/sign-up?link={}", link_in(&letter, "sign-up"));
    assert!(
        path.ends_with("&email=Ada%40Example%2Ecom&to=%2Fpricing"),
        "{path}"
    );
    let page = get(&server, &path, "").await.text().await.unwrap();
    assert!(
        page.contains("name=\"password\"") && page.contains("Ada@Example.com"),
        "{page}"
    );
    // The address is the letter's, whatever the form says, and a weak password spends no link.
    let link = link_in(&letter, "sign-up").split('&').next().unwrap();
    let finish = async |password: &str| {
        let form = [
            ("link", link),
            ("email", "eve@example.com"),
            ("password", password),
        ];
        post(&server, "/api/account/sign-up", "", &form).await
    };
    assert_eq!(finish("password1").await.status(), 400);
    let ada = cookie(&finish(PASSWORD).await).unwrap();
    assert_eq!(sessions(&server, &ada).await.len(), 1);
    let twice = refusal(finish(PASSWORD).await).await;
    assert!(twice.1.contains("expired or was used"), "{}", twice.1);
    for (email, status) in [("ada@example.com", 200), ("eve@example.com", 401)] {
        let known = sign(&server, "sign-in", email, PASSWORD).await;
        assert_eq!(known.status(), status, "{email}");
    }

    assert_eq!(ask("ada@example.com").await, new);
    let notice = mail.letter().await;
    assert!(notice.contains("To: Ada@Example.com"), "{notice}");
    assert!(notice.contains("has an account"), "{notice}");
    let form = [("link", link_in(&notice, "reset")), ("password", OTHER)];
    let reset = post(&server, "/api/account/reset", "", &form).await;
    assert_eq!(reset.status(), 200);
    // Nor does the limit on letters.
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut last = ask(email).await;
        for _ in 0..4 {
            last = ask(email).await;
        }
        assert_eq!(last.0, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn a_link_by_e_mail_sets_the_password_and_no_answer_tells_whether_there_is_an_account() {
    let (data, mut mail) = (data_dir(), MailServer::start().await);
    let server = server(&data, &[("SMTP_URL", &mail.url)]).await;
    join_by_mail(&server, &mut mail, "ada@example.com").await;
    let ask = async |email: &str| {
        let answer = post(&server, "/api/account/reset-link", "", &[("email", email)]).await;
        (answer.status(), answer.text().await.unwrap())
    };
    let unknown = ask("nobody@example.com").await;
    assert_eq!(unknown, ask("ADA@example.com").await);
    assert_eq!(unknown, (StatusCode::OK, "\"/reset?sent=1\"".to_owned()));
    assert_eq!(ask("no address").await.0, 400);
    let letter = mail.letter().await;
    assert!(letter.contains("To: ada@example.com"), "{letter}");
    let form = [("link", link_in(&letter, "reset")), ("password", OTHER)];
    let reset = post(&server, "/api/account/reset", "", &form).await;
    assert_eq!(sessions(&server, &cookie(&reset).unwrap()).await.len(), 1);
    assert_eq!(
        post(&server, "/api/account/reset", "", &form)
            .await
            .status(),
        400
    );
    assert!(mail.is_empty(), "nobody got a letter");
    // Nobody's mailbox is flooded, whether there is an account or not.
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut last = ask(email).await;
        for _ in 0..4 {
            last = ask(email).await;
        }
        assert_eq!(last.0, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_confirms_it_and_the_old_one_is_told() {
    let (data, mut mail) = (data_dir(), MailServer::start().await);
    let server = server(&data, &[("SMTP_URL", &mail.url)]).await;
    let ada = join_by_mail(&server, &mut mail, "ada@example.com").await;
    join_by_mail(&server, &mut mail, "eve@example.com").await;
    let ask = async |email: &str, password: &str| {
        let form = [("email", email), ("current", password)];
        post(&server, "/api/account/email", &ada, &form)
            .await
            .status()
    };
    let confirm = async |link: &str| {
        let form = [("link", link)];
        post(&server, "/api/account/email/confirm", "", &form).await
    };
    assert_eq!(ask("new@example.com", OTHER).await, 400);
    assert_eq!(ask("nothing", PASSWORD).await, 400);
    assert_eq!(ask("first@example.com", PASSWORD).await, 200);
    let mut letters = [mail.letter().await, mail.letter().await];
    letters.sort_by_key(|letter| letter.contains("To: ada@example.com"));
    let [first, notice] = letters;
    assert!(
        notice.contains("first@example.com") && !notice.contains("link="),
        "{notice}"
    );
    assert_eq!(ask("new@example.com", PASSWORD).await, 200);
    let mut letters = [mail.letter().await, mail.letter().await];
    letters.sort_by_key(|letter| letter.contains("To: ada@example.com"));
    let second = link_in(&letters[0], "confirm").to_owned();
    // The one before is of no use any more, nor is a link for something else.
    assert_eq!(confirm(link_in(&first, "confirm")).await.status(), 400);
    let form = [("link", &*second), ("password", OTHER)];
    assert_eq!(
        post(&server, "/api/account/reset", "", &form)
            .await
            .status(),
        400
    );

    assert_eq!(confirm(&second).await.status(), 200);
    assert_eq!(confirm(&second).await.status(), 400);
    let done = mail.letter().await;
    assert!(
        done.contains("To: ada@example.com") && done.contains("new@example.com"),
        "{done}"
    );
    let old = sign(&server, "sign-in", "ada@example.com", PASSWORD).await;
    let new = sign(&server, "sign-in", "NEW@example.com", PASSWORD).await;
    assert_eq!(
        (old.status(), new.status()),
        (StatusCode::UNAUTHORIZED, StatusCode::OK)
    );

    // One that another account has: only whoever reads its mail learns that.
    assert_eq!(ask("EVE@example.com", PASSWORD).await, 200);
    let letters = [mail.letter().await, mail.letter().await];
    let taken = letters
        .iter()
        .find(|letter| letter.contains("To: EVE@example.com"));
    let refused = refusal(confirm(link_in(taken.unwrap(), "confirm")).await).await;
    assert_eq!(refused.0, 400);
    assert!(
        refused.1.contains("can't be made with this address"),
        "{}",
        refused.1
    );
    assert_eq!(
        command(&data, &["set-email", "new@example.com", "last@example.com"]),
        "new@example.com has the address last@example.com"
    );
    let last = sign(&server, "sign-in", "last@example.com", PASSWORD).await;
    assert_eq!(last.status(), 200);
}

#[tokio::test]
async fn without_a_mail_server_a_link_is_an_administrators() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let form = [("email", "ada@example.com"), ("current", PASSWORD)];
    for path in ["/api/account/reset-link", "/api/account/email"] {
        let refused = refusal(post(&server, path, &ada, &form).await).await;
        assert_eq!(refused.0, StatusCode::FORBIDDEN);
        assert!(
            refused.1.contains("sends no e-mail. Ask an administrator"),
            "{}",
            refused.1
        );
    }
    let page = get(&server, "/reset", "").await.text().await.unwrap();
    assert!(page.contains("Ask an administrator for a link"), "{page}");
}

/// Makes a project of the showcase's, with a version.
async fn make_project(server: &Server, cookie: &str) -> ProjectId {
    let form = [("slug", "quiz")];
    let made = post(server, "/api/showcase/use", cookie, &form).await;
    made.json().await.unwrap()
}

async fn upload(server: &Server, cookie: &str, file: Vec<u8>) {
    let request = http()
        .post(format!("{}/api/images", server.url()))
        .header("cookie", cookie)
        .body(file);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// The names of what is in the file.
fn names(zip: &zip::ZipArchive<Cursor<bytes::Bytes>>) -> Vec<String> {
    (0..zip.len())
        .filter_map(|at| Some(zip.name_for_index(at)?.ok()?.into_owned()))
        .collect()
}

#[tokio::test]
async fn one_takes_a_copy_of_everything_and_nothing_of_others() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    let project = make_project(&server, &ada).await;
    let others = make_project(&server, &eve).await;
    upload(&server, &ada, picture(1)).await;
    upload(&server, &eve, picture(2)).await;
    let form = [("name", "Ada's editor")];
    let made = post(&server, "/api/account/tokens/create", &ada, &form).await;
    let made: NewApiToken = made.json().await.unwrap();
    for (user, text) in [(&ada, "Ada's wish"), (&eve, "Eve's wish")] {
        let saved = post(&server, "/api/prompts/save", user, &[("text", text)]).await;
        assert_eq!(saved.status(), 200);
    }

    let answer = get(&server, "/api/account/export.zip", &ada).await;
    assert_eq!(answer.headers()["content-type"], "application/zip");
    let file = answer.bytes().await.unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let all = names(&zip);
    let mut read = |name: &str| {
        let mut text = String::new();
        zip.by_name(name)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    };
    let account = read("account.json");
    assert!(account.contains("ada@example.com"), "{account}");
    assert!(account.contains("Ada's editor") && !account.contains(&made.token));
    assert!(account.contains("Ada's wish"), "{account}");
    let messages = read("projects/001-quiz/messages.json");
    assert!(messages.contains(&project.to_string()), "{messages}");
    assert!(
        all.iter()
            .any(|name| name == "projects/001-quiz/files/app/page.tsx"),
        "{all:?}"
    );
    let images = all.iter().filter(|name| name.starts_with("images/"));
    assert_eq!(images.count(), 1, "{all:?}");
    let whole = [account, messages].concat();
    for foreign in ["eve@example.com", &others.to_string(), "Eve's wish"] {
        assert!(!whole.contains(foreign), "{foreign}");
    }
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        last = get(&server, "/api/account/export.zip", &ada).await.status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

/// Where in the database one of the texts stands: tables and columns.
pub async fn found_in_database(data: &tempfile::TempDir, texts: &[&str]) -> Vec<String> {
    let file = data.path().join("codeflow.sqlite");
    let db = Database::connect(format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    let all = async |query: String| {
        let statement = Statement::from_string(DbBackend::Sqlite, query);
        let rows = db.query_all_raw(statement).await.unwrap();
        let texts = rows
            .iter()
            .map(|row| row.try_get_by_index::<String>(0).unwrap());
        texts.collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let tables = all("SELECT name FROM sqlite_master WHERE type = 'table'".to_owned()).await;
    for table in tables {
        for column in all(format!("SELECT name FROM pragma_table_info('{table}')")).await {
            for text in texts {
                let query = format!(
                    "SELECT '{table}.{column}' FROM \"{table}\" \
                     WHERE CAST(\"{column}\" AS TEXT) LIKE '%{text}%' LIMIT 1"
                );
                found.extend(all(query).await);
            }
        }
    }
    db.close().await.unwrap();
    found
}

#[tokio::test]
async fn an_account_goes_with_all_that_is_its_own_and_leaves_what_is_of_others() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    let project = make_project(&server, &ada).await.to_string();
    let others = make_project(&server, &eve).await.to_string();
    for user in [&ada, &eve] {
        upload(&server, user, picture(3)).await;
    }
    let form = [("current", PASSWORD)];
    let begun = post(&server, "/api/account/two-step/begin", &ada, &form).await;
    assert_eq!(begun.status(), 200);
    let form = [("name", "Editor")];
    let made = post(&server, "/api/account/tokens/create", &ada, &form).await;
    assert_eq!(made.status(), 200);
    let form = [("text", "Build a shop")];
    let saved = post(&server, "/api/prompts/save", &ada, &form).await;
    assert_eq!(saved.status(), 200);
    let file = data.path().join("codeflow.sqlite");
    let store = codeflow::store::Store::open_file(&file).await.unwrap();
    let user = store.find_account("ada@example.com").await.unwrap().id.0;
    store.close().await;
    let found = found_in_database(&data, &[&user]).await;
    for place in [
        "projects.user_id",
        "image_owners.user_id",
        "second_steps.user_id",
        "api_tokens.user_id",
        "saved_prompts.user_id",
    ] {
        assert!(found.iter().any(|one| one == place), "{found:?}");
    }

    let form = [("current", OTHER)];
    let refused = post(&server, "/api/account/delete", &ada, &form).await;
    assert_eq!(refused.status(), 400);
    let form = [("current", PASSWORD)];
    let deleted = post(&server, "/api/account/delete", &ada, &form).await;
    assert_eq!((deleted.status(), cookie(&deleted)), (StatusCode::OK, None));
    assert_eq!(
        get(&server, "/api/account/sessions", &ada).await.status(),
        401
    );
    let texts = [&*user, "ada@example.com", &project];
    until("nothing of it is in the database", async || {
        let left = found_in_database(&data, &texts).await;
        left.is_empty().then_some(())
    })
    .await;
    let workspace = format!("/api/projects/workspace?project={others}");
    assert_eq!(get(&server, &workspace, &eve).await.status(), 200);
    let export = get(&server, "/api/account/export.zip", &eve).await;
    let zip = zip::ZipArchive::new(Cursor::new(export.bytes().await.unwrap())).unwrap();
    let all = names(&zip);
    let images = all.iter().filter(|name| name.starts_with("images/"));
    assert_eq!(images.count(), 1, "the same image, uploaded by both");
    // The address is free again.
    let again = sign(&server, "sign-up", "ada@example.com", PASSWORD).await;
    assert_eq!(again.status(), 200);
}
