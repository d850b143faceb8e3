export const THEME_KEY = "theme";

/** Runs before the first paint, so that the page never flashes in the wrong theme. */
export const themeScript = `(function () {
  var stored = null;
  try {
    stored = localStorage.getItem("${THEME_KEY}");
  } catch (error) {}
  var dark = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  var root = document.documentElement;
  root.classList.toggle("dark", dark);
  root.style.colorScheme = dark ? "dark" : "light";
})()`;
