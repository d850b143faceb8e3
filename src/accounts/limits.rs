//! How much one account, and one address, may ask for in a while. It is counted before a request's
//! body is read.

use std::time::Duration;

use super::{AccountError, Accounts, Client, Identity, sign_in::network, throttle::Rate};

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What starts a run.
    Prompt,
    Upload,
    /// A browser in which a journey is played.
    Journey,
    /// A feed or a terminal, which also wakes a sandbox.
    Socket,
}

impl Effort {
    /// So many of one account at once, then one more after each pause. An address may be that of
    /// many people, and has four times as much.
    fn rate(self) -> Rate {
        let (burst, pause) = match self {
            Self::Prompt => (200, Duration::from_secs(2)),
            Self::Upload => (120, Duration::from_secs(1)),
            Self::Journey => (40, Duration::from_secs(5)),
            Self::Socket => (240, Duration::from_secs(1)),
        };
        Rate { burst, pause }
    }
}

impl Accounts {
    /// Counts what is asked for; `TooMany` when that is more than one may. Without accounts
    /// everybody is one's own guest.
    pub fn admit(
        &self,
        effort: Effort,
        identity: Option<&Identity>,
        client: &Client,
    ) -> Result<(), AccountError> {
        if !self.are_on() {
            return Ok(());
        }
        let rate = effort.rate();
        if let Some(identity) = identity {
            self.count(format!("{effort:?} of {}", identity.user), rate)?;
        }
        let of_address = Rate {
            burst: rate.burst * 4,
            pause: rate.pause / 4,
        };
        let address = network(client.address);
        self.count(format!("{effort:?} from {address}"), of_address)
    }
}
