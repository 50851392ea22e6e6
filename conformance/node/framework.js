'use strict';
// What a case is, what it is given, and how all of them are run.

const fs = require('fs');
const { isDeepStrictEqual, inspect } = require('util');

const { NoRetry } = require('azure-iot-common');
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { Amqp, AmqpWs } = require('azure-iot-device-amqp');
const { Http } = require('azure-iot-device-http');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const { Client: ServiceClient, Registry } = require('azure-iothub');

const { Certificate } = require('./certificate');
const { Inbox, inSeconds, token } = require('./hub');

// Columns of coverage.toml.
const MQTT = 'node-mqtt';
const MQTT_WS = 'node-mqtt-ws';
const AMQP = 'node-amqp';
const AMQP_WS = 'node-amqp-ws';
const HTTP = 'node-http';
const SERVICE = 'node-service';
const OLD_SERVICE = 'node-service-2018';
const EVENTHUB = 'node-eventhub';
const EVENTHUB_WS = 'node-eventhub-ws';
const EVENTHUB_PLAIN = 'node-eventhub-plain';
const OLD_EVENTHUB = 'node-eventhub-2018';
const OLDEST_EVENTHUB = 'node-eventhub-2017';
const C2D = 'node-c2d';
const C2D_WS = 'node-c2d-ws';
const OLD_C2D = 'node-c2d-2018';
const OLD_C2D_WS = 'node-c2d-2018-ws';
const MQTTS = [MQTT, MQTT_WS];
const AMQPS = [AMQP, AMQP_WS];
const LINKS = [...MQTTS, ...AMQPS];
const DEVICE = [...LINKS, HTTP];
const EVENTHUBS = [EVENTHUB, EVENTHUB_WS, EVENTHUB_PLAIN];
const C2DS = [C2D, C2D_WS, OLD_C2D, OLD_C2D_WS];
const TRANSPORTS = { [MQTT]: Mqtt, [MQTT_WS]: MqttWs, [AMQP]: Amqp, [AMQP_WS]: AmqpWs, [HTTP]: Http };

// How often a device over HTTPS asks for messages, in seconds.
const HTTP_POLL_S = 0.2;

// Cases at the same time. Most of them wait.
const WORKERS = 12;

// A case that runs longer is given up.
const WATCHDOG_MS = 90_000;

const cases = [];

/**
 * Makes `name[column]` a case for each column; `run` gets a `Context`.
 * `restart`: `drain` or `kill`: runs with the others of its kind, and the hub is restarted once for all of them.
 * `isSlow`: waits for a time to pass; started first.
 */
function define(name, columns, run, { restart = null, isSlow = false } = {}) {
  for (const column of columns) cases.push({ name: `${name}[${column}]`, column, run, restart, isSlow });
}

/** Compares values, not prototypes. */
function equal(found, expected, what = 'value') {
  const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
  if (!isDeepStrictEqual(plain(found), plain(expected))) {
    throw new Error(`${what}: ${inspect(found, { depth: 5 })} instead of ${inspect(expected, { depth: 5 })}`);
  }
}

function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** Calls; returns the error that must come of it, of this name or HTTP status when one is given. */
async function refused(call, nameOrStatus) {
  let result;
  try {
    result = await call();
  } catch (error) {
    if (typeof nameOrStatus === 'number') equal(error.response && error.response.statusCode, nameOrStatus, `status of ${error}`);
    else if (nameOrStatus) equal(error.name, nameOrStatus, `name of ${error}`);
    return error;
  }
  throw new Error(`not refused: ${inspect(result)}`);
}

/** The numeric code of a method error. */
const errorCode = (error) => JSON.parse(JSON.parse(error.responseBody).Message).errorCode;

/** Lets the cases of one kind come together for one restart. */
class Restarts {
  constructor(hub, manner, parties) {
    Object.assign(this, { hub, manner, parties, arrived: 0 });
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.done.catch(() => {});
  }

  /** Resolves after the restart. */
  arrive() {
    this.arrived += 1;
    this.goIfAllAreHere();
    return this.done;
  }

  /** A case that ended without coming. */
  leave() {
    this.parties -= 1;
    this.goIfAllAreHere();
  }

  goIfAllAreHere() {
    if (this.arrived > 0 && this.arrived >= this.parties && !this.hasStarted) {
      this.hasStarted = true;
      this.hub.restart(this.manner).then(this.resolve, this.reject);
    }
  }
}

let numbers = 0;

/** What one case works with; all that it registers and connects is gone after it. */
class Context {
  constructor(hub, column, restarts) {
    Object.assign(this, { hub, column, restarts, hasRestarted: false });
    this.ends = [];
    this.registered = [];
    this.clients = [];
    this.registry = Registry.fromConnectionString(hub.connectionString());
    this.service = ServiceClient.fromConnectionString(hub.connectionString('service'));
  }

  // Registering.

  newId(suffix = '') {
    numbers += 1;
    return `${this.column}-${numbers}${suffix}`;
  }

  async device({ suffix = '', ...description } = {}) {
    const deviceId = this.newId(suffix);
    const { responseBody } = await this.registry.create({ deviceId, status: 'enabled', ...description });
    this.forgetLater(deviceId);
    return { deviceId, key: responseBody.authentication.symmetricKey.primaryKey };
  }

  async module(device, moduleId = 'module') {
    await this.registry.addModule({ deviceId: device.deviceId, moduleId });
    const { responseBody } = await this.registry.getModule(device.deviceId, moduleId);
    return { deviceId: device.deviceId, moduleId, key: responseBody.authentication.symmetricKey.primaryKey };
  }

  async x509Device(primary, secondary = primary) {
    const thumbprints = { primaryThumbprint: primary, secondaryThumbprint: secondary };
    return this.device({ authentication: { type: 'selfSigned', x509Thumbprint: thumbprints } });
  }

  /** An identity that has all but its place in the registry. */
  unregistered(identity = {}) {
    return { deviceId: this.newId('-unknown'), key: 'dW5rbm93biBkZXZpY2Uga2V5', ...identity };
  }

  forgetLater(deviceId) {
    this.registered.push(deviceId);
  }

  // Connecting.

  connectionString({ deviceId, moduleId, key, certificate }) {
    const module = moduleId ? `;ModuleId=${moduleId}` : '';
    const proof = certificate ? 'x509=true' : `SharedAccessKey=${key}`;
    return `HostName=${this.hub.hostName};DeviceId=${deviceId}${module};${proof}`;
  }

  token({ deviceId, moduleId, key }, ttlSeconds) {
    const audience = `${this.hub.hostName}/devices/${deviceId}${moduleId ? `/modules/${moduleId}` : ''}`;
    return token(audience, key, inSeconds(ttlSeconds));
  }

  /** An SDK client over the column's transport, not yet connected. `once`: it stays away once it is cut. */
  async client(identity, { once = false, sasToken, connectionString, options } = {}) {
    const kind = identity.moduleId ? ModuleClient : Client;
    const transport = TRANSPORTS[this.column] || Mqtt;
    const client = sasToken
      ? kind.fromSharedAccessSignature(sasToken, transport)
      : kind.fromConnectionString(connectionString || this.connectionString(identity), transport);
    if (once) client.setRetryPolicy(new NoRetry());
    this.clients.push(client);
    // Over HTTPS the SDK answers only to options of the polling: all go in one call.
    const polling = this.column === HTTP ? { http: { receivePolicy: { interval: HTTP_POLL_S } } } : {};
    const proof = identity.certificate ? { cert: identity.certificate.pem, key: identity.certificate.key } : {};
    const all = { ...polling, ...proof, ...options };
    if (Object.keys(all).length > 0) await client.setOptions(all);
    return client;
  }

  async open(identity, options) {
    const client = await this.client(identity, options);
    await client.open();
    return client;
  }

  /** Connects and sends: over HTTPS nothing else shows whether one may. Nothing is tried again. */
  async tryToSend(identity, options) {
    const client = await this.open(identity, { once: true, ...options });
    await client.sendEvent(new Message('let me in'));
    return client;
  }

  /** Resolves when the hub has worked off what the client has sent before: a link is served in order. */
  async settled(client, identity) {
    await client.sendEvent(new Message('mark'));
    equal((await this.events(identity).take()).text, 'mark');
  }

  // Reading and sending, as somebody else than the client of the case.

  get isMqtt() {
    return MQTTS.includes(this.column);
  }

  get isAmqp() {
    return AMQPS.includes(this.column);
  }

  /** A consumer group that no other case reads meanwhile; always the same one. */
  group() {
    this.ownGroup = this.ownGroup || this.anotherGroup();
    return this.ownGroup;
  }

  async anotherGroup() {
    const group = await this.hub.groups.take();
    this.atEnd(() => this.hub.groups.giveBack(group));
    return group;
  }

  /** Sends telemetry; returns its event as the log has it. */
  async log(identity, body, system) {
    await this.hub.sendD2c(identity.deviceId, body, system);
    return this.events(identity).take();
  }

  // Watching.

  events(identity, source) {
    return this.hub.events(identity.deviceId, source);
  }

  feedback(identity) {
    return this.hub.feedback(identity.deviceId);
  }

  inbox(what) {
    return new Inbox(what);
  }

  /** The losses of the client's connection; over AMQP, of its links, too, which the SDK itself keeps to itself. */
  cuts(client) {
    const inbox = new Inbox('cut of the connection');
    client.on('disconnect', () => inbox.put('disconnect'));
    client.on('error', () => {});
    if (this.isAmqp) client._transport.on('error', () => inbox.put('link'));
    return inbox;
  }

  // Calling, by the service SDK.

  async call(identity, methodName, payload, times = {}) {
    const { deviceId, moduleId } = identity;
    const parameters = { methodName, payload, ...times };
    const { result } = moduleId
      ? await this.service.invokeDeviceMethod(deviceId, moduleId, parameters)
      : await this.service.invokeDeviceMethod(deviceId, parameters);
    return result;
  }

  async twin({ deviceId, moduleId }) {
    const call = moduleId ? this.registry.getModuleTwin(deviceId, moduleId) : this.registry.getTwin(deviceId);
    return (await call).responseBody;
  }

  async updateTwin({ deviceId, moduleId }, patch, etag = '*') {
    const call = moduleId
      ? this.registry.updateModuleTwin(deviceId, moduleId, patch, etag)
      : this.registry.updateTwin(deviceId, patch, etag);
    return (await call).responseBody;
  }

  setDesired(identity, desired) {
    return this.updateTwin(identity, { properties: { desired } });
  }

  restart() {
    this.hasRestarted = true;
    return this.restarts.arrive();
  }

  // Ending.

  /** Calls it when the case is over, the last one first. */
  atEnd(call) {
    this.ends.unshift(call);
  }

  async endAll() {
    for (const end of this.ends) {
      try {
        await end();
      } catch {
        // A client that cannot say goodbye has failed its case before.
      }
    }
  }

  async close() {
    if (this.restarts && !this.hasRestarted) this.restarts.leave();
    await Promise.race([this.endAll(), new Promise((resolve) => setTimeout(resolve, 5000))]);
    const ends = this.clients.map((client) => {
      client.removeAllListeners();
      client.on('error', () => {});
      return client.close();
    });
    await Promise.race([Promise.allSettled(ends), new Promise((resolve) => setTimeout(resolve, 2000))]);
    for (const deviceId of this.registered) await this.hub.rest('DELETE', `/devices/${encodeURIComponent(deviceId)}`);
  }
}

/** Runs cases at the same time and writes down what came of each. */
class Runner {
  constructor(hub) {
    this.hub = hub;
    this.failed = 0;
  }

  async runAll(patterns) {
    const wanted = cases.filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => fits(name, pattern)));
    const together = wanted.filter(({ restart }) => restart === null);
    together.sort((a, b) => Number(b.isSlow) - Number(a.isSlow));
    await this.run(together, WORKERS);
    for (const manner of ['drain', 'kill']) {
      const group = wanted.filter(({ restart }) => restart === manner);
      if (group.length > 0) await this.run(group, group.length, new Restarts(this.hub, manner, group.length));
    }
  }

  async run(group, workers, restarts) {
    const queue = [...group];
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) await this.runOne(next, restarts);
    };
    await Promise.all(Array.from({ length: workers }, work));
  }

  async runOne({ name, column, run }, restarts) {
    const started = Date.now();
    const context = new Context(this.hub, column, restarts);
    let timer;
    const watchdog = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still running after ${WATCHDOG_MS} ms`)), WATCHDOG_MS);
    });
    let message = '';
    try {
      await Promise.race([run(context), watchdog]);
    } catch (error) {
      message = explain(error);
    }
    clearTimeout(timer);
    await context.close().catch(() => {});
    this.report(name, message, Date.now() - started);
  }

  report(name, message, ms) {
    const outcome = message ? 'failed' : 'passed';
    if (message) this.failed += 1;
    fs.appendFileSync(process.env.IRONHUB_RESULTS, `${JSON.stringify({ case: name, outcome, ms, message })}\n`);
    console.log(`${outcome} ${name} (${ms} ms) ${message}`);
  }
}

function explain(error) {
  const line = /cases[/\\]([\w-]+\.js:\d+)/.exec((error && error.stack) || '');
  const body = error && error.responseBody ? ` ${error.responseBody}` : '';
  return `${line ? `${line[1]}: ` : ''}${error}${body}`;
}

/** `*` stands for any run of characters, every other character for itself. */
function fits(name, pattern) {
  const literal = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 's').test(name);
}

module.exports = {
  AMQPS, C2D, C2D_WS, C2DS, Certificate, DEVICE, EVENTHUB_PLAIN, EVENTHUB_WS, EVENTHUBS, HTTP, LINKS, MQTT, MQTTS,
  MQTT_WS, Message, OLD_C2D, OLD_C2D_WS, OLD_EVENTHUB, OLD_SERVICE, OLDEST_EVENTHUB, Runner, SERVICE, cases, check,
  define, equal, errorCode, refused,
};
