//! The table of access rules: a row for every path of the router. A new page, socket or server
//! function needs a row here.

/// Who may access a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everyone.
    All,
    /// Signed-in users, for their own data.
    SignedIn,
    /// Members of the project; for others it does not exist.
    Read,
    /// Its owner and editors; viewers get 403.
    Write,
    /// Its owner; other members get 403.
    Own,
    /// Its uploader; for others it does not exist.
    Owner,
    /// A page: visitors are redirected to sign in, and other users see nothing of it.
    Page,
    /// A page for administrators.
    AdminPage,
    /// Administrators; for others it does not exist.
    Admin,
}

/// A path as the router has it, and its rule.
pub struct Row {
    pub path: &'static str,
    pub method: &'static str,
    /// The path to request, with the owner's `{owner}`, `{project}`, `{run}`, `{message}` and
    /// `{image}`; if empty, the router's path.
    pub target: &'static str,
    /// The form that goes with it.
    pub form: &'static [(&'static str, &'static str)],
    pub rule: Rule,
}

/// `METHOD "path" at "target" with ["field" = "value"] => Rule;`, without `at` where the path is
/// asked as it stands.
macro_rules! rows {
    ($(
        $method:ident $path:literal
        $(at $target:literal)? $(with [$($name:literal = $value:literal),*])? => $rule:ident;
    )*) => {
        &[$(Row {
            path: $path,
            method: stringify!($method),
            target: concat!("" $(, $target)?),
            form: &[$($(($name, $value)),*)?],
            rule: Rule::$rule,
        }),*]
    };
}

pub const TABLE: &[Row] = rows! {
    GET "/healthz" => All;
    GET "/readyz" => All;
    // By address and token, in `metrics`.
    GET "/metrics" => All;
    // By name, in `previews`.
    GET "/internal/tls-ask" at "/internal/tls-ask?domain=none" => All;
    GET "/" => All;
    GET "/sign-in" => All;
    GET "/sign-up" => All;
    GET "/reset" => All;
    GET "/sign-in/code" => All;
    GET "/confirm" at "/confirm?link=x" => All;
    GET "/sign-in/with/{provider}" at "/sign-in/with/github" => All;
    GET "/sign-in/with/{provider}/back" at "/sign-in/with/github/back" => All;
    GET "/settings" => Page;
    GET "/usage" => Page;
    GET "/pricing" => All;
    // With a slug that nobody has; those of others in `shares`.
    GET "/s/:slug" at "/s/none" => All;
    GET "/s/:slug/source" at "/s/none/source" => All;
    GET "/s/{slug}/picture" at "/s/none/picture" => All;
    // Whose they are, in `private_previews`.
    GET "/preview/{name}" at "/preview/3000-inone" => All;
    GET "/invite/:token" at "/invite/none" => Page;
    GET "/projects/:id" at "/projects/{project}" => Page;
    GET "/admin/runs" => AdminPage;
    GET "/admin/runs/:id" at "/admin/runs/{run}" => AdminPage;
    GET "/admin/users" => AdminPage;
    GET "/admin/projects" => AdminPage;
    GET "/admin/projects/:id" at "/admin/projects/{project}" => AdminPage;
    GET "/admin/sandboxes" => AdminPage;
    GET "/admin/models" => AdminPage;
    GET "/admin/data" => AdminPage;
    GET "/admin/audit" => AdminPage;
    // Its socket is asked below.
    GET "/ws/projects/{id}" at "/ws/projects/{project}" => All;
    GET "/ws/projects/{id}/terminal" at "/ws/projects/{project}/terminal" => All;
    GET "/projects/{id}/download.zip" at "/projects/{project}/download.zip" => Read;
    POST "/api/images" => SignedIn;
    GET "/api/images/{id}" at "/api/images/{image}" => Owner;
    GET "/api/pictures/{id}" at "/api/pictures/{image}" => Owner;
    POST "/api/files/upload" at "/api/files/upload?project={project}&path=a.txt" => Write;
    GET "/api/files/raw" at "/api/files/raw?project={project}&path=app/page.tsx" => Read;
    GET "/api/preferences" => All;
    GET "/api/model" => All;
    GET "/api/usage" => SignedIn;
    GET "/api/usage/report" => SignedIn;
    GET "/api/pricing" => All;
    GET "/api/billing/checkout" => SignedIn;
    GET "/api/billing/portal" => SignedIn;
    POST "/api/billing/webhook" => All;
    GET "/api/showcase/list" => All;
    POST "/api/showcase/use" with ["slug" = "quiz"] => SignedIn;
    POST "/api/projects/create" with ["prompt" = "Build"] => SignedIn;
    GET "/api/projects/list" => SignedIn;
    GET "/api/projects/workspace" at "/api/projects/workspace?project={project}" => Read;
    POST "/api/projects/rename" with ["project" = "{project}", "title" = "Mine"] => Write;
    POST "/api/projects/duplicate" with ["project" = "{project}"] => Read;
    POST "/api/projects/delete" with ["project" = "{project}"] => Own;
    POST "/api/projects/undelete" with ["project" = "{project}"] => Own;
    POST "/api/messages/send" with ["project" = "{project}", "text" = "More"] => Write;
    POST "/api/messages/edit" with ["message" = "{message}", "text" = "More"] => Write;
    POST "/api/messages/improve" with ["text" = "More"] => SignedIn;
    GET "/api/prompts/list" => SignedIn;
    POST "/api/prompts/save" with ["text" = "More"] => SignedIn;
    POST "/api/prompts/change" with ["prompt" = "{run}", "text" = "More"] => SignedIn;
    POST "/api/prompts/delete" with ["prompt" = "{run}"] => SignedIn;
    POST "/api/prompts/undelete" with ["prompt" = "{run}"] => SignedIn;
    POST "/api/messages/retry" with ["message" = "{message}"] => Write;
    POST "/api/messages/remove" with ["message" = "{message}"] => Write;
    GET "/api/projects/history"
        at "/api/projects/history?project={project}&before={message}" => Read;
    GET "/api/runs/step" at "/api/runs/step?run={run}&step=turn-1-terminal-1" => Read;
    POST "/api/preview/attend" with ["project" = "{project}"] => Read;
    GET "/api/preview/log" at "/api/preview/log?project={project}&after=0" => Read;
    // As JSON, below.
    POST "/api/preview/element" => Read;
    POST "/api/preview/element/change" => Write;
    GET "/api/consents/list" at "/api/consents/list?project={project}" => Read;
    POST "/api/consents/forget"
        with ["project" = "{project}", "tool" = "mcp__docs__search"] => Write;
    POST "/api/journeys/play"
        with ["project" = "{project}", "file" = "tests/journeys/a.json"] => Write;
    POST "/api/preview/errors" with ["project" = "{project}"] => Write;
    GET "/api/runs/list" => SignedIn;
    GET "/api/runs/details" at "/api/runs/details?run={run}" => Read;
    GET "/api/runs/events" at "/api/runs/events?run={run}" => Read;
    POST "/api/runs/cancel" with ["run" = "{run}"] => Write;
    POST "/api/runs/replay" with ["run" = "{run}"] => Write;
    GET "/api/files/list" at "/api/files/list?project={project}" => Read;
    GET "/api/files/read" at "/api/files/read?project={project}&path=app/page.tsx" => Read;
    GET "/api/files/saved" at "/api/files/saved?project={project}&path=app/page.tsx" => Read;
    POST "/api/files/write"
        with ["project" = "{project}", "path" = "a.txt", "content" = "a"] => Write;
    POST "/api/files/folder" with ["project" = "{project}", "path" = "a"] => Write;
    POST "/api/files/move" with ["project" = "{project}", "from" = "a", "to" = "b"] => Write;
    POST "/api/files/delete" with ["project" = "{project}", "path" = "a"] => Write;
    GET "/api/files/search" at "/api/files/search?project={project}&text=a" => Read;
    GET "/api/versions/list" at "/api/versions/list?project={project}" => Read;
    GET "/api/versions/view" at "/api/versions/view?project={project}&version=1" => Read;
    POST "/api/versions/restore" with ["project" = "{project}", "version" = "1"] => Write;
    GET "/api/versions/files" at "/api/versions/files?project={project}&version=1" => Read;
    GET "/api/versions/file"
        at "/api/versions/file?project={project}&version=1&path=app/page.tsx" => Read;
    GET "/api/versions/compare" at "/api/versions/compare?project={project}&to=1" => Read;
    GET "/api/versions/diff"
        at "/api/versions/diff?project={project}&to=1&path=app/page.tsx" => Read;
    GET "/api/shares/get" at "/api/shares/get?project={project}" => Own;
    POST "/api/shares/save" with ["project" = "{project}"] => Own;
    POST "/api/shares/end" with ["project" = "{project}"] => Own;
    GET "/api/shares/open" at "/api/shares/open?slug=none" => All;
    GET "/api/shares/source" at "/api/shares/source?slug=none" => All;
    POST "/api/shares/remix" with ["slug" = "none"] => SignedIn;
    // Leaving is in `teams`.
    GET "/api/team/people" at "/api/team/people?project={project}" => Own;
    POST "/api/team/invite" with ["project" = "{project}", "role" = "viewer"] => Own;
    POST "/api/team/revoke" with ["project" = "{project}", "invitation" = "{run}"] => Own;
    POST "/api/team/role"
        with ["project" = "{project}", "user" = "{owner}", "role" = "viewer"] => Own;
    POST "/api/team/remove" with ["project" = "{project}", "user" = "{owner}"] => Own;
    POST "/api/team/leave" with ["project" = "{project}"] => Read;
    // Those of others in `teams`.
    GET "/api/invitations/get" at "/api/invitations/get?token=none" => SignedIn;
    POST "/api/invitations/join" with ["token" = "none"] => SignedIn;
    POST "/api/account/sign-up" with ["email" = "x", "password" = "x"] => All;
    POST "/api/account/sign-in" with ["email" = "x", "password" = "x"] => All;
    POST "/api/account/sign-out" => All;
    POST "/api/account/reset" with ["link" = "x", "password" = "x"] => All;
    POST "/api/account/password" with ["current" = "x", "password" = "x"] => SignedIn;
    POST "/api/account/rename" with ["name" = "x"] => SignedIn;
    GET "/api/account/sessions" => SignedIn;
    POST "/api/account/sessions/end" => SignedIn;
    POST "/api/account/sessions/end-others" => SignedIn;
    GET "/api/account/credits" => SignedIn;
    GET "/api/account/credits/entries" => SignedIn;
    POST "/api/account/delete" with ["current" = "x"] => SignedIn;
    POST "/api/account/sign-in/code" with ["code" = "123456"] => All;
    POST "/api/account/reset-link" with ["email" = "owner@example.com"] => All;
    POST "/api/account/email" with ["email" = "x@example.com", "current" = "x"] => SignedIn;
    POST "/api/account/email/confirm" with ["link" = "x"] => All;
    GET "/api/account/two-step" => SignedIn;
    POST "/api/account/two-step/begin" with ["current" = "x"] => SignedIn;
    POST "/api/account/two-step/confirm" with ["code" = "123456"] => SignedIn;
    POST "/api/account/two-step/codes" with ["current" = "x"] => SignedIn;
    POST "/api/account/two-step/end" with ["current" = "x", "code" = "123456"] => SignedIn;
    GET "/api/account/passkeys" => SignedIn;
    POST "/api/account/passkeys/begin" with ["name" = "x", "current" = "x"] => SignedIn;
    POST "/api/account/passkeys/add" with ["answer" = "{}"] => SignedIn;
    POST "/api/account/passkeys/rename" with ["passkey" = "{run}", "name" = "x"] => SignedIn;
    POST "/api/account/passkeys/remove" with ["passkey" = "{run}"] => SignedIn;
    POST "/api/account/sign-in/passkey/begin" => All;
    POST "/api/account/sign-in/passkey" with ["answer" = "{}"] => All;
    GET "/api/account/export.zip" => SignedIn;
    GET "/api/account/tokens" => SignedIn;
    POST "/api/account/tokens/create" with ["name" = "x"] => SignedIn;
    POST "/api/account/tokens/revoke" with ["token" = "{run}"] => SignedIn;
    GET "/api/account/model-keys" => SignedIn;
    POST "/api/account/model-keys/set"
        with ["provider" = "openai", "key" = "sk-of-the-owner-0123456789"] => SignedIn;
    POST "/api/account/model-keys/test" with ["provider" = "gemini"] => SignedIn;
    POST "/api/account/model-keys/remove" with ["provider" = "openai"] => SignedIn;
    // Asked with a token, and JSON where something is sent.
    POST "/mcp" => SignedIn;
    POST "/api/v1/projects" => SignedIn;
    GET "/api/v1/projects" => SignedIn;
    GET "/api/v1/projects/{id}" at "/api/v1/projects/{project}" => Read;
    POST "/api/v1/projects/{id}/messages"
        at "/api/v1/projects/{project}/messages" with ["text" = "More"] => Write;
    GET "/api/v1/projects/{id}/wait" at "/api/v1/projects/{project}/wait?timeout=0" => Read;
    GET "/api/v1/projects/{id}/files" at "/api/v1/projects/{project}/files" => Read;
    GET "/api/v1/projects/{id}/files/{*path}"
        at "/api/v1/projects/{project}/files/app/page.tsx" => Read;
    GET "/api/v1/projects/{id}/versions" at "/api/v1/projects/{project}/versions" => Read;
    POST "/api/v1/projects/{id}/stop" at "/api/v1/projects/{project}/stop" => Write;
    GET "/api/account/identities" => SignedIn;
    POST "/api/account/identities/link" with ["provider" = "github"] => SignedIn;
    POST "/api/account/identities/unlink" with ["issuer" = "x", "subject" = "x"] => SignedIn;
    GET "/api/admin/notice" => Admin;
    GET "/api/admin/users" => Admin;
    POST "/api/admin/users/plan" with ["user" = "{owner}", "plan" = "pro"] => Admin;
    POST "/api/admin/users/role" with ["user" = "{owner}", "role" = "admin"] => Admin;
    POST "/api/admin/users/disable" with ["user" = "{owner}"] => Admin;
    POST "/api/admin/users/enable" with ["user" = "{owner}"] => Admin;
    POST "/api/admin/users/reset-link" with ["user" = "{owner}"] => Admin;
    POST "/api/admin/users/sign-in" with ["user" = "{owner}"] => Admin;
    POST "/api/admin/invitations/make" with ["days" = "7"] => Admin;
    POST "/api/admin/invitations/revoke" with ["invitation" = "{run}"] => Admin;
    GET "/api/admin/audit" => Admin;
    GET "/api/admin/projects" => Admin;
    GET "/api/admin/project" at "/api/admin/project?project={project}&file=app/page.tsx" => Admin;
    GET "/api/admin/sandboxes" => Admin;
    POST "/api/admin/sandboxes/kill" with ["sandbox" = "{project}"] => Admin;
    GET "/api/admin/models" => Admin;
    POST "/api/admin/models/test" with ["alternative" = "0", "task" = "code"] => Admin;
    GET "/api/admin/data" at "/api/admin/data?filter[table]=projects" => Admin;
};
