// The little that pages do by themselves: theme, time zone, copying, keys. Loaded before anything is drawn.
(() => {
  const root = document.documentElement;
  const remember = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/console; max-age=31536000; samesite=lax`;
  };
  const stored = (name) => {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  };

  const dark = () => {
    const chosen = stored("headwater_theme");
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const paint = () => {
    const isDark = dark();
    root.dataset.theme = isDark ? "dark" : "light";
    if (window.Quasar) window.Quasar.Dark.set(isDark);
  };
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.addEventListener("DOMContentLoaded", () => requestAnimationFrame(paint));

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && stored("headwater_zone") !== zone) remember("headwater_zone", zone);

  document.addEventListener("click", (event) => {
    const toggles = event.target.closest("[data-menu-toggle]");
    root.classList.toggle("menu-open", Boolean(toggles) && !root.classList.contains("menu-open"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") root.classList.remove("menu-open");
  });

  document.addEventListener("click", async (event) => {
    const element = event.target.closest("[data-copy],[data-theme-toggle]");
    if (!element) return;
    if (element.hasAttribute("data-theme-toggle")) {
      remember("headwater_theme", dark() ? "light" : "dark");
      paint();
      return;
    }
    const text = element.dataset.copy || element.closest(".copyable")?.querySelector("pre,code")?.textContent || "";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    element.classList.add("copied");
    setTimeout(() => element.classList.remove("copied"), 1200);
  });

  // Whatever notices that the session has ended leads to sign-in: the first does, as a second would call the first off.
  let left = -Infinity;
  window.leaveOnce = (go) => {
    if (performance.now() - left < 10000) return;
    left = performance.now();
    go();
  };

  // Pages rest while nobody looks at them, and a page whose session has ended while it was cut off asks to sign in.
  const seen = () => {
    if (window.did_handshake) emitEvent("shown", !document.hidden);
    else if (document.hidden) setTimeout(seen, 1000);
  };
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("DOMContentLoaded", () => {
    if (document.hidden) seen();
    const refused = async () => {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" }).catch(() => null);
      if (answer?.type === "opaqueredirect") window.leaveOnce(() => location.reload());
    };
    const follow = () => (window.socket ? window.socket.on("connect_error", refused) : setTimeout(follow, 50));
    if (!document.body.classList.contains("sign-in")) follow();
  });

  // `g` and a letter go to a page of the menu; `/` goes to the first search field.
  let leading = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input,textarea,select,[contenteditable=true],.cm-editor");
    if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.key === "/") {
      const field = document.querySelector("input[type=search],.search input");
      if (field) {
        event.preventDefault();
        field.focus();
      }
    } else if (leading) {
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (link) location.assign(link.getAttribute("href"));
      leading = false;
    } else {
      leading = event.key === "g";
    }
  });
})();
