// Shows what is typed and chosen above the fleet without a press on the button. The form works without it.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;

  const TYPING_MS = 250;
  const DEFAULTS = { show: "all", sort: "verdict" };
  let timer = 0;

  function address(form) {
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value && DEFAULTS[name] !== value) asked.append(name, value);
    }
    const said = asked.toString();
    return said ? `/?${said}` : "/";
  }

  function show(form) {
    clearTimeout(timer);
    history.replaceState(null, "", address(form));
    main.dispatchEvent(new Event("asked"));
  }

  main.addEventListener("input", (event) => {
    const form = event.target.closest("[data-choosing]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(show, event.target.tagName === "SELECT" ? 0 : TYPING_MS, form);
  });
  main.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-choosing]")) return;
    event.preventDefault();
    show(event.target);
  });
})();
