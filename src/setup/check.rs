//! A check: whether a requirement is met, how to meet it, and what to do by hand.

/// The result of a check.
pub(super) enum State {
    /// The requirement is met.
    Is(String),
    /// The requirement is not met; setup can do what the text says.
    Missing(String),
    /// A person must do this before CodeFlow works.
    ByHand(String),
    /// A person should do this.
    Advice(String),
}

/// One requirement of a server.
pub(super) trait Check {
    /// The name of the requirement.
    fn subject(&self) -> String;

    fn look(&self) -> anyhow::Result<State>;

    /// Does what [`State::Missing`] described.
    fn make(&self) -> anyhow::Result<()> {
        anyhow::bail!("only a person can do it")
    }

    /// Whether it can only succeed once all earlier checks are met.
    fn comes_last(&self) -> bool {
        false
    }
}
