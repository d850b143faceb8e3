//! A mail server that keeps the mail it receives. It hangs up on the first sender, as busy ones do.

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::PATIENCE;

pub struct MailServer {
    /// For `SMTP_URL`.
    pub url: String,
    letters: mpsc::UnboundedReceiver<String>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (seen, letters) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            drop(listener.accept().await);
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move { receive(stream, &seen).await });
            }
        });
        Self { url, letters }
    }

    /// The next letter, with its headers, and its text without the marks of quoted-printable.
    pub async fn letter(&mut self) -> String {
        let letter = tokio::time::timeout(PATIENCE, self.letters.recv()).await;
        let letter = letter.expect("no letter came").unwrap();
        letter.replace("=\r\n", "").replace("=3D", "=")
    }

    /// Whether no letter is there.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}

async fn receive(stream: TcpStream, seen: &mpsc::UnboundedSender<String>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.trim_end() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut letter = String::new();
                while !letter.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut letter).await? == 0 {
                        return Ok(());
                    }
                }
                let _ = seen.send(letter);
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
