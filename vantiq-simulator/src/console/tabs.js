// Tabs as the ARIA practices have them: one stop for Tab, arrows between them. And the views of a narrow window.

import { byId } from './dom.js';
import { keep, recall } from './keep.js';

export class Tabs {
  constructor() {
    this.tabs = [...byId('tabs').querySelectorAll('[role=tab]')];
    for (const tab of this.tabs) tab.addEventListener('click', () => this.choose(tab));
    byId('tabs').addEventListener('keydown', (event) => this.#move(event));
    this.choose(byId(recall('tab', '')) ?? this.tabs[0]);
  }

  choose(chosen) {
    keep('tab', chosen.id);
    for (const tab of this.tabs) {
      tab.setAttribute('aria-selected', tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
    }
  }

  #move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const from = this.tabs.indexOf(event.target);
    if (!step || from < 0) return;
    event.preventDefault();
    const tab = this.tabs[(from + step + this.tabs.length) % this.tabs.length];
    this.choose(tab);
    tab.focus();
  }
}

export class Views {
  constructor() {
    this.buttons = [...byId('views').querySelectorAll('button')];
    for (const button of this.buttons) button.addEventListener('click', () => this.choose(button.dataset.view));
    this.choose(recall('view', 'timeline'));
  }

  choose(view) {
    keep('view', view);
    document.body.dataset.view = view;
    for (const button of this.buttons) button.setAttribute('aria-pressed', button.dataset.view === view);
  }
}
