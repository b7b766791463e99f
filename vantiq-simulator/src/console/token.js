// The access token: from the link that the simulator prints, from last time, or from a person.

import { byId } from './dom.js';
import { keep, recall } from './keep.js';

/** A token may have characters that only look like an escape. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export class Token {
  #waiting = [];

  constructor() {
    this.value = Token.#ofTheLink() ?? recall('token', null);
    this.dialog = byId('token-dialog');
    byId('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#use(byId('token-text').value.trim());
    });
    // There is nothing to see without it.
    this.dialog.addEventListener('cancel', (event) => event.preventDefault());
    // A browser may close it all the same, when Escape is pressed twice.
    this.dialog.addEventListener('close', () => {
      if (this.#waiting.length > 0) this.dialog.showModal();
    });
    window.addEventListener('hashchange', () => {
      const token = Token.#ofTheLink();
      if (token) this.#use(token);
    });
  }

  /** Out of the address at once, so that it is in no bookmark and no screenshot. */
  static #ofTheLink() {
    const [, found] = /^#token=(.+)$/.exec(location.hash) ?? [];
    if (!found) return null;
    const token = decoded(found);
    history.replaceState(null, '', location.pathname);
    keep('token', token);
    return token;
  }

  /** Comes back with a token. */
  async have() {
    return this.value ?? this.#ask('Paste the access token of this simulator.');
  }

  /** Comes back with another token than `used`, which was refused. */
  async haveAnother(used) {
    if (this.value && this.value !== used) return this.value;
    return this.#ask('The simulator refuses the token that this page has. It may have been started anew.');
  }

  #ask(why) {
    this.value = null;
    if (!this.dialog.open) {
      byId('token-why').textContent = why;
      byId('token-text').value = '';
      this.dialog.showModal();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #use(token) {
    if (!token) return;
    this.value = token;
    keep('token', token);
    const waiting = this.#waiting.splice(0);
    this.dialog.close();
    for (const resolve of waiting) resolve(token);
  }
}
