// How many frames the simulator leaves out of the stream so that the page can follow, and how it is told.

import { count, counted } from './format.js';

/** Rates are of the last while, in ms. */
const WHILE = 2000;
/** It counts as over when nothing was left out for so long. */
const OVER = 3000;

export class Sampling {
  constructor() {
    this.reset();
  }

  reset() {
    this.leftOut = 0;
    this.last = -Infinity;
    this.parts = []; // of what came: { at, shown, leftOut }
  }

  shown(now) {
    this.#part(now).shown += 1;
  }

  skipped(number, now) {
    this.leftOut += number;
    this.last = now;
    this.#part(now).leftOut += number;
  }

  isOn(now) {
    return now - this.last < OVER;
  }

  /** What to say, or `null`. */
  text(now) {
    if (this.leftOut === 0) return null;
    const left = `${counted(this.leftOut, 'frame')} left out`;
    if (!this.isOn(now)) return `${left} while there were too many to show all.`;
    const { shown, all } = this.#rates(now);
    return `Sampled: ${left}; showing ${count(shown)} of ${count(all)} frames/s.`;
  }

  #rates(now) {
    this.parts = this.parts.filter((part) => now - part.at < WHILE + 100);
    const per = (sum) => Math.round(sum / (WHILE / 1000));
    const shown = this.parts.reduce((sum, part) => sum + part.shown, 0);
    const leftOut = this.parts.reduce((sum, part) => sum + part.leftOut, 0);
    return { shown: per(shown), all: per(shown + leftOut) };
  }

  #part(now) {
    const last = this.parts.at(-1);
    if (last && now - last.at < 100) return last;
    const part = { at: now, shown: 0, leftOut: 0 };
    this.parts.push(part);
    return part;
  }
}
