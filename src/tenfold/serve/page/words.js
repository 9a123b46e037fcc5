/** Small things that several modules say and make. */

/** @param {string} id @returns {any} the element of the page that has it */
export const $ = (id) => document.getElementById(id);

/** @param {string} name @param {string} [text] @param {string} [className] @returns {HTMLElement} */
export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** The word for what the model reads. */
export let kind = "digit";

/** Say what the model reads: digits, or characters of any kind. @param {string[]} classes */
export function setKind(classes) {
  kind = classes.every((name) => /^[0-9]$/.test(name)) ? "digit" : "character";
  document.title = `Tenfold: draw a ${kind}`;
  for (const place of document.querySelectorAll(".kind")) place.textContent = kind;
}

/** @param {number} share @param {number} [digits] @returns {string} never rounded up to certainty */
export function percent(share, digits = 1) {
  if (share === 1) return "100%";
  const most = 100 - 10 ** -digits;
  return `${Math.min(share * 100, most).toFixed(digits)}%`;
}

/** @param {string} name of a class @returns {string} "a 7", "an 8" */
export const a = (name) => `${/^[8aefhilmnorsx]$/i.test(name) ? "an" : "a"} ${name}`;
