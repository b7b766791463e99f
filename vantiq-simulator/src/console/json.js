// JSON: where a mistake is, numbers as they came, and text with colours.

import { element } from './dom.js';

/** Above this a message is shown without colours; each of them is a node of its own. */
const COLOURED = 65_536;

/**
 * Parses to show it again: a number that would be written otherwise (12345678901234567890 or 2.0) stays as it came,
 * where the browser can do that. Such a number is none to count with.
 */
export function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    const isChanged = typeof value === 'number' && context?.source !== undefined && String(value) !== context.source;
    return isChanged && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
  });
}

export const isNumber = (value) => typeof value === 'number' || (JSON.isRawJSON?.(value) ?? false);

export const isObject = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);

export const pretty = (value) => JSON.stringify(value, null, 2);

/** A value in a cell: text as it is, the rest as JSON. */
export const shown = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** The text in colours. */
export function coloured(text) {
  if (text.length > COLOURED) return text;
  const piece = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const found of text.matchAll(piece)) {
    const [whole, string, colon] = found;
    const kind = string === undefined ? 'plain' : colon === undefined ? 'string' : 'key';
    fragment.append(text.slice(end, found.index), element('span', { class: `json-${kind}` }, string ?? whole), colon ?? '');
    end = found.index + whole.length;
  }
  fragment.append(text.slice(end));
  return fragment;
}

/**
 * What is wrong with a text, as `{ line, column, message }`, or `null`. Browsers say it each in their own way
 * and some without the place, so the place is found here.
 */
export function mistake(text) {
  try {
    JSON.parse(text);
    return null;
  } catch {
    const { at, message } = new Scanner(text).firstMistake();
    const before = text.slice(0, at).split('\n');
    return { line: before.length, column: before.at(-1).length + 1, message };
  }
}

class Wrong {
  constructor(at, message) {
    this.at = at;
    this.message = message;
  }
}

/** Reads JSON up to the first mistake. */
class Scanner {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  firstMistake() {
    try {
      this.value();
      this.space();
      if (this.at < this.text.length) this.fail('nothing more is expected here');
      return new Wrong(this.at, 'this is not JSON');
    } catch (wrong) {
      // Nested too deep to be followed here: the place is unknown.
      return wrong instanceof Wrong ? wrong : new Wrong(0, 'this is not JSON');
    }
  }

  fail(message) {
    throw new Wrong(this.at, this.at >= this.text.length ? `${message}, but the text ends` : message);
  }

  space() {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at += 1;
  }

  next() {
    this.space();
    return this.text[this.at];
  }

  value() {
    const first = this.next();
    if (first === '{') this.list('}', () => this.member());
    else if (first === '[') this.list(']', () => this.value());
    else if (first === '"') this.string();
    else this.literal();
  }

  list(end, item) {
    this.at += 1;
    if (this.next() === end) {
      this.at += 1;
      return;
    }
    for (;;) {
      item();
      const next = this.next();
      if (next !== ',' && next !== end) this.fail(`a comma or ${end} is expected`);
      this.at += 1;
      if (next === end) return;
    }
  }

  member() {
    if (this.next() !== '"') this.fail('a name in double quotes is expected');
    this.string();
    if (this.next() !== ':') this.fail('a colon is expected');
    this.at += 1;
    this.value();
  }

  string() {
    const good = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
    good.lastIndex = this.at;
    this.at += good.exec(this.text)[0].length;
    const next = this.text[this.at];
    if (next === '\\') this.fail('this escape is unknown');
    if (next !== '"') this.fail('a closing double quote is expected');
    this.at += 1;
  }

  literal() {
    const good = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
    good.lastIndex = this.at;
    const found = good.exec(this.text);
    if (!found) this.fail('a value is expected');
    this.at += found[0].length;
  }
}

/**
 * Says below a text field whether it is JSON. `demand` gives a complaint about a value that is; the answer is
 * whether it will do.
 */
export function check(field, place, demand = () => null) {
  const wrong = mistake(field.value);
  const complaint = wrong
    ? `Line ${wrong.line}, column ${wrong.column}: ${wrong.message}.`
    : demand(JSON.parse(field.value));
  place.textContent = complaint ?? 'Valid JSON.';
  place.dataset.wrong = complaint !== null;
  field.setAttribute('aria-invalid', complaint !== null);
  return complaint === null;
}

export const objectDemanded = (value) => (isObject(value) ? null : 'It must be an object: { … }.');
