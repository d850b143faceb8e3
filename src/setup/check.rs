//! What a check is: is it so, make it so, and what to do by hand.

/// What a check finds.
pub(super) enum State {
    /// Nothing is left to do.
    Is(String),
    /// It can be made so, by what this says.
    Missing(String),
    /// What a person must do before CodeFlow works.
    ByHand(String),
    /// What a person should do.
    Advice(String),
}

/// One of the things that make a server.
pub(super) trait Check {
    /// What it is about.
    fn subject(&self) -> String;

    fn look(&self) -> anyhow::Result<State>;

    /// Makes so what [`State::Missing`] says is missing.
    fn make(&self) -> anyhow::Result<()> {
        anyhow::bail!("only a person can do it")
    }

    /// Whether it is of no use before everything that comes earlier is so.
    fn comes_last(&self) -> bool {
        false
    }
}
