import * as React from "react";

const MOBILE_QUERY = "(max-width: 767px)";

function subscribe(changed: () => void) {
  const query = window.matchMedia(MOBILE_QUERY);
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}

/** Whether the window is narrower than 768 px; false on the server. */
export function useIsMobile() {
  return React.useSyncExternalStore(
    subscribe,
    () => window.matchMedia(MOBILE_QUERY).matches,
    () => false,
  );
}
