// The console: puts its parts together. The state of the simulator comes in here and goes to all of them.

import { Api } from './api.js';
import { Configuration } from './configuration.js';
import { Connection } from './connection.js';
import { Exchange } from './exchange.js';
import { Faults } from './faults.js';
import { Follow } from './follow.js';
import { parse } from './json.js';
import { keep, recall } from './keep.js';
import { listen } from './keys.js';
import { Notifications } from './notifications.js';
import { Recording } from './recording.js';
import { Source } from './source.js';
import { Sources } from './sources.js';
import { Tabs, Views } from './tabs.js';
import { Timeline } from './timeline.js';
import { Token } from './token.js';
import { Violations } from './violations.js';

class Console {
  #state = null;
  #chosen = recall('source', null);

  constructor() {
    const api = new Api(new Token());
    const choose = (name) => this.#choose(name);
    this.connection = new Connection();
    this.sources = new Sources(api, choose);
    this.source = new Source(api, choose);
    this.notifications = new Notifications();
    this.panels = [new Exchange(api), new Configuration(api), this.notifications, new Faults(api)];
    this.violations = new Violations();
    this.timeline = new Timeline(api);
    this.recording = new Recording(api);
    this.tabs = new Tabs();
    this.views = new Views();
    this.stream = new Follow(api, {
      path: () => '/simulator/state?follow=true',
      line: (text) => this.#take(stateOf(text)),
      away: () => this.connection.is('away'),
    });
  }

  run() {
    const { timeline } = this;
    listen({
      filter: () => {
        this.views.choose('timeline');
        timeline.focusFilter();
      },
      pause: () => timeline.pause(),
      close: () => timeline.close(),
      move: (key) => timeline.move(key),
    });
    this.stream.run();
    timeline.run();
  }

  #take(state) {
    const before = this.#state;
    this.#state = state;
    this.connection.is('live');
    this.connection.show(state);
    this.violations.show(state);
    this.notifications.count(state);
    if (before && before.started !== state.started) this.timeline.startAnew(state.started);
    this.#show();
  }

  #choose(name) {
    this.#chosen = name;
    keep('source', name);
    // Where there is room for one view only, what was chosen is what is wanted.
    if (document.body.dataset.view === 'sources') this.views.choose('source');
    if (this.#state) this.#show();
  }

  #show() {
    const { sources } = this.#state;
    const names = sources.map((source) => source.name);
    // Who has not chosen gets one where something can be seen; it stays that one then.
    this.#chosen ??= (sources.find(({ state }) => state === 'connected') ?? sources[0])?.name ?? null;
    const source = sources.find(({ name }) => name === this.#chosen);
    this.sources.show(sources, source?.name);
    this.source.show(names, source);
    this.timeline.filter.offer(names);
    if (source) for (const panel of this.panels) panel.show(source);
  }
}

/** The state, in which documents and events are as they came. */
function stateOf(text) {
  const [state, shown] = [JSON.parse(text), parse(text)];
  state.sources.forEach((source, index) => {
    source.config = shown.sources[index].config;
    if (source.lastNotification) source.lastNotification.object = shown.sources[index].lastNotification.object;
  });
  return state;
}

new Console().run();
