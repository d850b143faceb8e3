//! The `codeflow` command. It is thin: every command calls into the library.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use codeflow::{
    agent::Jail,
    allocator,
    boot::{self, Service},
    config::{self, Env, LogFormat, Settings},
    listener,
    log::OneLine,
    protocol::{AccountRole, Plan},
    sandbox,
    sandbox_host::{self, SandboxHost, template},
    server,
    setup::Setup,
    traces::Traces,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Why a sandbox host without a key must not listen for other machines.
const NO_KEY: &str = "a sandbox host that other machines reach needs a key in SANDBOX_HOST_KEY";

#[derive(Parser)]
#[command(
    name = "codeflow",
    version,
    about = "An AI app builder that people can own: what it calls done, runs"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the app (the default)
    Serve,
    /// Apply the database's migrations and exit
    Migrate,
    /// Create and change accounts
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Turn this machine into a server: report what is missing, and set it up
    Setup(Setup),
    /// Serve only sandboxes, for apps on other machines
    SandboxHost {
        #[command(subcommand)]
        command: Option<HostCommand>,
    },
    /// The init process of a sandbox
    #[command(hide = true)]
    Envd,
    /// The process that becomes the page-checking browser
    #[command(hide = true)]
    BrowserJail(Jail),
    /// Back up the database, all files and the key to a folder; the server may be running
    Backup {
        /// The folder, empty or with an earlier backup, which is updated
        folder: PathBuf,
    },
    /// Fill an empty data folder and database from a backup
    Restore {
        /// The backup's folder
        folder: PathBuf,
    },
    /// Find leftovers and losses in the database and the data folder
    Doctor {
        /// Repair what is found; the server must be stopped
        #[arg(long)]
        fix: bool,
        /// A backup to restore lost contents from
        #[arg(long)]
        backup: Option<PathBuf>,
    },
    /// Delete all accounts, projects and files of a staging server
    Reset {
        /// Confirm that this is a staging server
        #[arg(long, required = true)]
        staging: bool,
        /// Don't ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Put the page's files into a copy of this program
    #[command(hide = true)]
    PackSite {
        /// The folder that cargo-leptos wrote
        site: PathBuf,
        /// The program to write
        output: PathBuf,
        /// The program to copy, instead of this one
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// Prepare the templates that sandboxes start from
    Template {
        #[command(subcommand)]
        command: TemplateCommand,
    },
}

#[derive(Subcommand)]
enum HostCommand {
    /// Make the running host at SANDBOX_HOST_ADDR take no new sandboxes: projects leave it
    Drain,
    /// Make it take new sandboxes again
    Undrain,
}

#[derive(Subcommand)]
enum TemplateCommand {
    /// Install a template's packages and warm its dev server's cache
    Build {
        /// The template's name, such as nextjs
        name: String,
    },
    /// List the templates and their builds
    List,
    /// Remove a template's builds that no sandbox needs
    Remove {
        /// The template's name
        name: String,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Create an account, and print the link that sets its password
    Create {
        /// The e-mail address
        email: String,
        /// user or admin
        #[arg(long, default_value = "user")]
        role: AccountRole,
        /// free or pro
        #[arg(long, default_value = "free")]
        plan: Plan,
    },
    /// Change an account's plan
    SetPlan {
        /// The e-mail address
        email: String,
        /// free or pro
        plan: Plan,
    },
    /// Change an account's role
    SetRole {
        /// The e-mail address
        email: String,
        /// user or admin
        role: AccountRole,
    },
    /// Disable an account; its projects stay
    Disable {
        /// The e-mail address
        email: String,
    },
    /// Enable a disabled account
    Enable {
        /// The e-mail address
        email: String,
    },
    /// Change an account's e-mail address
    SetEmail {
        /// The e-mail address
        email: String,
        /// The new address
        to: String,
    },
    /// Turn off two-step sign-in for somebody who lost the app and the recovery codes
    EndTwoStep {
        /// The e-mail address
        email: String,
    },
    /// Print a link that sets an account's password
    ResetLink {
        /// The e-mail address
        email: String,
    },
    /// Print a link that creates an account where SIGN_UP=invite
    InviteLink,
}

fn main() -> ExitCode {
    allocator::give_memory_back();
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let done = match command {
        // A sandbox starts in milliseconds, so its init sets up nothing else.
        Command::Envd => sandbox_host::envd::run(),
        // Only a single-threaded process can enter a namespace of its own.
        Command::BrowserJail(jail) => jail.run(),
        command => run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be gone; that must not panic.
            let _ = writeln!(std::io::stderr(), "codeflow: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> anyhow::Result<()> {
    // The TLS provider for the whole process. It fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let env = Env::of_process();
    let is_server = matches!(
        command,
        Command::Serve | Command::SandboxHost { command: None }
    );
    let traces = match config::Traces::from_env(&env)?.filter(|_| is_server) {
        Some(settings) => Some(Traces::start(&settings)?),
        None => None,
    };
    set_up_log(LogFormat::from_env(&env)?, traces.as_ref());
    listener::raise_open_files();
    let done = perform(command).await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    done
}

async fn perform(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve().await,
        Command::Migrate => boot::migrate(&config::Server::from_env(&Env::of_process())?).await,
        Command::Setup(setup) => {
            let report = setup.run(&Env::of_process()).await?;
            say(&report.lines)?;
            report.expect_nothing_left()
        }
        Command::SandboxHost { command: None } => sandbox_host().await,
        Command::SandboxHost {
            command: Some(command),
        } => drain(matches!(command, HostCommand::Drain)).await,
        Command::User { command } => user(command).await,
        Command::Backup { folder } => say(&boot::backup(&Env::of_process(), &folder).await?),
        Command::Restore { folder } => say(&boot::restore(&Env::of_process(), &folder).await?),
        Command::Doctor { fix, backup } => {
            say(&boot::doctor(&Env::of_process(), fix, backup.as_deref()).await?)
        }
        Command::Reset { yes, .. } => say(&boot::reset(&Env::of_process(), yes).await?),
        Command::PackSite {
            site,
            output,
            program,
        } => {
            let program = program.map_or_else(std::env::current_exe, Ok)?;
            let files = server::pack(&program, &site, &output)?;
            say(&format!("{}: {files} files", output.display()))
        }
        Command::Template { command } => {
            let settings = config::SandboxHost::from_env(&Env::of_process())?;
            match command {
                TemplateCommand::Build { name } => {
                    template::build(&settings, &name, stop_signal()?).await
                }
                TemplateCommand::List => {
                    Ok(std::io::stdout().write_all(template::list(&settings).await?.as_bytes())?)
                }
                TemplateCommand::Remove { name } => template::remove(&settings, &name),
            }
        }
        Command::Envd | Command::BrowserJail(_) => bail!("it runs before the runtime is set up"),
    }
}

/// Logs to standard error, at the levels of `RUST_LOG` (default `info`), and sends traces.
fn set_up_log(format: LogFormat, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt::layer()
        .with_writer(|| OneLine(std::io::stderr()))
        // Failing to write the log must not end the process: a complaint about it would go to the
        // same place, and panic.
        .log_internal_errors(false);
    let log = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(traces.map(Traces::layer))
        .init();
}

async fn serve() -> anyhow::Result<()> {
    let site = server::site()?;
    let settings = Settings::from_env(&Env::of_process()).await?;
    let accounts = &settings.accounts;
    accounts.are_on(site.site_addr, &settings.server.public_url)?;
    let listener = bind(site.site_addr, "LEPTOS_SITE_ADDR").await?;
    let shutdown = CancellationToken::new();
    let stop = stop_signal()?;
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            stop.await;
            tracing::info!("stopping");
            shutdown.cancel();
        }
    });
    let service = Service::start(settings, site, listener, shutdown).await?;
    service.run().await;
    Ok(())
}

async fn user(command: UserCommand) -> anyhow::Result<()> {
    let accounts = boot::accounts(&Env::of_process()).await?;
    let said = match command {
        UserCommand::Create { email, role, plan } => accounts.create(&email, role, plan).await?,
        UserCommand::SetPlan { email, plan } => {
            accounts.set_plan(&email, plan).await?;
            format!("{email} has the plan {}", plan.as_str())
        }
        UserCommand::SetRole { email, role } => {
            accounts.set_role(&email, role).await?;
            format!("{email} has the role {}", role.as_str())
        }
        UserCommand::Disable { email } => {
            accounts.set_disabled(&email, true).await?;
            format!("{email} is disabled")
        }
        UserCommand::Enable { email } => {
            accounts.set_disabled(&email, false).await?;
            format!("{email} is enabled")
        }
        UserCommand::SetEmail { email, to } => {
            accounts.set_email(&email, &to).await?;
            format!("{email} has the address {to}")
        }
        UserCommand::EndTwoStep { email } => {
            accounts.end_second_step_of(&email).await?;
            format!("{email} signs in without a code")
        }
        UserCommand::ResetLink { email } => accounts.reset_link(&email).await?,
        UserCommand::InviteLink => accounts.invite_link().await?,
    };
    say(&said)
}

/// Prints a command's message.
fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

async fn sandbox_host() -> anyhow::Result<()> {
    let env = Env::of_process();
    config::Environment::from_env(&env)?.check_host(&env)?;
    let mut settings = config::SandboxHost::from_env(&env)?;
    let address = host_address(&env)?;
    if env.var("SANDBOX_HOST_KEY").is_none() {
        config::loopback_only("SANDBOX_HOST_ADDR", address, NO_KEY)?;
    }
    let listener = bind(address, "SANDBOX_HOST_ADDR").await?;
    settings.follow_port(listener.local_addr()?.port());
    let stop = stop_signal()?;
    let host = SandboxHost::start(settings, listener).await?;
    tracing::info!("sandbox host listening on {}", host.url());
    stop.await;
    host.shutdown().await;
    Ok(())
}

fn host_address(env: &Env) -> Result<SocketAddr, config::ConfigError> {
    env.parsed(
        "SANDBOX_HOST_ADDR",
        SocketAddr::from(([127, 0, 0, 1], 3002)),
        "an address and port, such as 127.0.0.1:3002",
        |_| true,
    )
}

/// Begins or ends the draining of the sandbox host that runs on this machine.
async fn drain(is_wanted: bool) -> anyhow::Result<()> {
    let env = Env::of_process();
    let mut address = host_address(&env)?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let key = env.var("SANDBOX_HOST_KEY");
    let key = key.context("set SANDBOX_HOST_KEY to the running host's key")?;
    let host = config::Sandbox::of_host(&format!("http://{address}"), &key, "localhost");
    let asked = sandbox::Client::new(host)?.drain(is_wanted).await;
    asked.with_context(|| format!("the sandbox host at {address} did not do it"))?;
    say(match is_wanted {
        true => {
            "the host takes no new sandboxes; the projects on it move when they are next opened"
        }
        false => "the host takes new sandboxes",
    })
}

async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                anyhow::anyhow!(
                    "{address} is taken by another program; stop it, or set {variable} to another \
                 address"
                )
            }
            _ => anyhow::anyhow!(
                "can't listen on {address}: {error}; set {variable} to another address"
            ),
        })
}

/// Completes at the first SIGINT or SIGTERM from now on. A signal during the start must not end the
/// process with half-made control groups and folders.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("signals can't be listened for");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
