// The timeline of frames in both directions, and of what happens to links: the stream, the filter, pausing, and what is told about them.

import { beforeNextPicture, byId, say, setText } from './dom.js';
import { count, counted, time } from './format.js';
import { Detail } from './detail.js';
import { Filter } from './filter.js';
import { Follow } from './follow.js';
import { Frame } from './frame.js';
import { FrameList } from './framelist.js';
import { Frames, MOST } from './frames.js';
import { Incident } from './incident.js';
import { Sampling } from './sampling.js';

/** Frames a second that the simulator shall send at most; a person cannot read more. */
const RATE = 200;
/** How many of those before are asked for at the beginning. */
const BEFORE = 500;

export class Timeline {
  #arrived = []; // frames that are not in the list yet
  #missed = 0; // that came or were left out while paused
  #leftOut = 0; // since the last frame
  #isPaused = false;
  #isNarrowed = false; // the simulator filters, so that what is wanted is not left out
  #youngest = 0; // number of the youngest frame that came
  #clearedAt = 0;
  #youngestIncident = 0;
  #clearedIncident = 0; // those behind the youngest frame come again
  #wasSampled = false;

  constructor(api) {
    this.frames = new Frames();
    this.sampling = new Sampling();
    this.filter = new Filter((more) => this.#filterChanged(more));
    this.test = this.filter.test();
    this.detail = new Detail(api, this.frames, {
      go: (frame) => this.#open(frame),
      added: (frames) => this.#insert(frames),
      closed: (hadFocus) => this.#closed(hadFocus),
    });
    this.list = new FrameList(this.frames, { open: (frame) => this.#open(frame), select: (frame) => this.#selected(frame) });
    this.stream = new Follow(api, {
      path: () => this.#path(),
      line: (text) => this.#line(text),
      away: () => {},
    });
    this.take = beforeNextPicture(() => this.#take());
    byId('pause').addEventListener('click', () => this.pause());
    byId('clear').addEventListener('click', () => this.#clear());
    setInterval(() => this.#tell(), 500);
  }

  run() {
    this.stream.run();
  }

  /** The simulator was started anew: its frames are others, though their numbers may be the same. */
  startAnew(at) {
    this.#empty();
    this.#youngest = 0;
    this.#clearedAt = 0;
    this.#youngestIncident = 0;
    this.#clearedIncident = 0;
    say(byId('anew'), `The simulator was started anew at ${time(at)}; the timeline begins there.`);
    this.#announce('The simulator was started anew.');
    this.stream.reopen();
  }

  pause() {
    this.#isPaused = !this.#isPaused;
    this.#missed = 0;
    byId('pause').setAttribute('aria-pressed', this.#isPaused);
    setText(byId('pause'), this.#isPaused ? 'Resume' : 'Pause');
    this.#announce(this.#isPaused ? 'Paused.' : 'Resumed.');
    this.#hold();
    this.#tell();
    if (!this.#isPaused) this.#take();
  }

  focusFilter() {
    this.filter.text.focus();
    this.filter.text.select();
  }

  close() {
    if (document.activeElement === this.filter.text && this.filter.text.value !== '') this.filter.clearText();
    else this.detail.close();
  }

  move(key) {
    this.list.list.focus();
    this.list.step(key);
  }

  #path() {
    const parameters = { follow: true, events: true, rate: RATE, last: this.#youngest > 0 ? MOST : BEFORE };
    if (this.#isNarrowed) Object.assign(parameters, this.filter.parameters(), { last: BEFORE });
    // What a narrowed stream finds may be older than what came.
    const after = this.#isNarrowed ? this.#clearedAt : this.#youngest;
    if (after > 0) parameters.after = after;
    return `/simulator/frames?${new URLSearchParams(parameters)}`;
  }

  #line(text) {
    const now = performance.now();
    const value = JSON.parse(text);
    if ('skipped' in value) this.#skipped(value.skipped, now);
    else if ('incident' in value) this.#happened(new Incident(text, value));
    else this.#came(new Frame(text, value, this.#leftOut), now);
  }

  #skipped(number, now) {
    this.sampling.skipped(number, now);
    this.#leftOut += number;
    if (this.#isPaused) this.#missed += number;
    this.#narrow();
  }

  #came(frame, now) {
    this.sampling.shown(now);
    this.#leftOut = 0;
    this.#youngest = Math.max(this.#youngest, frame.number);
    if (this.#isPaused) this.#missed += 1;
    this.#arrive(frame);
  }

  #happened(incident) {
    if (incident.turn <= this.#clearedIncident) return;
    this.#youngestIncident = Math.max(this.#youngestIncident, incident.turn);
    this.#arrive(incident);
  }

  #arrive(row) {
    this.#arrived.push(row);
    // While it is paused, nothing takes them.
    if (this.#arrived.length > 2 * MOST) this.#arrived.splice(0, MOST);
    this.take();
  }

  /** Brings what has arrived into the list, once for each picture. */
  #take() {
    if (this.#isPaused || this.#arrived.length === 0) return;
    const added = this.#arrived.splice(0).filter((frame) => this.frames.add(frame));
    const gone = new Set(this.frames.trim());
    const isInOrder = added.length === 0 || this.#endsWith(added);
    if (isInOrder) this.#append(added, gone);
    else this.#refilter();
    this.detail.showKin();
  }

  #endsWith(added) {
    return this.frames.all.at(-added.length) === added[0];
  }

  #append(added, gone) {
    let dropped = 0;
    while (dropped < this.list.shown.length && gone.has(this.list.shown[dropped])) dropped += 1;
    this.list.shown.splice(0, dropped);
    this.list.shown.push(...added.filter((frame) => this.test(frame)));
    this.list.move(dropped);
    this.#countShown();
  }

  /** Frames that were fetched for the one that is open. */
  #insert(frames) {
    for (const frame of frames) this.frames.add(frame);
    this.frames.trim();
    this.#refilter();
    this.list.reveal();
  }

  #filterChanged(more) {
    this.test = this.filter.test();
    this.#refilter();
    this.list.reveal();
    if (more && this.#isNarrowed) this.#reopen(this.#canNarrow());
    else this.#narrow();
  }

  /** Where frames are left out, the simulator shall leave out those that the filter hides anyway. */
  #narrow() {
    if (!this.#isNarrowed && this.#canNarrow() && this.sampling.isOn(performance.now())) this.#reopen(true);
  }

  #canNarrow() {
    return Object.keys(this.filter.parameters()).length > 0;
  }

  #reopen(narrowed) {
    this.#isNarrowed = narrowed;
    this.sampling.reset();
    this.stream.reopen();
  }

  #refilter() {
    this.list.replace(this.frames.all.filter(this.test));
    this.#countShown();
  }

  #open(frame) {
    if (this.list.selected !== frame) this.list.choose(frame);
    this.detail.open(frame);
    this.#hold();
    byId('anew').hidden = true;
  }

  #closed(hadFocus) {
    this.#hold();
    // Whoever types elsewhere goes on typing.
    if (hadFocus) this.list.list.focus();
  }

  #hold() {
    this.list.hold(this.#isPaused || this.detail.isOpen);
  }

  #selected(frame) {
    if (frame && this.detail.isOpen) this.detail.open(frame);
  }

  #clear() {
    this.#clearedAt = this.#youngest;
    this.#clearedIncident = this.#youngestIncident;
    this.#empty();
  }

  #empty() {
    this.frames.clear();
    this.#arrived = [];
    this.#missed = 0;
    this.#leftOut = 0;
    this.sampling.reset();
    this.detail.close();
    this.list.choose(null);
    byId('anew').hidden = true;
    this.#refilter();
  }

  #countShown() {
    const [shown, all] = [this.list.shown.length, this.frames.all.length];
    setText(byId('timeline-count'), this.filter.isOn ? `${count(shown)} of ${count(all)}` : count(all));
    const none = all === 0 ? 'No frames yet.' : 'No frame passes the filter.';
    say(byId('frames-none'), shown === 0 ? none : null);
  }

  #tell() {
    const now = performance.now();
    const sampled = this.sampling.text(now);
    const narrowed = this.#isNarrowed ? 'There are too many frames to show all; the simulator picks those of the filter.' : null;
    say(byId('sampled'), [sampled, narrowed].filter((text) => text !== null).join(' '));
    say(byId('paused'), this.#isPaused ? `Paused; ${counted(this.#missed, 'new frame')} meanwhile.` : null);
    // Said once to those who listen; the numbers change all the time.
    const isSampled = this.sampling.isOn(now);
    if (isSampled && !this.#wasSampled) this.#announce('There are too many frames; the timeline is sampled.');
    this.#wasSampled = isSampled;
  }

  #announce(text) {
    setText(byId('timeline-says'), text);
  }
}
