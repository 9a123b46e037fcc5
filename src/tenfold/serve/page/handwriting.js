/** Own handwriting: keep drawings, with what they show; have the model learn from them; go back. */

import { ask, post, Refused } from "./service.js";
import { $, a, element, percent } from "./words.js";

const ROUNDS = 2; // of all classes, that are asked for
const LOOK = 300; // milliseconds between two looks at how far the learning is

/**
 * @typedef {{correct: number, total: number, accuracy: number, interval: [number, number]}} Score
 * @typedef {{before: Score, after: Score}} Change
 * @typedef {{folder: string, counts: Record<string, number>, last: {id: string, label: string} | null, why_not: string | null,
 *   learning: {title: string, share: number} | null, trouble: string | null,
 *   result: {own: Change, known: Change | null, dataset: string, seconds: number} | null}} Status
 */

export class Handwriting {
  #pad;
  #asker;
  #describe;
  /** @type {Status} */ #status;
  /** @type {string | null} the class that is asked for */ #asked = null;
  #keptOf = 0; // drawings kept since the asking began
  /** @type {Map<string, number>} how often a class was skipped */ #skipped = new Map();

  /**
   * @param {import("./pad.js").Pad} pad
   * @param {import("./answer.js").Asker} asker
   * @param {() => Promise<unknown>} describe shows what the model is
   */
  constructor(pad, asker, describe) {
    [this.#pad, this.#asker, this.#describe] = [pad, asker, describe];
  }

  /** @param {string[]} classes */
  async start(classes) {
    await this.#try(async () => {
      this.#status = await ask("handwriting"); // before it is here, nothing can be asked for
      this.#listen(classes);
      this.#show();
      $("own").hidden = false;
      await this.#follow();
    });
    $("own").hidden = false; // to say why not
  }

  /** @param {string[]} classes */
  #listen(classes) {
    $("labels").append(
      ...classes.map((name) => {
        const button = element("button", name);
        button.setAttribute("type", "button");
        button.addEventListener("click", () => this.#keep(name));
        return button;
      }),
    );
    this.#pad.addEventListener("change", () => this.#show());
    $("pad").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.#asked !== null) this.#keep(this.#asked);
    });
    $("prompts").addEventListener("click", () => this.#startAsking());
    $("prompt-keep").addEventListener("click", () => this.#keep(this.#asked));
    $("prompt-skip").addEventListener("click", () => this.#skip());
    $("prompt-stop").addEventListener("click", () => this.#stopAsking());
    $("delete-last").addEventListener("click", () => this.#deleteLast());
    $("learn").addEventListener("click", () => this.#learn());
    $("back").addEventListener("click", () => this.#back());
  }

  /** Do what may be refused, and say so. @param {() => Promise<void>} work */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#say(error.message);
    }
  }

  /** @param {string} text */
  #say(text) {
    $("own-status").textContent = text;
  }

  /** @param {Status} status */
  #take(status) {
    this.#status = status;
    this.#show();
  }

  /** @param {string | null} label */
  async #keep(label) {
    if (label === null || this.#pad.empty) return;
    await this.#try(async () => {
      await post("handwriting", { label, picture: this.#pad.png() });
      this.#pad.clear();
      this.#take(await ask("handwriting"));
      this.#say(`Kept as ${a(label)}.`);
      if (this.#asked !== null) {
        this.#keptOf++;
        this.#askNext();
      }
      $("pad").focus({ preventScroll: true });
    });
  }

  // Asking for classes, those with the fewest drawings first

  #startAsking() {
    this.#keptOf = 0;
    this.#skipped.clear();
    this.#pad.clear();
    this.#askNext();
    $("prompt").scrollIntoView({ block: "start" });
    $("pad").focus({ preventScroll: true });
  }

  #askNext() {
    const names = Object.keys(this.#status.counts);
    if (this.#keptOf >= ROUNDS * names.length) {
      this.#stopAsking();
      this.#say("Thank you. Now it can learn from your drawings.");
      $("own").scrollIntoView({ block: "nearest" });
      return;
    }
    const count = (/** @type {string} */ name) => this.#status.counts[name] + (this.#skipped.get(name) ?? 0);
    const fewest = Math.min(...names.map(count));
    const open = names.filter((name) => count(name) === fewest);
    this.#asked = open[Math.floor(Math.random() * open.length)];
    $("prompt-text").textContent = `Draw ${a(this.#asked)}`;
    $("prompt-count").textContent = `${this.#keptOf + 1} of ${ROUNDS * names.length}`;
    this.#show();
  }

  #skip() {
    this.#skipped.set(this.#asked, (this.#skipped.get(this.#asked) ?? 0) + 1);
    this.#pad.clear();
    this.#askNext();
  }

  #stopAsking() {
    this.#asked = null;
    this.#show();
    $("prompts").focus({ preventScroll: true });
  }

  async #deleteLast() {
    await this.#try(async () => {
      const { id, label } = this.#status.last;
      this.#take(await ask(`handwriting/${id}`, { method: "DELETE" }));
      this.#say(`Deleted the last drawing, ${a(label)}.`);
    });
  }

  // Learning

  async #learn() {
    await this.#try(async () => {
      this.#say("");
      this.#take(await ask("handwriting/learn", { method: "POST" }));
      await this.#follow();
      this.#say(this.#status.trouble ?? `Learnt in ${this.#status.result.seconds.toFixed(1)} seconds. The new model answers from now on.`);
    });
  }

  /** Show how far the learning is, until it is done. */
  async #follow() {
    if (!this.#status.learning) return;
    while (this.#status.learning) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      this.#take(await ask("handwriting"));
    }
    await this.#changed();
  }

  async #back() {
    await this.#try(async () => {
      this.#take(await ask("handwriting/back", { method: "POST" }));
      await this.#changed();
      this.#say("The previous model answers again.");
    });
  }

  /** Another model answers now. */
  async #changed() {
    await this.#describe();
    await this.#asker.again();
  }

  #show() {
    const { folder, counts, last, why_not: whyNot, learning, result } = this.#status;
    $("own-text").textContent = `What you keep is in ${folder} on this computer, and nothing else of what you draw.`;
    $("counts").replaceChildren(
      ...Object.entries(counts).map(([name, count]) => {
        const item = element("li");
        item.append(element("b", name), element("span", `${count}`, "note"));
        return item;
      }),
    );
    $("prompt").hidden = this.#asked === null;
    $("prompt-keep").disabled = this.#pad.empty;
    $("correct").hidden = this.#asked !== null || this.#pad.empty;
    $("prompts").disabled = this.#asked !== null;
    $("delete-last").disabled = last === null;
    $("learn").disabled = whyNot !== null || learning !== null;
    $("why-not").textContent = whyNot ?? "";
    $("learning").hidden = $("learning-title").hidden = learning === null;
    if (learning) {
      $("learning-title").textContent = learning.title;
      // All of one thing done and the next not begun yet: how long that takes is not known.
      if (learning.share < 1) $("learning").value = learning.share;
      else $("learning").removeAttribute("value");
    }
    $("back").hidden = $("result").hidden = result === null || learning !== null;
    if (result) {
      const rows = [row("Your drawings", result.own)];
      if (result.known) rows.push(row(`${result.dataset}, validation`, result.known));
      $("result-rows").replaceChildren(...rows);
    }
  }
}

/** @param {string} title @param {Change} change */
function row(title, { before, after }) {
  const line = element("tr"), heading = element("th", title);
  heading.setAttribute("scope", "row");
  line.append(heading);
  for (const { correct, total, accuracy, interval } of [before, after]) {
    const cell = element("td");
    const digits = total < 1000 ? 1 : 2;
    const [low, high] = interval.map((end) => percent(end, digits));
    const detail = `${correct.toLocaleString("en")} of ${total.toLocaleString("en")}, ${low} to ${high}`;
    cell.append(element("b", percent(accuracy, digits)), element("small", detail));
    line.append(cell);
  }
  const points = (after.accuracy - before.accuracy) * 100;
  line.append(element("td", `${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(after.total < 1000 ? 1 : 2)} points`));
  return line;
}
