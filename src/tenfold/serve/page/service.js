/** What the page asks the service for; every address is relative, so a prefix in front of the service does no harm. */

export class Refused extends Error {
  /** @param {string} message @param {number | null} again milliseconds to wait before asking again, if that is of use */
  constructor(message, again = null) {
    super(message);
    this.again = again;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>} the JSON of the answer
 * Throws `Refused` with the service's own words, or with plain ones where it cannot be reached.
 */
export async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("The service does not answer. Is it still running?");
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const again = response.status === 503 ? 1000 * Number(response.headers.get("Retry-After") ?? 1) : null;
  throw new Refused(reason(body) ?? `The service refused (${response.status}).`, again);
}

/** @param {string} path @param {unknown} value */
export const post = (path, value) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

/** @param {any} body @returns {string | null} */
function reason(body) {
  const detail = body?.detail ?? body?.error;
  return typeof detail === "string" ? detail : null;
}
