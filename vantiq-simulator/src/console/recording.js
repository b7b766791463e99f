// The frames that the simulator keeps, as a file.

import { showError } from './errors.js';
import { byId, element, say } from './dom.js';
import { bytes } from './format.js';

export class Recording {
  constructor(api) {
    this.api = api;
    this.button = byId('export');
    this.button.addEventListener('click', () => this.#download());
  }

  async #download() {
    const place = byId('export-state');
    this.button.disabled = true;
    say(place, 'Exporting…');
    try {
      const blob = await this.api.download('/simulator/frames?events=true');
      const name = `recording-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.jsonl`;
      offer(blob, name);
      say(place, `${name}, ${bytes(blob.size)}`);
    } catch (error) {
      showError(place, error);
    } finally {
      this.button.disabled = false;
      setTimeout(() => say(place, null), 8000);
    }
  }
}

function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
