'use strict';
// The running hub as the suite sees it: its ready file, its REST API, its events and feedback, its restart.

const crypto = require('crypto');
const fs = require('fs');
const { setTimeout: sleep } = require('timers/promises');

const API_VERSION = '2021-04-12';

// A name by which the hub knows itself, too (see suites.toml), and which leads nowhere.
const ALIAS = 'hub.example.test';

// As many as a hub may have besides $Default.
const GROUPS = Array.from({ length: 19 }, (_, number) => `readers.${number}`);

// Longest wait for something that must come. What does come, comes in milliseconds.
const WAIT_MS = 40_000;

// Feedback over HTTPS has to be asked for; there is nothing to wait on.
const FEEDBACK_POLL_MS = 100;

/** What came in, in order. */
class Inbox {
  constructor(what) {
    this.what = what;
    this.items = [];
    this.waiting = [];
    this.put = this.put.bind(this);
  }

  put(item) {
    const next = this.waiting.shift();
    if (next) next(item);
    else this.items.push(item);
  }

  take(withinMs = WAIT_MS) {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    const { stack } = new Error();
    return new Promise((resolve, reject) => {
      const receive = (item) => {
        clearTimeout(timer);
        resolve(item);
      };
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== receive);
        const error = new Error(`no ${this.what} within ${withinMs} ms`);
        error.stack = stack;
        reject(error);
      }, withinMs);
      this.waiting.push(receive);
    });
  }

  async takeMany(count) {
    const items = [];
    while (items.length < count) items.push(await this.take());
    return items;
  }

  /** Only after something later has come in by the same way. */
  requireEmpty() {
    if (this.items.length > 0) throw new Error(`one ${this.what} too many: ${JSON.stringify(this.items[0])}`);
  }
}

/** One inbox for each key; made when first asked for. */
class Inboxes {
  constructor(what) {
    this.what = what;
    this.all = new Map();
  }

  of(key) {
    if (!this.all.has(key)) this.all.set(key, new Inbox(this.what));
    return this.all.get(key);
  }
}

/** Hands out things that one case at a time may use. */
class Lease {
  constructor(items) {
    this.free = new Inbox('free consumer group');
    items.forEach(this.free.put);
  }

  take() {
    return this.free.take();
  }

  giveBack(item) {
    this.free.put(item);
  }
}

/** Lets in one at a time. */
class Turn {
  constructor() {
    this.last = Promise.resolve();
  }

  take(call) {
    const turn = this.last.then(call);
    this.last = turn.catch(() => {});
    return turn;
  }
}

/** One event of the log, as `GET /ironhub/v1/events` prints it. */
class Event {
  constructor(line) {
    Object.assign(this, line);
    this.system = line.systemProperties;
  }

  /** The bytes, as text, of a body that is not shown as JSON. */
  get text() {
    if (this.bodyEncoding === 'utf-8') return this.body;
    throw new Error(`a body in the form ${this.bodyEncoding}: ${JSON.stringify(this.body)}`);
  }

  get bytes() {
    return this.bodyEncoding === 'base64' ? Buffer.from(this.body, 'base64') : Buffer.from(this.text);
  }
}

/** A SAS token for `audience`, not yet encoded. */
function token(audience, key, expiresAt, policy) {
  const resource = encodeURIComponent(audience);
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${expiresAt}`).digest();
  const text = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature.toString('base64'))}&se=${expiresAt}`;
  return policy ? `${text}&skn=${policy}` : text;
}

const parts = (connectionString) =>
  Object.fromEntries(connectionString.split(';').map((part) => [part.split('=', 1)[0], part.slice(part.indexOf('=') + 1)]));

const inSeconds = (ttl) => Math.floor(Date.now() / 1000) + ttl;

class Hub {
  constructor() {
    this.reload();
    this.hostName = this.ready.host_name;
    this.eventInboxes = new Inboxes('event');
    this.feedbackInboxes = new Inboxes('feedback record');
    this.isReadingFeedback = false;
    // Each record is told once in the whole hub: one at a time reads.
    this.feedbackTurn = new Turn();
    // Consumer groups that nobody reads just now.
    this.groups = new Lease(GROUPS);
    this.nextSequence = new Map();
  }

  reload() {
    this.ready = JSON.parse(fs.readFileSync(process.env.IRONHUB_READY_FILE, 'utf8'));
  }

  connectionString(policy = 'iothubowner') {
    return this.ready.connection_strings[policy];
  }

  policyKey(policy) {
    return parts(this.connectionString(policy)).SharedAccessKey;
  }

  get eventHubName() {
    return parts(this.connectionString('event_hubs')).EntityPath;
  }

  /** Of the built-in endpoint: the hub's own, with the name and key of this policy. */
  eventHubsConnectionString(policy = 'service', key = this.policyKey(policy)) {
    const all = { ...parts(this.connectionString('event_hubs')), SharedAccessKeyName: policy, SharedAccessKey: key };
    return Object.entries(all).map(([name, value]) => `${name}=${value}`).join(';');
  }

  policyToken(policy = 'iothubowner', ttlSeconds = 3600) {
    return token(this.hostName, this.policyKey(policy), inSeconds(ttlSeconds), policy);
  }

  /** One request; `expect` names the only good status. */
  async rest(method, path, { policy, headers = {}, json, body, expect } = {}) {
    const isOwn = path.startsWith('/ironhub/');
    const url = `https://${this.hostName}${path}${isOwn ? '' : `${path.includes('?') ? '&' : '?'}api-version=${API_VERSION}`}`;
    const answer = await fetch(url, {
      method,
      headers: {
        Authorization: this.policyToken(policy),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
    });
    const text = await answer.text();
    if (expect !== undefined && answer.status !== expect) {
      throw new Error(`${method} ${path}: ${answer.status} instead of ${expect}: ${text}`);
    }
    return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
  }

  /** `system`: messageid, correlationid, ack, expiry, …; `app` holds the application properties. */
  sendC2d(deviceId, body, { app = {}, expect = 204, ...system } = {}) {
    const headers = {};
    for (const [name, value] of Object.entries(app)) headers[`iothub-app-${name}`] = value;
    for (const [name, value] of Object.entries(system)) headers[`iothub-${name}`] = value;
    const path = `/devices/${encodeURIComponent(deviceId)}/messages/deviceBound`;
    return this.rest('POST', path, { policy: 'service', headers, body, expect });
  }

  /** Telemetry as a device would send it over HTTPS; for cases about those who read it. */
  sendD2c(deviceId, body, { app = {}, ...system } = {}) {
    const headers = {};
    for (const [name, value] of Object.entries(app)) headers[`iothub-app-${name}`] = value;
    for (const [name, value] of Object.entries(system)) headers[`iothub-${name}`] = value;
    return this.rest('POST', `/devices/${encodeURIComponent(deviceId)}/messages/events`, { headers, body, expect: 204 });
  }

  /** Lets `change` alter the settings document; repeats when somebody else was first. */
  async changeSettings(change) {
    for (;;) {
      const found = await this.rest('GET', '/ironhub/v1/settings', { expect: 200 });
      const settings = found.json();
      change(settings);
      const headers = { 'If-Match': found.headers.get('etag') };
      const answer = await this.rest('PUT', '/ironhub/v1/settings', { json: settings, headers });
      if (answer.status === 412) continue;
      if (answer.status >= 300) throw new Error(`settings: ${answer.status}: ${answer.text}`);
      return;
    }
  }

  /** Has the runner end the hub (`drain` or `kill`) and start it again; resolves when it listens. */
  async restart(manner) {
    fs.writeFileSync(process.env.IRONHUB_RESTART, manner);
    const deadline = Date.now() + 60_000;
    // The runner answers by a file.
    while (fs.existsSync(process.env.IRONHUB_RESTART)) {
      if (Date.now() > deadline) throw new Error('the hub was not restarted within 60 s');
      await sleep(20);
    }
    this.reload();
  }

  events(deviceId, source = 'Telemetry') {
    return this.eventInboxes.of(`${source} ${deviceId}`);
  }

  /** Reads all events once from the beginning and hands them out by source and device; never ends. */
  async followEvents() {
    for (;;) {
      try {
        await this.readEvents();
      } catch {
        await sleep(100); // The hub restarts.
      }
    }
  }

  async readEvents() {
    const url = `https://${this.hostName}/ironhub/v1/events?from=earliest&follow=true`;
    const headers = { Authorization: this.policyToken('service'), Accept: 'application/x-ndjson' };
    const answer = await fetch(url, { headers });
    if (answer.status !== 200) throw new Error(`events: ${answer.status}`);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of answer.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop();
      lines.filter(Boolean).forEach((line) => this.handOut(new Event(JSON.parse(line))));
    }
  }

  handOut(event) {
    // After a restart everything is read again: each event is handed out once.
    if (event.sequenceNumber < (this.nextSequence.get(event.partition) || 0)) return;
    this.nextSequence.set(event.partition, event.sequenceNumber + 1);
    this.events(event.deviceId, event.source).put(event);
  }

  feedback(deviceId) {
    if (!this.isReadingFeedback) {
      this.isReadingFeedback = true;
      this.followFeedback();
    }
    return this.feedbackInboxes.of(deviceId);
  }

  async followFeedback() {
    for (;;) {
      try {
        if (await this.feedbackTurn.take(() => this.receiveFeedback())) continue;
      } catch {
        // The hub restarts.
      }
      await sleep(FEEDBACK_POLL_MS);
    }
  }

  async receiveFeedback() {
    const path = '/messages/serviceBound/feedback';
    const answer = await this.rest('GET', path, { policy: 'service' });
    if (answer.status !== 200) return false;
    const lockToken = answer.headers.get('etag').replaceAll('"', '');
    await this.rest('DELETE', `${path}/${lockToken}`, { policy: 'service', expect: 204 });
    this.handOutFeedback(answer.json());
    return true;
  }

  handOutFeedback(records) {
    records.forEach((record) => this.feedbackInboxes.of(record.deviceId).put(record));
  }

  /** While `call` runs, nobody else reads feedback; it has to hand out all that it reads. */
  readFeedbackElsewhere(call) {
    return this.feedbackTurn.take(call);
  }
}

module.exports = { ALIAS, GROUPS, Hub, Inbox, WAIT_MS, inSeconds, token };
