/**
 * The answer: asked for while one draws, one question at a time, and only the newest answer is shown.
 *
 * @typedef {{verdict: string, label: string | null, top: [string, number][], probabilities: Record<string, number> | null,
 *   confidence: number | null, image?: number[][] | null, steps?: {title: string, picture: string}[], maps?: object[]}} Answer
 */

import { ask, Refused } from "./service.js";
import { $, a, element, kind, percent } from "./words.js";

const QUIET = 700; // milliseconds without a change before the answer is spoken
const SEEN = 100; // milliseconds after which, while one draws on, what the network sees is shown anew

export class Asker extends EventTarget {
  #pad;
  #asking = false;
  #stale = false;
  #seen = 0; // when what the network sees was asked for last

  /** @param {import("./pad.js").Pad} pad */
  constructor(pad) {
    super();
    this.#pad = pad;
    pad.addEventListener("change", () => this.again());
  }

  /** Ask about what the pad shows now, as soon as the answer under way is there. */
  async again() {
    this.#stale = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#stale) {
      this.#stale = false;
      try {
        await this.#ask("predict"); // the answer alone comes sooner
        if (this.#stale && performance.now() - this.#seen < SEEN) continue;
        this.#seen = performance.now();
        await this.#ask("predict?steps=1&maps=1");
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (error.again === null) this.#tell({ verdict: "refused", words: error.message });
        else {
          this.#stale = true;
          await new Promise((resolve) => setTimeout(resolve, error.again));
        }
      }
    }
    this.#asking = false;
  }

  /** @param {string} path */
  async #ask(path) {
    if (this.#pad.empty) return this.#tell(null);
    const file = this.#pad.file();
    const answer = await ask(path, { method: "POST", headers: { "Content-Type": file.type }, body: file });
    this.#tell(this.#pad.empty ? null : answer); // it may have been cleared meanwhile
  }

  /** @param {Answer | {verdict: "refused", words: string} | null} answer */
  #tell(answer) {
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }
}

/** Make a bar for each class. @param {string[]} classes */
export function makeBars(classes) {
  $("bars").replaceChildren(
    ...classes.map((name) => {
      const row = element("li");
      row.dataset.name = name;
      const bar = element("span", "", "bar");
      bar.setAttribute("aria-hidden", "true");
      bar.append(element("span"));
      row.append(element("span", name, "name"), bar, element("span", "", "share"));
      return row;
    }),
  );
}

/** @param {Answer | any} answer null: nothing is drawn */
export function showAnswer(answer) {
  const { glyph, words, detail } = say(answer);
  const verdict = /** @type {HTMLElement} */ (document.querySelector(".verdict"));
  verdict.dataset.verdict = answer?.verdict ?? "empty";
  $("digit").textContent = glyph;
  $("words").textContent = words;
  $("detail").textContent = detail;
  const shares = answer?.probabilities ?? {};
  const best = ["sure", "likely"].includes(answer?.verdict) ? answer.label : null;
  for (const row of $("bars").children) {
    const share = shares[row.dataset.name];
    row.classList.toggle("best", row.dataset.name === best);
    row.querySelector(".bar > span").style.transform = `scaleX(${share ?? 0})`;
    row.querySelector(".share").textContent = share === undefined ? "" : percent(share);
  }
  speak(answer ? `${words} ${detail}` : "");
}

/** @param {Answer | any} answer @returns {{glyph: string, words: string, detail: string}} */
function say(answer) {
  switch (answer?.verdict) {
    case undefined:
      return { glyph: "·", words: `Waiting for a ${kind}.`, detail: "The answer comes while you draw." };
    case "sure":
      return { glyph: answer.label, words: `This is ${a(answer.label)}.`, detail: `${percent(answer.confidence)} sure.` };
    case "likely":
      return { glyph: answer.label, words: `Probably ${a(answer.label)}.`, detail: `${percent(answer.confidence)} likely.` };
    case "unsure": {
      const likely = answer.top.filter(([, share], at) => at === 0 || share > 0.02);
      const names = likely.map(([name, share]) => `${name} (${percent(share, 0)})`);
      return { glyph: "?", words: "Not sure.", detail: `Perhaps ${names.join(" or ")}.` };
    }
    case "no digit found":
    case "no character found":
      return { glyph: "–", words: `No ${kind} found.`, detail: `Draw one ${kind}; its size and place do not matter.` };
    case "several digits":
      return { glyph: "…", words: "Several digits.", detail: "One at a time, please." };
    default:
      return { glyph: "!", words: "No answer.", detail: answer.words };
  }
}

let timer = 0;

/** Have a screen reader say it, once the drawing has come to rest. @param {string} text */
function speak(text) {
  clearTimeout(timer);
  timer = setTimeout(() => ($("spoken").textContent = text), text ? QUIET : 0);
}
