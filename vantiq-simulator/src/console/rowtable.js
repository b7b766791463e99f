// The rows of an answer as a table, while they come.

import { beforeNextPicture, byId, element, say } from './dom.js';
import { count } from './format.js';
import { isNumber, isObject, shown } from './json.js';

/** More rows are counted only: nobody reads them here, and the page must stay quick. */
const MOST_ROWS = 1000;
const MOST_COLUMNS = 60;
/** The column of rows that are no objects. */
const VALUE = Symbol('value');

export class RowTable {
  #waiting = [];

  constructor() {
    this.place = byId('result-table');
    this.draw = beforeNextPicture(() => this.#draw());
    this.clear();
  }

  clear() {
    this.#waiting = [];
    this.rows = 0;
    this.columns = [];
    this.head = element('tr', {}, element('th', { scope: 'col', class: 'number' }, '#'));
    this.body = element('tbody');
    this.place.replaceChildren(element('table', {}, element('thead', {}, this.head), this.body));
    this.place.hidden = true;
    say(byId('result-bound'), null);
  }

  /** The rows in a body: an array has many, nothing has none, anything else is one. */
  add(body) {
    const rows = Array.isArray(body) ? body : body === null || body === undefined ? [] : [body];
    const room = Math.max(0, MOST_ROWS - this.rows);
    this.#waiting.push(...rows.slice(0, room));
    this.rows += rows.length;
    this.draw();
  }

  #draw() {
    const rows = this.#waiting.splice(0);
    // One after the other: a new column is added to the rows that are there.
    for (const row of rows) this.body.append(this.#row(row, this.body.children.length + 1));
    this.place.hidden = this.body.children.length === 0;
    const more = this.rows > MOST_ROWS;
    say(byId('result-bound'), more ? `The first ${count(MOST_ROWS)} of ${count(this.rows)} rows are shown.` : null);
  }

  #row(row, number) {
    const values = isObject(row) ? Object.entries(row) : [[VALUE, row]];
    const cells = [];
    for (const [name, value] of values) {
      const column = this.#column(name, value);
      if (column >= 0) cells[column] = value;
    }
    const nodes = this.columns.map((_, index) => cell(index in cells, cells[index]));
    return element('tr', {}, element('td', { class: 'number quiet' }, String(number)), ...nodes);
  }

  /** The place of a column; a new one, which `value` is the first of, is added also to the rows before. */
  #column(name, value) {
    const place = this.columns.indexOf(name);
    if (place >= 0 || this.columns.length === MOST_COLUMNS) return place;
    this.columns.push(name);
    const kind = isNumber(value) ? 'number' : null;
    this.head.append(element('th', { scope: 'col', class: kind }, name === VALUE ? '(value)' : name));
    for (const row of this.body.children) row.append(element('td'));
    return this.columns.length - 1;
  }
}

function cell(isThere, value) {
  const text = isThere ? shown(value) : '';
  return element('td', { class: isNumber(value) ? 'number' : null, title: text.length > 60 ? text : null }, text);
}
