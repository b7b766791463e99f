// The list of sources, choosing one, and making a new one.

import { byId, element, say, setAttribute, setText } from './dom.js';
import { count, moment, time } from './format.js';
import { showError } from './errors.js';
import { check, objectDemanded } from './json.js';

export class Sources {
  #entries = new Map(); // by name

  /** `choose` is told a name. */
  constructor(api, choose) {
    Object.assign(this, { api, choose });
    byId('source-new').addEventListener('click', () => this.#openNew());
    byId('new-cancel').addEventListener('click', () => byId('new-dialog').close());
    byId('new-form').addEventListener('submit', (event) => this.#create(event));
    byId('new-config').addEventListener('input', () => this.#check());
  }

  show(sources, chosen) {
    const list = byId('source-list');
    const names = new Set(sources.map((source) => source.name));
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue;
      entry.node.remove();
      this.#entries.delete(name);
    }
    sources.forEach((source, index) => {
      const entry = this.#entry(source.name);
      entry.show(source, source.name === chosen);
      if (list.children[index] !== entry.node) list.insertBefore(entry.node, list.children[index] ?? null);
    });
    setText(byId('sources-count'), count(sources.length));
    byId('sources-none').hidden = sources.length > 0;
  }

  #entry(name) {
    if (!this.#entries.has(name)) this.#entries.set(name, new Entry(name, () => this.choose(name)));
    return this.#entries.get(name);
  }

  #openNew() {
    showError(byId('new-errors'), null);
    this.#check();
    byId('new-dialog').showModal();
  }

  #check() {
    return check(byId('new-config'), byId('new-check'), objectDemanded);
  }

  async #create(event) {
    event.preventDefault();
    const name = byId('new-name').value.trim();
    if (!this.#check() || name === '') return;
    try {
      await this.api.create(name, byId('new-config').value);
      byId('new-dialog').close();
      byId('new-name').value = '';
      this.choose(name);
    } catch (error) {
      showError(byId('new-errors'), error);
    }
  }
}

class Entry {
  constructor(name, choose) {
    this.parts = Object.fromEntries(
      ['name', 'state', 'since', 'faults', 'wrong'].map((part) => [part, element('span', { class: part })]),
    );
    this.parts.name.textContent = name;
    const { state, since, faults, wrong } = this.parts;
    this.button = element('button', { type: 'button', onclick: choose }, this.parts.name, state, since, faults, wrong);
    this.node = element('li', { 'data-source': name }, this.button);
  }

  show(source, isChosen) {
    const { parts, button } = this;
    setAttribute(button, 'aria-current', isChosen);
    setText(parts.state, source.state);
    parts.state.dataset.state = source.state;
    setText(parts.since, sinceOf(source));
    say(parts.faults, faultsOf(source).join('; ')); // they have commas in them
    say(parts.wrong, wrongOf(source));
    parts.wrong.dataset.past = isPast(source);
  }
}

function sinceOf(source) {
  return source.since === null ? 'no connector yet' : `since ${moment(source.since)}`;
}

function wrongOf({ configurationError, lastRefusal }) {
  if (configurationError !== null) return `configuration: ${configurationError}`;
  return lastRefusal === null ? null : `refused ${time(lastRefusal.at)}: ${lastRefusal.message || lastRefusal.status}`;
}

/** It was refused, but is connected since. */
export const isPast = ({ state, since, configurationError, lastRefusal }) =>
  configurationError === null && state === 'connected' && lastRefusal !== null && lastRefusal.at <= since;

/** What is out of order on purpose, with its numbers, in the words of the program's `sources`. */
export function faultsOf(source) {
  const { pace, refusing, acknowledge } = source;
  const faults = pace === 'normal' ? [] : [`${pace}${paceOf(source)}`];
  if (refusing !== null) faults.push(`refuses with ${refusing}${timesOf(source)}`);
  if (acknowledge !== 'notifications') faults.push(`acknowledges: ${acknowledge}${policyOf(source)}`);
  return faults;
}

const paceOf = ({ paceMs }) => (paceMs === null ? '' : `, a message every ${count(paceMs)} ms`);

function timesOf({ refusingTimes }) {
  if (refusingTimes === null) return '';
  return refusingTimes === 1 ? ', once more' : `, ${count(refusingTimes)} times more`;
}

function policyOf({ acknowledge, acknowledgeMs, acknowledgeEvery }) {
  if (acknowledgeEvery !== null) {
    return acknowledge === 'merged' ? `, ${count(acknowledgeEvery)} together` : `, 1 of ${count(acknowledgeEvery)}`;
  }
  return acknowledgeMs === null ? '' : ` by ${count(acknowledgeMs)} ms`;
}
