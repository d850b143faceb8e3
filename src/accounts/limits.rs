//! How much one account, and one address, may ask for in a while. Requests are counted before their
//! body is read.

use std::time::Duration;

use super::{AccountError, Accounts, Client, Identity, sign_in::network, throttle::Rate};

/// A kind of work that is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Requests that start a run.
    Prompt,
    Upload,
    /// A browser in which a journey is played.
    Journey,
    /// A feed or a terminal, which also wakes a sandbox.
    Socket,
}

impl Effort {
    /// The burst of one account and the pause after which it may make another request. An address
    /// may be shared by many people, so it gets four times as much.
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
    /// Counts a request; `TooMany` above the limit. Without accounts nothing is limited by account.
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
