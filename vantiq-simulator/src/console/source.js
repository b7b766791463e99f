// The chosen source: which it is, how it is, switching it off and on, and deleting it.

import { byId, element, say, setText } from './dom.js';
import { showError } from './errors.js';
import { counted, moment } from './format.js';
import { Removal } from './removal.js';
import { isPast } from './sources.js';

export class Source {
  #facts = '';

  constructor(api, choose) {
    this.api = api;
    this.select = byId('source-choice');
    this.select.addEventListener('change', () => choose(this.select.value));
    byId('source-active').addEventListener('click', () => this.#switch());
    // The button goes with the source; who uses keys goes on beside it.
    this.removal = new Removal(api, () => this.select.focus());
    byId('source-delete').addEventListener('click', () => this.removal.ask(this.source));
  }

  /** The names to choose among, and the chosen source, if there is one. */
  show(names, source) {
    this.#offer(names, source?.name ?? '');
    this.source = source;
    const button = byId('source-active');
    button.hidden = !source;
    byId('source-delete').hidden = !source;
    say(byId('source-none'), source ? null : 'Choose a source.');
    byId('source').dataset.chosen = Boolean(source);
    setText(byId('source-state'), source?.state ?? '');
    byId('source-state').dataset.state = source?.state ?? '';
    if (!source) return;
    setText(button, source.active ? 'Deactivate' : 'Activate');
    this.#showFacts(source);
  }

  #offer(names, chosen) {
    const have = [...this.select.options].map((option) => option.value);
    const wanted = chosen === '' ? ['', ...names] : names;
    if (have.join('\n') !== wanted.join('\n')) {
      this.select.replaceChildren(...wanted.map((name) => element('option', { value: name }, name || 'none')));
    }
    this.select.value = chosen;
  }

  #showFacts(source) {
    const facts = [];
    if (source.configurationError !== null) facts.push(['error', `Configuration error: ${source.configurationError}`]);
    if (source.lastRefusal !== null && !isPast(source)) facts.push(['refusal', refusalOf(source.lastRefusal)]);
    const short = factsOf(source);
    const all = JSON.stringify([short, facts]);
    if (all === this.#facts) return;
    this.#facts = all;
    byId('source-facts').replaceChildren(
      element('p', { class: 'facts' }, ...short.flatMap((text) => [element('span', {}, text), ' '])),
      ...facts.map(([kind, text]) => element('p', { class: kind }, text)),
    );
  }

  async #switch() {
    const { name, active } = this.source;
    try {
      await this.api.activate(name, !active);
    } catch (error) {
      this.#facts = '';
      showError(byId('source-facts'), error);
    }
  }
}

function factsOf({ state, since, link, sessions, notifications }) {
  const facts = [since === null ? state : `${state} since ${moment(since)}`];
  if (link !== null) facts.push(`link ${link}`);
  return [...facts, counted(sessions, 'session'), counted(notifications, 'notification')];
}

function refusalOf({ at, status, code, message }) {
  return `Last refusal ${moment(at)}: ${[status, code, message].filter(Boolean).join(' ')}`;
}
