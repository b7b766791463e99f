// A stream of lines that is opened again, each second, for as long as the simulator is away.

import { Away, Refused } from './api.js';

const AGAIN_AFTER = 1000;

export class Follow {
  #abort = null;

  /**
   * `path` gives what to ask for, each time anew; `line` is told each line, with whether it is the first since
   * the stream was opened; `away` is told when it has ended.
   */
  constructor(api, { path, line, away }) {
    Object.assign(this, { api, path, line, away });
    // A browser has six connections to a server, for all pages together: one that nobody sees leaves them to others.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#abort?.abort();
    });
  }

  /** Does not come back. */
  async run() {
    for (;;) {
      await seen();
      const again = await this.#once();
      if (!again) await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
    }
  }

  /** Ends the stream and opens it again at once, for another path. */
  reopen() {
    this.#abort?.abort();
  }

  async #once() {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      let first = true;
      for await (const text of this.api.lines('GET', this.path(), undefined, abort.signal)) {
        if (abort.signal.aborted) break;
        this.line(text, first);
        first = false;
      }
    } catch (error) {
      // What is wrong in the page itself shall be seen.
      if (!(error instanceof Away || error instanceof Refused)) console.error(error);
    }
    if (abort.signal.aborted) return true;
    this.away();
    return false;
  }
}

function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener('visibilitychange', () => resolve(seen()), { once: true });
  });
}
