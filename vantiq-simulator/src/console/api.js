// Requests to the simulator.

/** An answer that is an error: a status and Vantiq's list of errors. */
export class Refused extends Error {
  constructor(status, errors) {
    super(errors[0]?.message ?? `status ${status}`);
    this.status = status;
    this.errors = errors;
  }
}

/** There is no answer, or no more of it: the simulator is away, or the request was given up. */
export class Away extends Error {
  constructor(cause) {
    super('The simulator is away.', { cause });
  }
}

const away = (cause) => {
  throw new Away(cause);
};

export class Api {
  constructor(token) {
    this.token = token;
  }

  /** The response, or an error: `Refused` or `Away`. */
  async request(method, path, body, signal) {
    const token = await this.token.have();
    const headers = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, { method, headers, body, signal }).catch(away);
    if (response.status === 401) {
      await this.token.haveAnother(token);
      return this.request(method, path, body, signal);
    }
    if (!response.ok) throw new Refused(response.status, errorsOf(await response.text().catch(away)));
    return response;
  }

  /** For each line of the answer, its text. Leaving the loop ends the request. */
  async *lines(method, path, body, signal) {
    const response = await this.request(method, path, body, signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      yield* linesOf(reader);
    } finally {
      // Refused when the stream has already failed, which the loop was told.
      reader.cancel().catch(() => {});
    }
  }

  async download(path) {
    const response = await this.request('GET', path);
    return response.blob().catch(away);
  }

  publish(source, body) {
    return this.request('POST', `/api/v1/resources/sources/${encodeURIComponent(source)}`, body);
  }

  query(source, body, signal) {
    return this.lines('POST', `/simulator/sources/${encodeURIComponent(source)}/query`, body, signal);
  }

  /** `config` is JSON as it was typed, so that no number in it changes. */
  configure(source, config) {
    const body = `{"name":${JSON.stringify(source)},"config":${config}}`;
    return this.request('POST', '/api/v1/resources/sources?upsert=true', body);
  }

  create(source, config) {
    const body = `{"name":${JSON.stringify(source)},"config":${config}}`;
    return this.request('POST', '/api/v1/resources/sources', body);
  }

  activate(source, active) {
    const patch = JSON.stringify([{ op: 'replace', path: '/active', value: active }]);
    return this.request('PATCH', `/api/v1/resources/sources/${encodeURIComponent(source)}`, patch);
  }

  remove(source) {
    return this.request('DELETE', `/api/v1/resources/sources/${encodeURIComponent(source)}`);
  }

  fault(source, fault) {
    const path = `/simulator/sources/${encodeURIComponent(source)}/faults`;
    return this.request('POST', path, JSON.stringify(fault));
  }

  heal(source) {
    return this.request('DELETE', `/simulator/sources/${encodeURIComponent(source)}/faults`);
  }
}

async function* linesOf(reader) {
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read().catch(away);
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    yield* lines.filter((line) => line !== '');
  }
  if (rest.trim() !== '') yield rest;
}

/** Vantiq answers with a list of errors; whatever else it is stays readable. */
function errorsOf(text) {
  try {
    const errors = JSON.parse(text);
    return Array.isArray(errors) ? errors : [errors];
  } catch {
    return text.trim() === '' ? [] : [{ code: null, message: text.trim() }];
  }
}
