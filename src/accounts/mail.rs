//! Outgoing e-mail. Sending returns at once; a task of its own delivers the letter, and retries
//! while the mail server can't be reached or is busy.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;

use crate::config;

/// How many letters are sent at a time, and how many may wait.
const MAX_CONCURRENT: usize = 4;
const MAX_WAITING: usize = 1000;
/// How long the server may be silent, and the pauses after failures.
const PACE: Pace = Pace {
    silence: Duration::from_secs(20),
    pauses: &[
        Duration::from_secs(2),
        Duration::from_secs(15),
        Duration::from_secs(60),
        Duration::from_secs(300),
        Duration::from_secs(900),
    ],
};

#[derive(Debug, Clone, Copy)]
struct Pace {
    silence: Duration,
    pauses: &'static [Duration],
}

/// A letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The address as its owner wrote it.
    pub to: String,
    pub subject: &'static str,
    pub text: String,
}

/// Sends letters; a cheap handle.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    pace: Pace,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Mailer {
    pub fn new(settings: &config::Mail) -> anyhow::Result<Self> {
        Self::at(settings, PACE)
    }

    fn at(settings: &config::Mail, pace: Pace) -> anyhow::Result<Self> {
        let url = settings.url.expose_secret();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .context("SMTP_URL can't be used")?
            .timeout(Some(pace.silence))
            .build();
        Ok(Self {
            transport,
            from: settings.from.clone(),
            pace,
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            queue: Arc::new(Semaphore::new(MAX_WAITING)),
        })
    }

    /// Queues the letter. Failures to send it are logged.
    pub fn send(&self, letter: Letter) {
        let Ok(queued) = self.queue.clone().try_acquire_owned() else {
            tracing::error!(
                mail.subject = letter.subject,
                "an e-mail was dropped: too many wait for the mail server"
            );
            return;
        };
        let mailer = self.clone();
        tokio::spawn(async move {
            match mailer.deliver(&letter).await {
                Ok(()) => tracing::info!(mail.subject = letter.subject, "e-mail sent"),
                Err(error) => tracing::error!(
                    mail.subject = letter.subject,
                    error = format!("{error:#}"),
                    "an e-mail could not be sent"
                ),
            }
            drop(queued);
        });
    }

    async fn deliver(&self, letter: &Letter) -> anyhow::Result<()> {
        let to: Address = letter.to.parse().context("the address is not accepted")?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())?;
        let mut pauses = self.pace.pauses.iter();
        loop {
            let turn = self.turns.acquire().await;
            // The library's time-out applies to a single answer; a server may be slow with each.
            let most = self.pace.silence * 5;
            let sending = self.transport.send(message.clone());
            let error = match tokio::time::timeout(most, sending).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if error.is_permanent() => return Err(error.into()),
                Ok(Err(error)) => anyhow::Error::from(error),
                Err(_) => anyhow::anyhow!("the mail server took too long"),
            };
            drop(turn);
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            tracing::warn!(
                mail.subject = letter.subject,
                error = format!("{error:#}"),
                "an e-mail was not sent yet"
            );
            tokio::time::sleep(*pause).await;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
        net::{TcpListener, TcpStream},
        sync::mpsc,
    };

    use super::*;

    const QUICK: Pace = Pace {
        silence: Duration::from_millis(300),
        pauses: &[Duration::from_millis(20); 3],
    };

    /// A behaviour of the server on one connection.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Does {
        Takes,
        /// Stays silent.
        Hangs,
        /// Disconnects in the middle.
        Drops,
        /// Says that it is busy.
        Defers,
        /// Does not know the address.
        Refuses,
    }

    /// A mail server that behaves as scripted, one entry per connection, and passes on what it
    /// received.
    async fn server(script: &'static [Does]) -> (Mailer, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, taken) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for does in script {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = seen.send("connected".to_owned());
                match does {
                    Does::Hangs => kept.push(stream),
                    does => _ = converse(stream, *does, &seen).await,
                }
            }
        });
        let settings = config::Mail {
            url: format!("smtp://127.0.0.1:{port}").into(),
            from: "CodeFlow <codeflow@example.com>".parse().unwrap(),
        };
        (Mailer::at(&settings, QUICK).unwrap(), taken)
    }

    async fn converse(
        stream: TcpStream,
        does: Does,
        seen: &mpsc::UnboundedSender<String>,
    ) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail.test\r\n").await?;
        let (mut line, mut text, mut in_data) = (String::new(), String::new(), false);
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if in_data && line.trim_end() != "." {
                text.push_str(&line);
                continue;
            }
            let answer = match (does, line.get(..4).unwrap_or("")) {
                _ if in_data => {
                    in_data = false;
                    let _ = seen.send(std::mem::take(&mut text));
                    "250 taken"
                }
                (_, "EHLO") => "250 mail.test",
                (Does::Drops, "RCPT") => return Ok(()),
                (Does::Defers, "RCPT") => "451 busy",
                (Does::Refuses, "RCPT") => "550 no such mailbox",
                (_, "DATA") => {
                    in_data = true;
                    "354 go on"
                }
                (_, "QUIT") => "221 bye",
                _ => "250 fine",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    fn letter() -> Letter {
        Letter {
            to: "ada@example.com".to_owned(),
            subject: "Set a new password",
            text: "Open https://build.example.com/reset?link=x\n".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_letter_arrives_although_the_server_hangs_hangs_up_and_is_busy_at_first() {
        let (mailer, mut taken) =
            server(&[Does::Hangs, Does::Drops, Does::Defers, Does::Takes]).await;
        mailer.send(letter());
        for _ in 0..4 {
            assert_eq!(taken.recv().await.unwrap(), "connected");
        }
        let text = taken.recv().await.unwrap();
        for part in [
            "From: CodeFlow <codeflow@example.com>",
            "To: ada@example.com",
            "Subject: Set a new password",
            "Open https://build.example.com/reset?link=x",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_refused_for_good_is_not_tried_again_and_failures_come_to_an_end() {
        let (mailer, mut taken) = server(&[Does::Refuses, Does::Takes]).await;
        let error = mailer.deliver(&letter()).await.unwrap_err();
        assert!(error.to_string().contains("permanent"), "{error}");
        assert_eq!(taken.recv().await.unwrap(), "connected");
        assert!(taken.try_recv().is_err());

        let (mailer, mut taken) = server(&[Does::Drops; 4]).await;
        assert!(mailer.deliver(&letter()).await.is_err());
        let mut connections = 0;
        while taken.recv().await.is_some() {
            connections += 1;
        }
        assert_eq!(connections, 4);
    }
}
