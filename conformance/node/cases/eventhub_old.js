'use strict';
// Readers of 2018, which find the built-in endpoint by the hub's own connection string: azure-event-hubs 0.2.

const { EventHubClient, EventPosition } = require('azure-event-hubs');

const { OLD_EVENTHUB, check, define, equal, refused } = require('../framework');

const COLUMNS = [OLD_EVENTHUB];

async function fromHub(c, policy = 'iothubowner') {
  const client = await EventHubClient.createFromIotHubConnectionString(c.hub.connectionString(policy));
  c.atEnd(() => client.close());
  return client;
}

function isTelemetryOf({ deviceId }, { annotations }) {
  return annotations['iothub-connection-device-id'] === deviceId && annotations['iothub-message-source'] === 'Telemetry';
}

function reading(c, client, partition, device, options) {
  const events = c.inbox('event');
  const errors = c.inbox('error');
  const handler = client.receive(`${partition}`, (event) => {
    if (isTelemetryOf(device, event)) events.put(event);
  }, (error) => errors.put(error), options);
  c.atEnd(() => handler.stop());
  return { events, errors, handler };
}

const from = ({ sequenceNumber }) => ({ eventPosition: EventPosition.fromSequenceNumber(sequenceNumber, true) });

define('eventhub/2018-redirect', COLUMNS, async (c) => {
  const device = await c.device();
  const logged = await c.log(device, '{"a": 1}', { app: { color: 'blue' }, contenttype: 'application/json' });
  const client = await fromHub(c);
  const { path, partitionCount, partitionIds } = await client.getHubRuntimeInformation();
  equal([path, partitionCount, partitionIds], [c.hub.eventHubName, 4, ['0', '1', '2', '3']]);
  const { events } = reading(c, client, logged.partition, device, { consumerGroup: await c.group(), ...from(logged) });
  const event = await events.take();
  equal([event.body, event.applicationProperties], [{ a: 1 }, { color: 'blue' }]);
  equal([event.sequenceNumber, event.offset], [logged.sequenceNumber, `${logged.sequenceNumber}`]);
});

define('eventhub/2018-redirect-refused', COLUMNS, async (c) => {
  await refused(() => fromHub(c, 'registryRead'));
  const text = c.hub.connectionString('iothubowner').replace(c.hub.policyKey('iothubowner'), c.hub.policyKey('device'));
  await refused(() => EventHubClient.createFromIotHubConnectionString(text));
}, { isSlow: true });

define('eventhub/2018-positions', COLUMNS, async (c) => {
  const device = await c.device();
  const first = await c.log(device, '0');
  await c.log(device, '1');
  const client = EventHubClient.createFromConnectionString(c.hub.eventHubsConnectionString());
  c.atEnd(() => client.close());
  const consumerGroup = await c.group();
  const number = first.sequenceNumber;
  for (const [eventPosition, expected] of [
    [EventPosition.fromSequenceNumber(number, true), '0'],
    [EventPosition.fromSequenceNumber(number), '1'],
    [EventPosition.fromOffset(`${number}`, true), '0'],
    [EventPosition.fromOffset(`${number}`), '1'],
    [EventPosition.fromStart(), '0'],
    [EventPosition.fromEnqueuedTime(1), '0'],
  ]) {
    const { events, handler } = reading(c, client, first.partition, device, { consumerGroup, eventPosition });
    equal(`${(await events.take()).body}`, expected, JSON.stringify(eventPosition));
    await handler.stop();
  }
  const information = await client.getPartitionInformation(`${first.partition}`);
  check(information.lastSequenceNumber > number, JSON.stringify(information));
});

define('eventhub/2018-batch', COLUMNS, async (c) => {
  const device = await c.device();
  const first = await c.log(device, '0');
  await c.log(device, '1');
  const client = EventHubClient.createFromConnectionString(c.hub.eventHubsConnectionString());
  c.atEnd(() => client.close());
  const options = { consumerGroup: await c.group(), ...from(first) };
  const events = await client.receiveBatch(`${first.partition}`, 2, 10, options);
  equal(events.map(({ sequenceNumber }) => sequenceNumber), [first.sequenceNumber, first.sequenceNumber + 1]);
});

define('eventhub/2018-epochs', COLUMNS, async (c) => {
  const device = await c.device();
  const logged = await c.log(device, '0');
  const client = await fromHub(c);
  const options = { consumerGroup: await c.group(), ...from(logged) };
  const old = reading(c, client, logged.partition, device, { ...options, epoch: 1 });
  equal(`${(await old.events.take()).body}`, '0');
  const young = reading(c, client, logged.partition, device, { ...options, epoch: 2 });
  equal(`${(await young.events.take()).body}`, '0');
  equal((await old.errors.take()).name, 'ReceiverDisconnectedError');
});

define('eventhub/2018-unknown-group', COLUMNS, async (c) => {
  const device = await c.device();
  const client = await fromHub(c);
  const { errors } = reading(c, client, 0, device, { consumerGroup: 'no.such.group' });
  check((await errors.take()) instanceof Error, 'an error');
}, { isSlow: true });

module.exports = { isTelemetryOf };
