// The notifications of the chosen source: how many, how often, and the last one.

import { byId, setText } from './dom.js';
import { bytes, count, exactTime } from './format.js';
import { coloured, pretty } from './json.js';
import { Counts, Plot } from './plot.js';

/** The state comes at most so long after a change, in ms. */
const QUICK = 250;

export class Notifications {
  #counts = new Map(); // by source
  #source = null;
  #ahead = 0; // of the simulator's clock, in ms
  #shownAt = null;

  constructor() {
    this.plot = new Plot(byId('plot'));
    // The plot moves on also when nothing comes.
    setInterval(() => this.#draw(), 500);
  }

  /** Counts for all sources, so that choosing one shows its last minute. */
  count({ sources, now }) {
    this.#ahead = now - Date.now();
    const names = new Set(sources.map((source) => source.name));
    for (const name of this.#counts.keys()) if (!names.has(name)) this.#counts.delete(name);
    for (const { name, notifications } of sources) {
      if (!this.#counts.has(name)) this.#counts.set(name, new Counts());
      this.#counts.get(name).add(now, notifications, QUICK);
    }
  }

  show(source) {
    const isAnother = source.name !== this.#source?.name;
    this.#source = source;
    setText(byId('notifications-count'), count(source.notifications));
    this.#showLast(source.lastNotification);
    if (isAnother) this.#draw();
  }

  #showLast(last) {
    const key = last === null ? null : `${this.#source.name} ${last.at}`;
    if (key === this.#shownAt) return;
    this.#shownAt = key;
    setText(byId('notifications-at'), last === null ? '' : exactTime(last.at));
    const text = last === null ? 'None yet.' : last.object !== undefined ? coloured(pretty(last.object)) : tooLarge(last);
    byId('notifications-last').replaceChildren(text);
  }

  #draw() {
    const counts = this.#source && this.#counts.get(this.#source.name);
    if (!counts || byId('panel-notifications').hidden) return;
    const rates = counts.perSecond(Date.now() + this.#ahead);
    const [now, peak] = [rates.at(-1), Math.max(...rates)].map(Math.round);
    setText(byId('notifications-rate'), count(now));
    setText(byId('notifications-peak'), count(peak));
    this.plot.show(rates, `Notifications a second in the last minute: now ${count(now)}, at most ${count(peak)}`);
  }
}

const tooLarge = (last) => `It has ${bytes(last.bytes)}, too much to show here; the timeline has it.`;
