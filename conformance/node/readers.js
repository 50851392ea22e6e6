'use strict';
// @azure/event-hubs, set up for the cases: clients by column, and subscriptions that read in the background.

const { EventHubConsumerClient } = require('@azure/event-hubs');
const WebSocket = require('ws');

const { EVENTHUB_PLAIN, EVENTHUB_WS } = require('./framework');
const { Inbox } = require('./hub');

/** What the column's user pastes. */
function connectionString(c, policy, key) {
  const text = c.hub.eventHubsConnectionString(policy, key);
  return c.column === EVENTHUB_PLAIN ? `${text};UseDevelopmentEmulator=true` : text;
}

/** Remembers how far each partition was read, as the stores that readers keep elsewhere. */
class Checkpoints {
  constructor() {
    this.checkpoints = new Map();
  }

  async listOwnership() {
    return [];
  }

  async claimOwnership(ownerships) {
    return ownerships;
  }

  async updateCheckpoint(checkpoint) {
    this.checkpoints.set(checkpoint.partitionId, checkpoint);
  }

  async listCheckpoints() {
    return [...this.checkpoints.values()];
  }
}

/** A client that gives up at the first failure unless told otherwise. */
function consumerClient(c, group, { policy, key, text = connectionString(c, policy, key), maxRetries = 0, store } = {}) {
  const options = { retryOptions: { maxRetries, retryDelayInMs: 100, timeoutInMs: 10_000 } };
  if (c.column === EVENTHUB_WS) options.webSocketOptions = { webSocket: WebSocket };
  // With a store, the SDK reads with owner level 0.
  const client = new EventHubConsumerClient(...[group, text, store, options].filter(Boolean));
  c.atEnd(() => client.close());
  return client;
}

/** What a subscription receives of one device (from all sources when `source` is none), and what goes wrong, until it is closed. */
class Reading {
  constructor(c, client, device, { partition, source = 'Telemetry', ...options }) {
    Object.assign(this, { client, source, deviceId: device.deviceId });
    this.events = new Inbox('event');
    this.batches = new Inbox('batch');
    this.errors = new Inbox('error');
    this.closed = new Inbox('closed partition');
    // Of all events, by partition.
    this.sequenceNumbers = new Map();
    const handlers = {
      processEvents: (events, context) => this.receive(events, context),
      processError: async (error) => this.errors.put(error),
      processClose: async (reason) => this.closed.put(reason),
    };
    const all = { maxWaitTimeInSeconds: 1, ...options };
    this.subscription = partition === undefined
      ? client.subscribe(handlers, all)
      : client.subscribe(`${partition}`, handlers, all);
    c.atEnd(() => this.close());
  }

  async receive(events, context) {
    if (events.length > 0) this.batches.put(events.length);
    for (const event of events) {
      const numbers = this.sequenceNumbers.get(context.partitionId) || [];
      this.sequenceNumbers.set(context.partitionId, [...numbers, event.sequenceNumber]);
      event.lastEnqueued = context.lastEnqueuedEventProperties;
      if (this.isWanted(event.systemProperties)) this.events.put(event);
    }
    if (events.length > 0) await context.updateCheckpoint(events.at(-1));
  }

  isWanted(system) {
    const isOwn = system['iothub-connection-device-id'] === this.deviceId;
    return isOwn && (this.source === null || system['iothub-message-source'] === this.source);
  }

  close() {
    return this.subscription.close();
  }
}

/** Begins to read; where, is told as to the SDK. */
async function read(c, device, { group, client, clientOptions, ...options }) {
  return new Reading(c, client || consumerClient(c, group || (await c.group()), clientOptions), device, options);
}

/** From this event of the log on. */
const at = ({ partition, sequenceNumber }) => ({ partition, startPosition: { sequenceNumber, isInclusive: true } });

/** From what comes after this event of the log. */
const after = ({ partition, sequenceNumber }) => ({ partition, startPosition: { sequenceNumber } });

module.exports = { Checkpoints, after, at, connectionString, consumerClient, read };
