//! Signing in in two steps on the real server: a password, and a code that works once.

use codeflow::protocol::{SecondStepSetup, SecondStepState};
use reqwest::StatusCode;
use ring::hmac;

use crate::{
    accounts::{OTHER, PASSWORD, command, cookie, get, post, server, sign},
    support::{Server, data_dir},
};

/// The code of the base 32 secret, so many time steps from now (RFC 6238).
pub fn code(secret: &str, steps: i64) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .chars()
        .map(|letter| format!("{:05b}", letters.find(letter).unwrap()))
        .collect();
    let bytes: Vec<u8> = (0..bits.len() / 8)
        .map(|at| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).unwrap())
        .collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let counter = now.unwrap().as_secs() as i64 / 30 + steps;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap());
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// Signs in up to the second step; returns the cookie that stands for the first.
pub async fn first_step(server: &Server) -> String {
    let half = sign(server, "sign-in", "ada@example.com", PASSWORD).await;
    assert_eq!(half.status(), 200);
    let set: Vec<_> = half.headers().get_all("set-cookie").iter().collect();
    assert_eq!(set.len(), 1, "no session before the code");
    let step = cookie(&half).unwrap();
    assert!(step.starts_with("codeflow-step="), "{step}");
    let to: String = half.json().await.unwrap();
    assert_eq!(to, "/sign-in/code?to=%2F");
    step
}

/// The session's cookie, or the refusal.
pub async fn second_step(server: &Server, step: &str, code: &str) -> Result<String, StatusCode> {
    let form = [("code", code), ("to", "/settings")];
    let answer = post(server, "/api/account/sign-in/code", step, &form).await;
    if answer.status() != 200 {
        return Err(answer.status());
    }
    let set = answer.headers().get_all("set-cookie").iter();
    let set: Vec<_> = set.map(|set| set.to_str().unwrap().to_owned()).collect();
    assert!(
        set.iter().any(|set| set.starts_with("codeflow-step=;")),
        "{set:?}"
    );
    let session = set.iter().find(|set| set.starts_with("codeflow-session="));
    Ok(session.unwrap().split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn with_two_steps_a_password_alone_signs_nobody_in_and_no_code_works_twice() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let begin = async |password: &str| {
        let form = [("current", password)];
        post(&server, "/api/account/two-step/begin", &ada, &form).await
    };
    assert_eq!(begin(OTHER).await.status(), 400);
    let unused: SecondStepSetup = begin(PASSWORD).await.json().await.unwrap();
    let setup: SecondStepSetup = begin(PASSWORD).await.json().await.unwrap();
    assert_ne!(unused.secret, setup.secret);
    assert!(setup.qr_code.starts_with("<svg"));
    // It is not on before a code confirms it.
    let plain = sign(&server, "sign-in", "ada@example.com", PASSWORD).await;
    assert!(cookie(&plain).unwrap().starts_with("codeflow-session="));

    let confirm = async |code: &str| {
        let form = [("code", code)];
        post(&server, "/api/account/two-step/confirm", &ada, &form).await
    };
    for wrong in ["", "12", &code(&unused.secret, 0), &code(&setup.secret, 9)] {
        assert_eq!(confirm(wrong).await.status(), 400, "{wrong}");
    }
    let first = code(&setup.secret, 0);
    let codes: Vec<String> = confirm(&first).await.json().await.unwrap();
    assert_eq!(codes.len(), 10);
    assert_eq!(begin(PASSWORD).await.status(), 403);

    let step = first_step(&server).await;
    // The code that confirmed it was used.
    assert_eq!(
        second_step(&server, &step, &first).await,
        Err(StatusCode::BAD_REQUEST)
    );
    assert_eq!(
        second_step(&server, "", &codes[0]).await,
        Err(StatusCode::FORBIDDEN)
    );
    let next = code(&setup.secret, 1);
    let session = second_step(&server, &step, &next).await.unwrap();
    assert_eq!(
        get(&server, "/api/account/sessions", &session)
            .await
            .status(),
        200
    );
    assert_eq!(
        second_step(&server, &step, &codes[0]).await,
        Err(StatusCode::FORBIDDEN)
    );
    let step = first_step(&server).await;
    assert_eq!(
        second_step(&server, &step, &next).await,
        Err(StatusCode::BAD_REQUEST)
    );
    let typed = codes[0].to_lowercase().replace('-', " ");
    assert!(second_step(&server, &step, &typed).await.is_ok());
    let step = first_step(&server).await;
    assert_eq!(
        second_step(&server, &step, &codes[0]).await,
        Err(StatusCode::BAD_REQUEST)
    );
    // Of many at once with one recovery code, one signs in.
    let tries = (0..4).map(|_| second_step(&server, &step, &codes[1]));
    let tries = futures::future::join_all(tries).await;
    assert_eq!(tries.iter().filter(|session| session.is_ok()).count(), 1);
    let state = get(&server, "/api/account/two-step", &ada).await;
    let state: SecondStepState = state.json().await.unwrap();
    assert_eq!((state.is_on, state.codes), (true, 8));

    // Who can set the password can't sign in by that alone either.
    let link = command(&data, &["reset-link", "ada@example.com"]);
    let token = link.split_once("/reset?link=").unwrap().1;
    let form = [("link", token), ("password", OTHER)];
    let reset = post(&server, "/api/account/reset", "", &form).await;
    let step = cookie(&reset).unwrap();
    assert!(step.starts_with("codeflow-step="), "{step}");
    let ada = second_step(&server, &step, &codes[2]).await.unwrap();

    // Turning it off asks for both.
    for (password, code) in [(PASSWORD, &*codes[3]), (OTHER, &*codes[0])] {
        let form = [("current", password), ("code", code)];
        let refused = post(&server, "/api/account/two-step/end", &ada, &form).await;
        assert_eq!(refused.status(), 400);
    }
    let form = [("current", OTHER), ("code", &*codes[3])];
    let ended = post(&server, "/api/account/two-step/end", &ada, &form).await;
    assert_eq!(ended.status(), 200);
    let plain = sign(&server, "sign-in", "ada@example.com", OTHER).await;
    assert!(cookie(&plain).unwrap().starts_with("codeflow-session="));

    // The database has neither the secret nor a code.
    server.stop();
    let database = std::fs::read(data.path().join("codeflow.sqlite")).unwrap();
    for secret in codes.iter().chain([&setup.secret]) {
        let parts = database.windows(secret.len());
        assert_eq!(parts.filter(|part| *part == secret.as_bytes()).count(), 0);
    }
}

#[tokio::test]
async fn codes_can_not_be_tried_out_and_an_administrator_helps_who_lost_everything() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let form = [("current", PASSWORD)];
    let setup = post(&server, "/api/account/two-step/begin", &ada, &form).await;
    let setup: SecondStepSetup = setup.json().await.unwrap();
    let form = [("code", &*code(&setup.secret, 0))];
    let confirmed = post(&server, "/api/account/two-step/confirm", &ada, &form).await;
    assert_eq!(confirmed.status(), 200);
    let step = first_step(&server).await;
    let mut last = Ok(String::new());
    for _ in 0..7 {
        last = second_step(&server, &step, &code(&setup.secret, 50)).await;
    }
    assert_eq!(last, Err(StatusCode::TOO_MANY_REQUESTS));
    // Also in another sign-in, and with a right one.
    let step = first_step(&server).await;
    let form = [("code", &*code(&setup.secret, 1))];
    let refused = post(&server, "/api/account/sign-in/code", &step, &form).await;
    let wait = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse::<u64>();
    assert!((1..=60).contains(&wait.unwrap()));

    let said = command(&data, &["end-two-step", "ada@example.com"]);
    assert_eq!(said, "ada@example.com signs in without a code");
    let plain = sign(&server, "sign-in", "ada@example.com", PASSWORD).await;
    assert!(cookie(&plain).unwrap().starts_with("codeflow-session="));
    // A sign-in that was half done is of no use any more.
    assert!(second_step(&server, &step, "123456").await.is_err());
}
