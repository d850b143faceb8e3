//! The cost of the models' answers.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, UsageReport, UserUsage};

/// Tokens and money of each user's runs so far.
#[server(prefix = "/api", endpoint = "usage", input = GetUrl, output = Json)]
pub async fn list_usage() -> Result<Vec<UserUsage>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().usage().await)
}

/// The usage of the user's own runs in the last 30 days, by day and by model.
#[server(prefix = "/api", endpoint = "usage/report", input = GetUrl, output = Json)]
pub async fn get_usage_report() -> Result<UsageReport, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().usage_report().await)
}
