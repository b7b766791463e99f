// What connectors did that the protocol forbids.

import { byId, element, setText } from './dom.js';
import { counted } from './format.js';

export class Violations {
  #shown = '';

  constructor() {
    this.button = byId('violations');
    this.dialog = byId('violations-dialog');
    this.button.addEventListener('click', () => this.dialog.showModal());
    byId('violations-close').addEventListener('click', () => this.dialog.close());
  }

  show({ violations }) {
    this.button.hidden = violations.length === 0;
    setText(this.button, counted(violations.length, 'violation'));
    const all = JSON.stringify(violations);
    if (all === this.#shown) return;
    this.#shown = all;
    byId('violations-list').replaceChildren(...violations.map((text) => element('li', {}, text)));
  }
}
