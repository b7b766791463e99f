// Faults on purpose, and how notifications are acknowledged.

import { byId, setAttribute, setText } from './dom.js';
import { showError } from './errors.js';
import { faultsOf } from './sources.js';

const ACKNOWLEDGES = {
  notifications: 'each notification is acknowledged, as a server does',
  everything: 'everything is acknowledged',
  nothing: 'nothing is acknowledged',
  delayed: 'acknowledgements come late',
  error: 'notifications are refused with an error',
  merged: 'several are acknowledged at once',
  omit: 'not every one is acknowledged',
  other: 'some are acknowledged in another way',
};

export class Faults {
  constructor(api) {
    this.api = api;
    this.buttons = [...byId('panel-faults').querySelectorAll('[data-fault]')];
    for (const button of this.buttons) button.addEventListener('click', () => this.#inflict(button.dataset.fault));
    byId('heal').addEventListener('click', () => this.#do(this.api.heal(this.source)));
    byId('acknowledge-what').addEventListener('change', () => this.#offer());
    this.#offer();
  }

  show(source) {
    this.source = source.name;
    const faults = faultsOf(source);
    setText(byId('faults-now'), faults.length === 0 ? 'Nothing is out of order.' : faults.join(' · '));
    byId('faults-now').dataset.wrong = faults.length > 0;
    for (const pace of ['silent', 'deaf', 'slow']) this.#press(pace, source.pace === pace);
    this.#press('refuse', source.refusing !== null);
    setText(byId('acknowledge-now'), `Now: ${ACKNOWLEDGES[source.acknowledge] ?? source.acknowledge}.`);
  }

  #press(fault, isOn) {
    const button = this.buttons.find((one) => one.dataset.fault === fault);
    setAttribute(button, 'aria-pressed', isOn);
  }

  /** Only the numbers that matter. */
  #offer() {
    const option = byId('acknowledge-what').selectedOptions[0];
    byId('acknowledge-late').hidden = !('ms' in option.dataset);
    byId('acknowledge-some').hidden = !('every' in option.dataset);
    setText(byId('acknowledge-unit'), option.value === 'merged' ? 'together' : 'th');
  }

  #inflict(fault) {
    const of = {
      cut: () => ({ how: byId('cut-how').value }),
      slow: () => ({ ms: byId('slow-ms').valueAsNumber }),
      refuse: () => ({ as: byId('refuse-as').value, ...some('times', byId('refuse-times')) }),
      acknowledge: acknowledgement,
    };
    this.#do(this.api.fault(this.source, { fault, ...of[fault]?.() }));
  }

  async #do(request) {
    const place = byId('faults-errors');
    try {
      await request;
      showError(place, null);
    } catch (error) {
      showError(place, error);
    }
  }
}

function acknowledgement() {
  const what = byId('acknowledge-what').value;
  const late = byId('acknowledge-late').hidden ? {} : some('ms', byId('acknowledge-ms'));
  const every = byId('acknowledge-some').hidden ? {} : some('every', byId('acknowledge-every'));
  return { what, ...late, ...every };
}

/** A number that may be absent. */
const some = (name, field) => (Number.isNaN(field.valueAsNumber) ? {} : { [name]: field.valueAsNumber });
