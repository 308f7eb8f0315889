// Folded sections: opened all at once, by a link into them, and on paper.
(() => {
  "use strict";
  const parts = [...document.querySelectorAll("details")];
  const button = document.getElementById("open-all");
  const named = () => document.getElementById(location.hash.slice(1).split("&")[0]);
  const reveal = () => named()?.closest("details")?.setAttribute("open", "");
  const tell = () => { button.textContent = parts.every((part) => part.open) ? "Close all" : "Open all"; };
  button.hidden = !parts.length;
  button.addEventListener("click", () => {
    const open = !parts.every((part) => part.open);
    for (const part of parts) part.open = open;
    tell();
  });
  for (const part of parts) part.addEventListener("toggle", tell);
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = parts.filter((part) => !part.open);
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
  addEventListener("hashchange", reveal);
  reveal();
})();
