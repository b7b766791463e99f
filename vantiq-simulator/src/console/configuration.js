// The configuration document of the chosen source: typed, checked, applied, and what came of it.

import { byId, setText, submitsWithControlEnter } from './dom.js';
import { showError } from './errors.js';
import { milliseconds, moment } from './format.js';
import { check, objectDemanded, parse, pretty } from './json.js';

/** After so long without a connection it is worth a word. */
const PATIENCE = 10_000;

export class Configuration {
  #drafts = new Map(); // by source: what was typed, and what it was typed over
  #applied = new Map(); // by source: what is awaited
  #source = null;

  constructor(api) {
    this.api = api;
    this.text = byId('configuration-text');
    this.text.addEventListener('input', () => this.#typed());
    byId('configuration').addEventListener('submit', (event) => this.#apply(event));
    byId('configuration-format').addEventListener('click', () => this.#format());
    byId('configuration-revert').addEventListener('click', () => this.#revert());
    submitsWithControlEnter(this.text);
  }

  show(source) {
    const isAnother = source.name !== this.#source?.name;
    this.#source = source;
    const document = pretty(source.config);
    const draft = this.#drafts.get(source.name);
    // What is being typed is nobody's to overwrite.
    if (!draft && (isAnother || this.text.value !== document)) this.#fill(document);
    if (draft && isAnother) this.#fill(draft.text);
    byId('configuration-changed').hidden = !draft || draft.over === document;
    byId('configuration-revert').disabled = !draft;
    if (isAnother) showError(byId('configuration-errors'), null);
    this.#showOutcome(source);
  }

  #fill(text) {
    this.text.value = text;
    this.#check();
  }

  #check() {
    return check(this.text, byId('configuration-check'), objectDemanded);
  }

  #typed() {
    const { name, config } = this.#source;
    const over = this.#drafts.get(name)?.over ?? pretty(config);
    this.#drafts.set(name, { text: this.text.value, over });
    byId('configuration-revert').disabled = false;
    this.#check();
  }

  #format() {
    if (!this.#check()) return;
    this.text.value = pretty(parse(this.text.value));
    this.#typed();
  }

  #revert() {
    this.#drafts.delete(this.#source.name);
    this.show(this.#source);
  }

  async #apply(event) {
    event.preventDefault();
    if (!this.#check()) return this.text.focus();
    const { name, since, link } = this.#source;
    const text = this.text.value;
    showError(byId('configuration-errors'), null);
    this.#applied.set(name, { since, at: Date.now(), hadLink: link !== null, isOver: false });
    try {
      await this.api.configure(name, text);
      this.#settle(name, text);
    } catch (error) {
      this.#applied.delete(name);
      showError(byId('configuration-errors'), error);
    }
    this.#showOutcome(this.#source);
  }

  /** What was typed while it was applied stays a draft, now over what was applied. */
  #settle(name, applied) {
    const draft = this.#drafts.get(name);
    if (!draft || draft.text === applied) this.#drafts.delete(name);
    else draft.over = pretty(parse(applied));
  }

  /** Called with each state; most often there is nothing to say. */
  #showOutcome(source) {
    const applied = this.#applied.get(source.name);
    const place = byId('configuration-state');
    if (applied && !applied.isOver) this.#look(applied, source);
    setText(place, applied?.text ?? '');
    place.dataset.outcome = applied?.outcome ?? '';
    if (source.configurationError === null || !applied?.isOver) return;
    setText(place, `${applied.text} The connector cannot use it: ${source.configurationError}`);
    place.dataset.outcome = 'bad';
  }

  #look(applied, source) {
    const waited = Date.now() - applied.at;
    if (!applied.hadLink) return Object.assign(applied, { isOver: true, outcome: '', text: 'Applied; no connector is attached.' });
    if (source.state === 'connected' && source.since > applied.since) {
      const text = `Applied; connected again since ${moment(source.since)}, after ${milliseconds(waited)}.`;
      // Whether the connector can use it shows in its next answer only, so this is no success yet.
      return Object.assign(applied, { isOver: true, outcome: '', text });
    }
    const still = waited > PATIENCE ? ' It is taking long.' : '';
    return Object.assign(applied, { outcome: 'busy', text: `Reconnecting…${still}` });
  }
}
