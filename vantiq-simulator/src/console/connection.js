// Whether the simulator is there, and its counts.

import { byId, say, setText } from './dom.js';
import { count, moment } from './format.js';

const SAYS = {
  connecting: 'connecting…',
  live: 'live',
  away: 'The simulator is away, trying again…',
};

export class Connection {
  is(state) {
    const place = byId('connection');
    place.dataset.state = state;
    setText(place, SAYS[state]);
    document.body.dataset.connection = state;
  }

  show(state) {
    setText(byId('version'), state.version);
    setText(byId('count-links'), count(state.links));
    setText(byId('count-frames'), count(state.frames));
    setText(byId('count-kept'), count(state.kept));
    const refused = state.lastRefusedCredentials ?? null;
    say(byId('credentials'), refused === null ? null : `credentials refused ${moment(refused)}`);
  }
}
