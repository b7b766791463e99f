// The rows of the timeline. There are only as many in the page as can be seen, whatever the number of frames.

import { beforeNextPicture, byId, element, setAttribute, setText } from './dom.js';
import { count, exactTime, milliseconds } from './format.js';

const ARROWS = { received: '←', sent: '→' };
const SPOKEN = { received: 'from the connector', sent: 'to the connector' };
/** How near to the end counts as there, in rows. */
const NEAR = 1.5;

export class FrameList {
  #rows = [];
  #height = 24;
  #hovered = null;
  #following = true; // the youngest frame stays in sight
  #isHeld = false; // as long as a frame is open, or nothing new is shown

  /** `open` is told the frame to open, `select` the one that was selected. */
  constructor(frames, { open, select }) {
    Object.assign(this, { frames, open, select });
    this.shown = [];
    this.selected = null;
    this.list = byId('frames');
    this.draw = beforeNextPicture(() => this.#draw());
    this.list.addEventListener('scroll', () => this.#scrolled());
    this.list.addEventListener('keydown', (event) => this.#key(event));
    this.list.addEventListener('click', (event) => this.#click(event));
    this.list.addEventListener('pointerover', (event) => this.#hover(this.#at(event)));
    this.list.addEventListener('pointerleave', () => this.#hover(null));
    byId('to-youngest').addEventListener('click', () => this.toYoungest());
    new ResizeObserver(() => this.#measure()).observe(this.list);
  }

  /** Shows these instead of those before. */
  replace(shown) {
    this.shown = shown;
    this.draw();
  }

  /** Shows these after those before, of which the first `dropped` are gone. */
  move(dropped) {
    // Who looks at older frames shall go on looking at them.
    if (dropped > 0 && !this.#scrolls) this.list.scrollTop -= dropped * this.#height;
    this.draw();
  }

  toYoungest() {
    this.#following = true;
    this.list.scrollTop = this.list.scrollHeight;
    this.draw();
  }

  /** Stands still, whatever comes and however high it is. */
  hold(isHeld) {
    this.#isHeld = isHeld;
    this.draw();
  }

  /** Brings the selected frame into sight. */
  reveal() {
    if (this.selected) this.#reveal(this.shown.indexOf(this.selected));
  }

  get #scrolls() {
    return this.#following && !this.#isHeld;
  }

  get #isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    return scrollHeight - scrollTop - clientHeight < this.#height * NEAR;
  }

  /** Selects by one of the keys that move. */
  step(key) {
    if (this.shown.length === 0) return;
    const last = this.shown.length - 1;
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.#height) - 1);
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const from = this.selected ? this.shown.indexOf(this.selected) : -1;
    const to = from < 0 && key !== 'Home' ? last : from + steps[key];
    this.choose(this.shown[Math.min(last, Math.max(0, to))]);
  }

  choose(frame) {
    this.selected = frame;
    this.reveal();
    this.select(frame);
    this.draw();
  }

  #reveal(index) {
    if (index < 0) return;
    this.#following = index === this.shown.length - 1;
    // The space must be long enough before it is scrolled in.
    this.#stretch();
    const { scrollTop, clientHeight } = this.list;
    // With a neighbour on either side, which often belongs to it.
    const [top, bottom] = [(index - 1) * this.#height, (index + 2) * this.#height];
    if (top < scrollTop) this.list.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.list.scrollTop = bottom - clientHeight;
  }

  #scrolled() {
    this.#following = this.#isAtEnd;
    this.draw();
  }

  #measure() {
    this.#height = Number.parseFloat(getComputedStyle(this.list).getPropertyValue('--row')) || 24;
    // Opening a frame leaves less room for the list; the frame shall still be seen in it.
    this.reveal();
    this.draw();
  }

  #stretch() {
    byId('frames-space').style.height = `${this.shown.length * this.#height}px`;
  }

  #draw() {
    this.#stretch();
    if (this.#scrolls) this.list.scrollTop = this.list.scrollHeight;
    byId('to-youngest').hidden = this.#isAtEnd;
    const first = Math.max(0, Math.floor(this.list.scrollTop / this.#height));
    const number = Math.ceil(this.list.clientHeight / this.#height) + 1;
    this.#fill(this.shown.slice(first, first + number), first);
    byId('frames-rows').style.transform = `translateY(${first * this.#height}px)`;
    const active = this.#rows.find((row) => !row.node.hidden && row.frame === this.selected);
    if (active) setAttribute(this.list, 'aria-activedescendant', active.node.id);
    else this.list.removeAttribute('aria-activedescendant');
  }

  #fill(frames, first) {
    while (this.#rows.length < frames.length) this.#rows.push(new Row(this.#rows.length));
    // The pointer may rest anywhere, so that it must not hide what belongs to the selected one.
    const about = [this.#hovered, this.selected].filter((frame) => frame !== null);
    const kin = new Set(about.flatMap((frame) => [...this.frames.kinOf(frame)]));
    this.#rows.forEach((row, index) => {
      const frame = frames[index] ?? null;
      row.show(frame);
      if (!frame) return;
      row.mark({ isSelected: frame === this.selected, isKin: kin.has(frame), took: this.frames.took(frame) });
      setAttribute(row.node, 'aria-posinset', first + index + 1);
      setAttribute(row.node, 'aria-setsize', this.shown.length);
    });
  }

  #at(event) {
    const node = event.target.closest('[role=option]');
    return node ? (this.#rows.find((row) => row.node === node)?.frame ?? null) : null;
  }

  #hover(frame) {
    if (frame === this.#hovered) return;
    this.#hovered = frame;
    this.draw();
  }

  #click(event) {
    const frame = this.#at(event);
    if (!frame) return;
    this.choose(frame);
    this.open(frame);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = ['ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];
    if (moves.includes(event.key)) this.step(event.key);
    else if (event.key === 'Enter' && this.selected) this.open(this.selected);
    else return;
    event.preventDefault();
  }
}

/** A row, which shows one frame after the other. */
class Row {
  constructor(index) {
    this.frame = null;
    this.cells = Object.fromEntries(
      ['direction', 'time', 'source', 'op', 'bytes', 'took', 'summary'].map((name) => [name, element('span', { class: name })]),
    );
    this.node = element('div', { role: 'option', id: `frame-row-${index}`, 'aria-selected': 'false' }, ...Object.values(this.cells));
    byId('frames-rows').append(this.node);
  }

  show(frame) {
    this.node.hidden = frame === null;
    const isSame = frame === this.frame;
    this.frame = frame;
    if (frame === null) this.mark({ isSelected: false, isKin: false, took: null });
    if (frame === null || isSame) return;
    const { cells, node } = this;
    node.dataset.number = frame.id;
    node.dataset.direction = frame.direction ?? '';
    node.dataset.sort = frame.sort;
    node.dataset.error = frame.isError;
    // A dashed line above tells of frames that are not here.
    node.dataset.gap = frame.leftOut > 0;
    node.title = frame.leftOut > 0 ? `${count(frame.leftOut)} frames before this one were left out` : '';
    setText(cells.direction, ARROWS[frame.direction] ?? '•');
    setAttribute(cells.direction, 'aria-label', SPOKEN[frame.direction] ?? 'no frame');
    setText(cells.time, exactTime(frame.at));
    setText(cells.source, frame.source ?? '–');
    setText(cells.op, frame.label);
    setText(cells.bytes, frame.bytes === undefined ? '' : count(frame.bytes));
    setText(cells.summary, frame.summary);
  }

  mark({ isSelected, isKin, took }) {
    setAttribute(this.node, 'aria-selected', isSelected);
    setAttribute(this.node, 'data-kin', isKin);
    setText(this.cells.took, took === null ? '' : milliseconds(took));
  }
}
