// Publishing to a source and querying it.

import { byId, say, setText, submitsWithControlEnter } from './dom.js';
import { showError, showErrors } from './errors.js';
import { counted, milliseconds } from './format.js';
import { History } from './history.js';
import { check, parse } from './json.js';
import { keep, recall } from './keep.js';
import { RowTable } from './rowtable.js';

export class Exchange {
  #abort = null;

  constructor(api) {
    this.api = api;
    this.text = byId('exchange-text');
    this.form = byId('exchange');
    this.table = new RowTable();
    this.history = new History((entry) => this.#recall(entry));
    this.#recall(recall('exchange', { kind: 'query', text: '{}' }));
    this.text.addEventListener('input', () => this.#typed());
    this.text.addEventListener('keydown', (event) => this.#key(event));
    this.form.addEventListener('change', () => this.#keep());
    this.form.addEventListener('submit', (event) => this.#send(event));
    byId('exchange-stop').addEventListener('click', () => this.#abort?.abort());
    submitsWithControlEnter(this.text);
  }

  show(source) {
    if (source.name === this.source) return;
    this.source = source.name;
    this.#forget();
  }

  /** What came of something else is not shown as if it came of this. */
  #forget() {
    this.#abort?.abort();
    this.#abort = null;
    byId('result').hidden = true;
  }

  get kind() {
    return this.form.elements.kind.value;
  }

  #recall({ kind, text }) {
    this.form.elements.kind.value = kind;
    this.text.value = text;
    this.text.setSelectionRange(0, 0);
    this.#keep();
  }

  #typed() {
    this.history.forget();
    this.#keep();
  }

  #keep() {
    keep('exchange', { kind: this.kind, text: this.text.value });
    check(this.text, byId('exchange-check'));
  }

  /** The arrows leave the text only where they could not move in it. */
  #key(event) {
    const { selectionStart, selectionEnd, value } = this.text;
    if (selectionStart !== selectionEnd || event.shiftKey) return;
    const up = event.key === 'ArrowUp' && selectionStart === 0;
    const down = event.key === 'ArrowDown' && (selectionStart === value.length || selectionStart === 0);
    const moved = (up || down) && this.history.step(up ? 1 : -1, { kind: this.kind, text: value });
    if (moved) event.preventDefault();
  }

  async #send(event) {
    event.preventDefault();
    const { kind, source } = this;
    const text = this.text.value;
    if (!check(this.text, byId('exchange-check'))) {
      this.#forget();
      return this.text.focus();
    }
    this.history.add(source, kind, text);
    // What is still under way makes room for this; its answers are nobody's any more.
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#begin(kind, source);
    await (kind === 'query' ? this.#query(source, text, this.#abort) : this.#publish(source, text, this.#abort));
  }

  #begin(kind, source) {
    byId('result').hidden = false;
    this.table.clear();
    showErrors(byId('result-errors'), []);
    this.#status('busy', kind === 'query' ? `Querying ${source}…` : `Publishing to ${source}…`);
    byId('exchange-stop').hidden = kind !== 'query';
  }

  #status(outcome, text) {
    byId('result').dataset.outcome = outcome;
    setText(byId('result-status'), text);
    if (outcome !== 'busy') byId('exchange-stop').hidden = true;
  }

  async #publish(source, text, abort) {
    const since = performance.now();
    try {
      const response = await this.api.publish(source, text);
      if (abort === this.#abort) this.#status('good', `${response.status} · published to ${source} in ${milliseconds(performance.now() - since)}`);
    } catch (error) {
      if (abort === this.#abort) this.#failed(error);
    }
  }

  async #query(source, text, abort) {
    const answer = new Answer(this.table);
    try {
      for await (const line of this.api.query(source, text, abort.signal)) {
        if (abort.signal.aborted) break;
        answer.take(JSON.parse(line), parse(line));
        this.#progress(answer);
      }
    } catch (error) {
      if (!abort.signal.aborted) return this.#failed(error, answer);
    }
    if (abort === this.#abort && !answer.isOver) this.#status('bad', `Stopped · ${answer.rowsText()}`);
  }

  #progress(answer) {
    if (!answer.isOver) return this.#status('busy', `Receiving · ${answer.rowsText()}`);
    this.#status(answer.errors.length > 0 ? 'bad' : 'good', answer.text());
    showErrors(byId('result-errors'), answer.errors);
  }

  #failed(error, answer = null) {
    const had = answer?.hasBegun ? `Cut off · ${answer.rowsText()}` : 'Not sent';
    this.#status('bad', error.status ? `${error.status} · refused` : had);
    showError(byId('result-errors'), error);
  }
}

/** What has come of the answers to one query. */
class Answer {
  #first = null; // ms to the first row
  hasBegun = false;
  isOver = false;
  errors = [];

  constructor(table) {
    this.table = table;
  }

  /** A line, and the same to be shown. */
  take(line, shown) {
    this.hasBegun = true;
    if ('partial' in line) return this.#rows(shown.partial, line.ms);
    this.isOver = true;
    this.ms = line.ms;
    this.status = line.status ?? 'no end';
    if (line.error) this.errors = [line.error];
    else if (line.status >= 300) this.errors = [shown.body].flat();
    else if (line.status !== 204) this.#rows(shown.body, line.ms);
  }

  #rows(body, ms) {
    const before = this.table.rows;
    this.table.add(body);
    if (this.table.rows > before) this.#first ??= ms;
  }

  rowsText() {
    const first = this.#first === null ? '' : `, the first after ${milliseconds(this.#first)}`;
    return counted(this.table.rows, 'row') + first;
  }

  text() {
    return `${this.status} · ${this.rowsText()} · all in ${milliseconds(this.ms)}`;
  }
}
