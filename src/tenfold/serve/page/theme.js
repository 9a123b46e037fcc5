// Light or dark: as the system has it, unless the reader chose. Not a module: it runs before the page is painted.
"use strict";
{
  const system = matchMedia("(prefers-color-scheme: dark)");

  /** @returns {string | null} what the reader chose here before; null also where a browser keeps nothing */
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };

  const show = () => {
    const theme = chosen() ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    const button = document.querySelector("#theme");
    if (button) button.textContent = theme === "dark" ? "Light" : "Dark"; // what a click brings
    document.dispatchEvent(new Event("themechange"));
  };

  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show(); // now there is a button
    document.querySelector("#theme").addEventListener("click", () => {
      const dark = document.documentElement.dataset.theme !== "dark";
      try {
        // What the system says anyway need not be kept: the page then goes on following it.
        if (dark === system.matches) localStorage.removeItem("theme");
        else localStorage.setItem("theme", dark ? "dark" : "light");
      } catch {
        return;
      }
      show();
    });
  });
}
