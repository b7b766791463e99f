// Deleting a source, which a person has to confirm.

import { byId, setText } from './dom.js';
import { showError } from './errors.js';

export class Removal {
  #name = null; // the one that is asked about; another may be chosen meanwhile

  /** `removed` is told when a source is gone. */
  constructor(api, removed) {
    Object.assign(this, { api, removed });
    this.dialog = byId('delete-dialog');
    byId('delete-cancel').addEventListener('click', () => this.dialog.close());
    byId('delete-form').addEventListener('submit', (event) => this.#remove(event));
  }

  ask(source) {
    this.#name = source.name;
    setText(byId('delete-title'), `Delete ${source.name}?`);
    byId('delete-attached').hidden = source.link === null;
    showError(byId('delete-errors'), null);
    this.dialog.showModal();
  }

  async #remove(event) {
    event.preventDefault();
    const place = byId('delete-errors');
    try {
      await this.api.remove(this.#name);
      this.dialog.close();
      this.removed();
    } catch (error) {
      showError(place, error);
    }
  }
}
