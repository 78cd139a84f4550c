"use strict";
(() => {
  const form = document.querySelector("form");
  if (!form) return;
  const items = [...document.querySelectorAll("[data-name]")];
  const search = form.querySelector("input[type=search]");
  const choices = [...form.querySelectorAll("select")];
  const shown = form.querySelector("output");
  const fits = (item) =>
    item.dataset.name.toLowerCase().includes(search.value.trim().toLowerCase()) &&
    choices.every((choice) => !choice.value || (item.dataset[choice.name] || "").split(" ").includes(choice.value));
  const filter = () => {
    let count = 0;
    for (const item of items) {
      item.hidden = !fits(item);
      count += item.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${items.length} shown`;
    for (const group of document.querySelectorAll("[data-group]")) {
      group.hidden = !group.querySelector("[data-name]:not([hidden])");
    }
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  const open = (is) => {
    for (const item of items) if (!item.hidden && item.tagName === "DETAILS") item.open = is;
  };
  form.querySelector("[data-open]")?.addEventListener("click", () => open(true));
  form.querySelector("[data-close]")?.addEventListener("click", () => open(false));
  window.addEventListener("beforeprint", () => open(true));
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      form.reset();
    }
  });
  form.hidden = false;
  filter();
})();
