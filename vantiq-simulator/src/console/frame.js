// One frame as the timeline has it.

import { messageOf } from './errors.js';
import { shortened } from './format.js';
import { parse } from './json.js';

/** As much of a message as a row can show. */
const SUMMARY = 240;

export class Frame {
  #search = null;
  #summary = null;

  /**
   * `text` is the line it came in, `frame` the same parsed; `leftOut` frames before it were not sent here. The
   * message itself is read again from the text for those that somebody sees, which are few.
   */
  constructor(text, frame, leftOut) {
    this.text = text;
    this.leftOut = leftOut;
    const { number, at, link, source, direction, op, status, address, bytes } = frame;
    Object.assign(this, { number, at, link, source, direction, op, status, address, bytes, kind: frame.frame });
    this.acknowledges = frame.acknowledges ?? [];
    this.isCut = frame.cut === true;
    this.isJson = 'message' in frame;
  }

  /** Its place among what has the same number, of which a frame is the first. */
  get turn() {
    return 0;
  }

  get id() {
    return String(this.number);
  }

  get title() {
    const way = this.direction === 'received' ? 'from' : 'to';
    return `#${this.number} ${this.label} ${way} ${this.source ?? 'a connector'}`;
  }

  isAbout(source) {
    return this.source === source;
  }

  get message() {
    const { message, text } = parse(this.text);
    return this.isJson ? message : text;
  }

  /** What it is: the operation, or for what a status is. */
  get sort() {
    if (this.op) return this.op;
    if (this.address) return 'answer';
    if (this.acknowledges.length > 0) return 'acknowledgement';
    return this.status === null || this.status === undefined ? 'other' : 'status';
  }

  get label() {
    const word = { answer: 'answer', acknowledgement: 'ack', status: 'status' }[this.sort];
    if (word) return `${word} ${this.status ?? ''}`;
    return this.op ?? (this.isJson ? 'no operation' : 'no JSON');
  }

  get isError() {
    return this.status >= 300 || this.sort === 'other';
  }

  /** An answer after which there is none. */
  get isLast() {
    return this.sort === 'answer' && this.status !== 100;
  }

  get summary() {
    this.#summary ??= shortened(this.#summarised(), SUMMARY);
    return this.#summary;
  }

  #summarised() {
    const { message } = this;
    if (!this.isJson) return message;
    if (this.op === 'configureExtension') return json(message.object?.config ?? message.object);
    if (this.op && 'object' in message) return json(message.object);
    if (this.op) return message.resourceId ?? '';
    if (this.acknowledges.length > 0 && !this.isError) return `of ${numbersOf(this.acknowledges)}`;
    return errorText(message?.body) ?? json(message?.body);
  }

  /** What a filter by text looks at, in lower case. */
  get search() {
    this.#search ??= [this.label, this.source ?? '', `#${this.number}`, json(this.message)].join(' ').toLowerCase();
    return this.#search;
  }
}

const json = (value) => (value === undefined || value === null ? '' : JSON.stringify(value));

function numbersOf(numbers) {
  const few = numbers.slice(0, 3).map((number) => `#${number}`).join(', ');
  return numbers.length > 3 ? `${few} and ${numbers.length - 3} more` : few;
}

function errorText(body) {
  const error = Array.isArray(body) ? body[0] : body;
  const code = error?.code ?? error?.messageCode;
  // The words first: there is not always room for both.
  return typeof code === 'string' ? `${messageOf(error)} (${code})` : null;
}
