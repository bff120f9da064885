// Takes the code out of the link that was printed at the start: what stands behind the # is never sent to a server.
"use strict";

(() => {
  const field = document.getElementById("setup-code");
  if (!field || location.hash.length < 2) return;
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
})();
