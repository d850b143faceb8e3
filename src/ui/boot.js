// Runs before the first paint: remembered preferences must not flash.
(() => {
  const root = document.documentElement;
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const theme = stored("theme");
    root.classList.toggle("dark", theme ? theme === "dark" : dark.matches);
  };
  paint();
  dark.addEventListener("change", paint);
  const width = Number(stored("chat-width"));
  if (width) root.style.setProperty("--chat-width", `${width}px`);
  root.dataset.demoNotice = stored("demo-notice") ?? "open";
})();
