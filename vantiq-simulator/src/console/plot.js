// How often something happened in each second of the last minute, as bars.

const SVG = 'http://www.w3.org/2000/svg';
const SECONDS = 60;
const [WIDTH, HEIGHT, BASE] = [600, 96, 80];

/** Cumulative counts of the last minute, from which rates follow. */
export class Counts {
  #samples = [];

  /** `quick` ms is how soon after a change its sample comes at the latest. */
  add(at, value, quick) {
    const last = this.#samples.at(-1);
    // Started anew, or counting anew.
    if (last && (value < last.value || at < last.at)) this.#samples = [];
    // No sample for long means that nothing happened until just before this one.
    if (last && at - last.at > 2 * quick) this.#samples.push({ at: at - quick, value: last.value });
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && this.#samples[1].at < at - (SECONDS + 2) * 1000) this.#samples.shift();
  }

  /** The number in each of the seconds before `now`, oldest first. */
  perSecond(now) {
    const edges = Array.from({ length: SECONDS + 1 }, (_, index) => this.#valueAt(now - (SECONDS - index) * 1000));
    return edges.slice(1).map((edge, index) => Math.max(0, edge - edges[index]));
  }

  #valueAt(at) {
    const samples = this.#samples;
    if (samples.length === 0) return 0;
    const after = samples.findIndex((sample) => sample.at > at);
    if (after < 0) return samples.at(-1).value;
    if (after === 0) return samples[0].value;
    const [one, other] = [samples[after - 1], samples[after]];
    return one.value + ((other.value - one.value) * (at - one.at)) / (other.at - one.at);
  }
}

export class Plot {
  constructor(place) {
    this.bars = Array.from({ length: SECONDS }, (_, index) => bar(index));
    this.most = label(4, 12, 'start');
    this.svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' });
    const axis = shape('line', { x1: 0, x2: WIDTH, y1: BASE, y2: BASE });
    const ends = [label(0, HEIGHT - 3, 'start', '60 s ago'), label(WIDTH, HEIGHT - 3, 'end', 'now')];
    this.svg.append(axis, ...this.bars, ...ends, this.most);
    place.append(this.svg);
  }

  show(rates, description) {
    const peak = Math.max(1, ...rates);
    rates.forEach((rate, index) => {
      const height = rate === 0 ? 0 : Math.max(1, (rate / peak) * (BASE - 18));
      this.bars[index].setAttribute('height', height);
      this.bars[index].setAttribute('y', BASE - height);
    });
    this.most.textContent = `${Math.round(peak)}/s`;
    this.svg.setAttribute('aria-label', description);
  }
}

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const bar = (index) => shape('rect', { x: (index * WIDTH) / SECONDS + 1, width: WIDTH / SECONDS - 2, y: BASE, height: 0 });

function label(x, y, anchor, text = '') {
  const node = shape('text', { x, y, 'text-anchor': anchor });
  node.textContent = text;
  return node;
}
