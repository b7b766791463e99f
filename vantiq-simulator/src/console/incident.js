// What happened to a link or was done to a source, as the timeline has it among frames.

import { shortened } from './format.js';
import { parse } from './json.js';

const ENDED = {
  closedByConnector: ({ code }) => `closed by the connector${code === undefined ? '' : ` with status ${code}`}`,
  lost: () => 'the connection was lost',
  cut: ({ how }) => `cut: ${how}`,
  idle: () => 'closed: the connector had been silent for too long',
  oversized: () => 'closed: the connector sent too large a message',
  stopped: () => 'closed: the simulator was stopped',
};
/** What a fault may have been asked for with. */
const DETAILS = ['ms', 'as', 'times', 'what', 'every'];
const SUMMARIES = {
  linkOpened: ({ link }) => `link ${link}`,
  linkEnded: (event) => `link ${event.link}, ${ENDED[event.why]?.(event) ?? event.why}`,
  fault: (event) => DETAILS.filter((name) => name in event).map((name) => `${name}: ${event[name]}`).join(', '),
  healed: () => '',
};
const LABELS = {
  linkOpened: () => 'link opened',
  linkEnded: () => 'link ended',
  fault: ({ fault }) => `fault: ${fault}`,
  healed: ({ what }) => `healed: ${what}`,
};

/** Has what a `Frame` has, as far as it is asked for that. */
export class Incident {
  leftOut = 0;
  sort = 'event';
  acknowledges = [];
  isJson = true;
  isError = false;
  #search = null;

  constructor(text, event) {
    const { incident, after, at, link, sources } = event;
    // Its place is behind the frame of that number, and behind what else happened there.
    Object.assign(this, { text, number: after, turn: incident, at, link, sources });
    this.label = LABELS[event.event]?.(event) ?? event.event;
    this.summary = shortened(SUMMARIES[event.event]?.(event) ?? '', 240);
  }

  get id() {
    return `${this.number}+${this.turn}`;
  }

  get title() {
    return [this.label, this.source, `after #${this.number}`].filter((part) => part !== null).join(' · ');
  }

  get source() {
    return this.sources.length === 0 ? null : this.sources.join(', ');
  }

  isAbout(source) {
    return this.sources.includes(source);
  }

  get message() {
    return parse(this.text);
  }

  get search() {
    this.#search ??= [this.label, this.source ?? '', this.summary].join(' ').toLowerCase();
    return this.#search;
  }
}
