//! What a checked page can reach through the only exit of its browser's namespace: its app, but
//! neither the server behind the relay nor other parts of the sandbox.

use super::hostile::checked;

/// Asks the relay's own port under every name for what the server, its control plane and the
/// sandbox's envd answer, and says on the console what of it was reached.
const PAGE: &str = r#"<h1>Shop</h1><script>
const reached = [], tried = [];
const attempt = (what, reaching) => tried.push(reaching.then((was) => was && reached.push(what), () => {}));
const names = ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "builder.localhost", "x." + location.hostname,
  location.hostname.replace(/^\d+/, "49983"), location.hostname.replace(/-.*?\./, "-other.")];
for (const name of names) for (const port of [":3000", ""]) {
  const at = name + port;
  for (const path of ["/healthz", "/v2/sandboxes", "/api/usage", "/health"]) {
    attempt(at + path, fetch(`http://${at}${path}`, { mode: "no-cors" }).then(() => true));
  }
  attempt(`POST ${at}`, fetch(`http://${at}/api/projects/create`, { method: "POST", mode: "no-cors", body: new URLSearchParams({ prompt: "Build" }) }).then(() => true));
  // The browser slows down whoever opens many sockets in vain.
  if (names.indexOf(name) < 2 && port) attempt(`ws://${at}`, new Promise((resolve, reject) => Object.assign(new WebSocket(`ws://${at}/ws/projects/1`), { onopen: () => resolve(true), onerror: reject })));
}
// Its own name leads to the app, whatever else a request says and asks for.
const id = location.hostname.split(".")[0].replace(/^\d+-/, "");
const isApp = (answer) => answer.text().then((text) => !text.includes("<h1>Shop</h1>"));
for (const path of ["/healthz", "/v2/sandboxes", "/api/usage", "/health", "/files?path=/etc/passwd", "/envs", "/metrics"]) {
  for (const headers of [{}, { "e2b-sandbox-id": id, "e2b-sandbox-port": "49983" }, { "x-api-key": "e2b_test", "x-forwarded-host": "localhost" }]) {
    attempt(path + JSON.stringify(headers), fetch(path, { headers }).then(isApp));
  }
}
Promise.all(tried).then(() => console.error(`reached ${reached.length} of ${tried.length}: ${reached}`));
</script>"#;

#[tokio::test]
async fn a_page_reaches_its_app_through_the_relay_and_no_other_part_of_the_server() {
    let (_run, output) = checked(PAGE).await;
    assert!(output.contains("reached 0 of 1"), "{output}");
}
