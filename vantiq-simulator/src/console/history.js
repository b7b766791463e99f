// What was sent before.

import { byId, element, setText } from './dom.js';
import { moment, shortened } from './format.js';
import { keep, recall } from './keep.js';

const MOST = 50;

export class History {
  #place = -1; // of the entry that the arrows have brought back; -1 is what was being typed
  #draft = null;

  /** `use` is told an entry: `{ kind, text }`. */
  constructor(use) {
    this.use = use;
    this.entries = recall('history', []);
    this.#show();
  }

  add(source, kind, text) {
    const isSame = (entry) => entry.kind === kind && entry.text === text && entry.source === source;
    const others = this.entries.filter((entry) => !isSame(entry));
    this.entries = [{ source, kind, text, at: Date.now() }, ...others].slice(0, MOST);
    keep('history', this.entries);
    this.forget();
    this.#show();
  }

  /** What is typed from now on is new. */
  forget() {
    this.#place = -1;
    this.#draft = null;
  }

  /** Brings back one older (1) or younger (-1); says whether there is one. */
  step(by, draft) {
    const place = this.#place + by;
    if (place < -1 || place >= this.entries.length) return false;
    if (this.#place === -1) this.#draft = draft;
    this.#place = place;
    this.use(place === -1 ? this.#draft : this.entries[place]);
    return true;
  }

  #show() {
    setText(byId('history-count'), this.entries.length);
    byId('history').replaceChildren(...this.entries.map((entry) => this.#item(entry)));
  }

  #item(entry) {
    const use = () => {
      this.forget();
      this.use(entry);
    };
    return element(
      'li',
      {},
      element(
        'button',
        { type: 'button', class: 'link', onclick: use, title: entry.text },
        element('span', { class: 'quiet' }, `${moment(entry.at)} ${entry.kind} ${entry.source}`),
        element('code', {}, shortened(entry.text.replace(/\s+/g, ' '), 120)),
      ),
    );
  }
}
