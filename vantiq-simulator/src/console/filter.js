// Which frames the timeline shows.

import { byId, element } from './dom.js';
import { keep, recall } from './keep.js';

const FIELDS = ['text', 'source', 'op', 'direction'];
/** What the simulator cannot pick out, as these frames have no operation. */
const SORTS = ['answer', 'acknowledgement', 'error', 'event'];

export class Filter {
  /** `changed` is told whether more than the text changed. */
  constructor(changed) {
    this.fields = Object.fromEntries(FIELDS.map((name) => [name, byId(`filter-${name}`)]));
    this.#recall();
    const tell = (event) => {
      keep('filter', this.#values());
      changed(event.target !== this.fields.text);
    };
    const form = byId('filters');
    form.addEventListener('input', tell);
    form.addEventListener('submit', (event) => event.preventDefault());
    // Before the fields are empty; what they are then is what counts.
    form.addEventListener('reset', (event) => setTimeout(() => tell(event)));
  }

  get text() {
    return this.fields.text;
  }

  get isOn() {
    return Object.values(this.#values()).some((value) => value !== '');
  }

  clearText() {
    this.text.value = '';
    this.text.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** The sources to choose among; one that is chosen stays. */
  offer(names) {
    const select = this.fields.source;
    const wanted = new Set([...names, select.value].filter((name) => name !== ''));
    const have = new Set([...select.options].map((option) => option.value));
    if ([...wanted].every((name) => have.has(name)) && wanted.size === have.size - 1) return;
    const chosen = select.value;
    const options = [...wanted].map((name) => element('option', { value: name }, name));
    select.replaceChildren(select.options[0], ...options);
    select.value = chosen;
  }

  /** A test for frames, as the fields are now. */
  test() {
    const { text, source, op, direction } = this.#values();
    const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
    return (frame) =>
      (source === '' || frame.isAbout(source)) &&
      (direction === '' || frame.direction === direction) &&
      (op === '' || (op === 'error' ? frame.isError : frame.sort === op)) &&
      words.every((word) => frame.search.includes(word));
  }

  /** What of it the simulator can do, as query parameters. */
  parameters() {
    const { source, op, direction } = this.#values();
    const chosen = Object.entries({ source, direction, op: SORTS.includes(op) ? '' : op });
    return Object.fromEntries(chosen.filter(([, value]) => value !== ''));
  }

  #values() {
    return Object.fromEntries(FIELDS.map((name) => [name, this.fields[name].value]));
  }

  #recall() {
    const values = recall('filter', {});
    if (values.source) this.offer([values.source]);
    for (const name of FIELDS) this.fields[name].value = values[name] ?? '';
  }
}
