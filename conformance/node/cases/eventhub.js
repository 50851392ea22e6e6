'use strict';
// Readers of the built-in endpoint: @azure/event-hubs.

const { EventHubProducerClient, earliestEventPosition, latestEventPosition } = require('@azure/event-hubs');

const { EVENTHUBS, Message, check, define, equal, refused } = require('../framework');
const { Checkpoints, after, at, connectionString, consumerClient, read } = require('../readers');

const PARTITIONS = ['0', '1', '2', '3'];
const LARGEST_BYTES = 256 * 1024 - 1024;

/** As text, whether the SDK took it for JSON or not. */
const bodies = (events) => events.map(({ body }) => `${body}`);

define('eventhub/all-partitions', EVENTHUBS, async (c) => {
  const devices = new Map();
  while (devices.size < PARTITIONS.length) {
    const device = await c.device();
    const { partition } = await c.log(device, '0');
    if (!devices.has(partition)) devices.set(partition, device);
  }
  const client = consumerClient(c, await c.group());
  equal(await client.getPartitionIds(), PARTITIONS);
  for (const device of devices.values()) await c.log(device, '1');
  const reading = await read(c, devices.get(0), { client, startPosition: earliestEventPosition, maxBatchSize: 100 });
  equal(bodies(await reading.events.takeMany(2)), ['0', '1']);
  for (const [partition, device] of devices) {
    const one = await read(c, device, { partition, startPosition: earliestEventPosition, maxBatchSize: 100 });
    equal(bodies(await one.events.takeMany(2)), ['0', '1']);
    const numbers = one.sequenceNumbers.get(`${partition}`);
    equal(numbers, numbers.map((_, index) => index), `partition ${partition}`);
    await one.close();
  }
}, { isSlow: true });

define('eventhub/positions', EVENTHUBS, async (c) => {
  const device = await c.device();
  const first = await c.log(device, '0');
  const reading = await read(c, device, at(first));
  const events = await reading.events.takeMany(1);
  // In a hurry, several are enqueued within a millisecond.
  while (events.length < 4 || events.at(-1).enqueuedTimeUtc <= events[1].enqueuedTimeUtc) {
    await c.log(device, `${events.length}`);
    events.push(await reading.events.take());
  }
  await reading.close();
  const second = events[1];
  const later = events.find(({ enqueuedTimeUtc }) => enqueuedTimeUtc > second.enqueuedTimeUtc);
  const same = events.find(({ enqueuedTimeUtc }) => enqueuedTimeUtc >= second.enqueuedTimeUtc);
  const wanted = [
    [{ sequenceNumber: second.sequenceNumber }, events[2]],
    [{ sequenceNumber: second.sequenceNumber, isInclusive: true }, second],
    [{ offset: second.offset }, events[2]],
    [{ offset: second.offset, isInclusive: true }, second],
    [{ enqueuedOn: second.enqueuedTimeUtc }, later],
    [{ enqueuedOn: second.enqueuedTimeUtc.getTime() - 1 }, same],
  ];
  // Not more than five read one partition in one group.
  const groups = [await c.group(), await c.anotherGroup()];
  await Promise.all(wanted.map(async ([startPosition, expected], index) => {
    const one = await read(c, device, { group: groups[index % 2], partition: first.partition, startPosition });
    equal((await one.events.take()).sequenceNumber, expected.sequenceNumber, JSON.stringify(startPosition));
  }));
});

define('eventhub/latest', EVENTHUBS, async (c) => {
  const device = await c.device();
  const before = await c.log(device, 'before');
  const reading = await read(c, device, { partition: before.partition, startPosition: latestEventPosition });
  // From some event on it hears all; from which, is a matter of when its link came up.
  const sent = [await c.log(device, '0')];
  while (reading.events.items.length === 0) sent.push(await c.log(device, `${sent.length}`));
  sent.push(await c.log(device, `${sent.length}`));
  const first = await reading.events.take();
  check(first.sequenceNumber >= sent[0].sequenceNumber, `${first.sequenceNumber}`);
  const expected = sent.map(({ sequenceNumber }) => sequenceNumber).filter((number) => number > first.sequenceNumber);
  equal((await reading.events.takeMany(expected.length)).map(({ sequenceNumber }) => sequenceNumber), expected);
});

define('eventhub/what-an-event-carries', EVENTHUBS, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const message = new Message(JSON.stringify({ windSpeed: 12.5 }));
  Object.assign(message, {
    messageId: 'id 1', correlationId: 'correlation 1', userId: 'somebody', contentType: 'application/json', contentEncoding: 'utf-8',
  });
  message.properties.add('storm', 'false ☂');
  await client.sendEvent(message);
  const logged = await c.events(device).take();
  const event = await (await read(c, device, at(logged))).events.take();
  equal([event.body, event.properties], [{ windSpeed: 12.5 }, { storm: 'false ☂' }]);
  equal([event.messageId, event.correlationId, event.contentType], ['id 1', 'correlation 1', 'application/json']);
  equal([event.sequenceNumber, event.offset], [logged.sequenceNumber, `${logged.sequenceNumber}`]);
  check(event.enqueuedTimeUtc instanceof Date && Date.now() - event.enqueuedTimeUtc < 60_000, `${event.enqueuedTimeUtc}`);
  const system = event.systemProperties;
  const { responseBody } = await c.registry.get(device.deviceId);
  equal(system['iothub-connection-device-id'], device.deviceId);
  equal(system['iothub-connection-auth-generation-id'], responseBody.generationId);
  equal(system['iothub-message-source'], 'Telemetry');
  equal(JSON.parse(system['iothub-connection-auth-method']).scope, 'device');
  // The SDK hands out timestamps of annotations as they are.
  check(new Date(system['iothub-enqueuedtime']) <= new Date(), `${system['iothub-enqueuedtime']}`);
  const names = Object.keys(event.getRawAmqpMessage().messageAnnotations).sort();
  equal(names, [
    'iothub-connection-auth-generation-id', 'iothub-connection-auth-method', 'iothub-connection-device-id',
    'iothub-enqueuedtime', 'iothub-message-source', 'x-opt-enqueued-time', 'x-opt-offset', 'x-opt-sequence-number',
  ]);
});

define('eventhub/modules', EVENTHUBS, async (c) => {
  const device = await c.device();
  const module = await c.module(device);
  await (await c.open(module)).sendEvent(new Message('from the module'));
  const event = await (await read(c, device, at(await c.events(device).take()))).events.take();
  equal([event.body.toString(), event.systemProperties['iothub-connection-module-id']], ['from the module', module.moduleId]);
});

define('eventhub/sources', EVENTHUBS, async (c) => {
  const device = await c.device();
  const created = await c.events(device, 'deviceLifecycleEvents').take();
  await c.updateTwin(device, { tags: { floor: 3 } });
  const reading = await read(c, device, { source: null, ...at(created) });
  const found = {};
  while (Object.keys(found).length < 2) {
    const event = await reading.events.take();
    found[event.systemProperties['iothub-message-source']] = event;
  }
  const { deviceLifecycleEvents, twinChangeEvents } = found;
  equal([deviceLifecycleEvents.properties.opType, deviceLifecycleEvents.properties.deviceId], ['createDeviceIdentity', device.deviceId]);
  equal([twinChangeEvents.properties.opType, twinChangeEvents.body.tags], ['updateTwin', { floor: 3 }]);
});

define('eventhub/bodies', EVENTHUBS, async (c) => {
  const device = await c.device();
  const sent = ['', Buffer.from([0, 255, 254]), 'ümläut ☂', 'x'.repeat(LARGEST_BYTES), 'after the large one'];
  const logged = [];
  for (const body of sent) logged.push(await c.log(device, body));
  const reading = await read(c, device, { ...at(logged[0]), skipParsingBodyAsJson: true });
  const events = await reading.events.takeMany(sent.length);
  equal(events.map(({ body }, index) => Buffer.from(sent[index]).equals(body)), sent.map(() => true));
});

define('eventhub/more-than-its-credit', EVENTHUBS, async (c) => {
  const device = await c.device();
  const first = await c.log(device, '0');
  const numbers = Array.from({ length: 300 }, (_, number) => number);
  const batch = (start) => numbers.slice(start, start + 100).map((number) => ({ body: Buffer.from(`${number + 1}`).toString('base64') }));
  for (const start of [0, 100, 200]) {
    const headers = { 'Content-Type': 'application/vnd.microsoft.iothub.json' };
    await c.hub.rest('POST', `/devices/${device.deviceId}/messages/events`, { headers, body: JSON.stringify(batch(start)), expect: 204 });
  }
  const reading = await read(c, device, { ...at(first), maxBatchSize: 7, prefetchCount: 20 });
  equal((await reading.events.takeMany(301)).map(({ body }) => Number(body)), [...numbers, 300]);
  const all = reading.sequenceNumbers.get(`${first.partition}`);
  equal(all, all.map((_, index) => all[0] + index));
  equal(Math.max(...reading.batches.items), 7, 'largest batch');
});

define('eventhub/groups', EVENTHUBS, async (c) => {
  const device = await c.device();
  const logged = await c.log(device, 'for all');
  for (const group of [await c.group(), '$Default', '$default', (await c.anotherGroup()).toUpperCase()]) {
    const reading = await read(c, device, { group, ...at(logged) });
    equal(bodies([await reading.events.take()]), ['for all'], group);
    await reading.close();
  }
});

define('eventhub/unknown-group', EVENTHUBS, async (c) => {
  const device = await c.device();
  const reading = await read(c, device, { group: 'no.such.group', partition: 0, startPosition: earliestEventPosition });
  const error = await reading.errors.take();
  check(error instanceof Error, `${error}`);
  reading.events.requireEmpty();
});

define('eventhub/unknown-partition', EVENTHUBS, async (c) => {
  const device = await c.device();
  const reading = await read(c, device, { partition: 4, startPosition: earliestEventPosition });
  const error = await reading.errors.take();
  equal(error.code, 'ArgumentOutOfRangeError', `${error}`);
});

define('eventhub/bad-position', EVENTHUBS, async (c) => {
  const device = await c.device();
  const reading = await read(c, device, { partition: 0, startPosition: { offset: '1000000000' } });
  const error = await reading.errors.take();
  equal(error.code, 'ArgumentError', `${error}`);
  check(error.message.includes('1000000000'), error.message);
});

define('eventhub/properties', EVENTHUBS, async (c) => {
  const device = await c.device();
  const client = consumerClient(c, await c.group());
  const { name, partitionIds, createdOn } = await client.getEventHubProperties();
  equal([name, partitionIds], [c.hub.eventHubName, PARTITIONS]);
  check(createdOn <= new Date(), `${createdOn}`);
  const logged = await c.log(device, 'x');
  const found = await client.getPartitionProperties(`${logged.partition}`);
  equal([found.eventHubName, found.partitionId, found.beginningSequenceNumber], [c.hub.eventHubName, `${logged.partition}`, 0]);
  check(found.lastEnqueuedSequenceNumber >= logged.sequenceNumber, JSON.stringify(found));
  equal(found.lastEnqueuedOffset, `${found.lastEnqueuedSequenceNumber}`);
  check(found.lastEnqueuedOnUtc <= new Date(), `${found.lastEnqueuedOnUtc}`);
});

define('eventhub/properties-refused', EVENTHUBS, async (c) => {
  const client = consumerClient(c, '$Default');
  await refused(() => client.getPartitionProperties('4'));
  const text = connectionString(c).replace(`EntityPath=${c.hub.eventHubName}`, 'EntityPath=elsewhere');
  const elsewhere = consumerClient(c, '$Default', { text });
  await refused(() => elsewhere.getEventHubProperties());
  equal(await client.getPartitionIds(), PARTITIONS, 'as good as before');
});

define('eventhub/rights', EVENTHUBS, async (c) => {
  const device = await c.device();
  const logged = await c.log(device, 'secret');
  const wrong = c.hub.policyKey('device');
  for (const [policy, key] of [['device', undefined], ['registryRead', undefined], ['service', wrong], ['nobody', wrong]]) {
    const client = consumerClient(c, await c.group(), { policy, key });
    const error = await refused(() => client.getPartitionIds());
    equal(error.code, 'UnauthorizedError', `${policy}: ${error}`);
    const reading = await read(c, device, { client, ...at(logged) });
    await reading.errors.take();
    reading.events.requireEmpty();
  }
  for (const policy of ['service', 'iothubowner']) {
    const reading = await read(c, device, { clientOptions: { policy }, ...at(logged) });
    equal(bodies([await reading.events.take()]), ['secret'], policy);
  }
});

define('eventhub/sending-is-refused', EVENTHUBS, async (c) => {
  const options = consumerClient(c, '$Default')._clientOptions;
  const producer = new EventHubProducerClient(connectionString(c), options);
  c.atEnd(() => producer.close());
  const error = await refused(() => producer.sendBatch([{ body: 'x' }]));
  equal(error.code, 'UnauthorizedError', `${error}`);
});

define('eventhub/owner-level-displaces', EVENTHUBS, async (c) => {
  const device = await c.device();
  const group = await c.group();
  let logged = await c.log(device, '0');
  let old = await read(c, device, { group, ...at(logged) });
  for (const [ownerLevel, number] of [[1, 1], [1, 2], [5, 3]]) {
    equal(bodies([await old.events.take()]), [`${number - 1}`]);
    const young = await read(c, device, { group, ownerLevel, ...after(logged) });
    const error = await old.errors.take();
    equal(error.code, 'ReceiverDisconnectedError', `${error}`);
    check(error.message.includes(`higher epoch of '${ownerLevel}'`), error.message);
    logged = await c.log(device, `${number}`);
    old.events.requireEmpty();
    await old.close();
    old = young;
  }
  equal(bodies([await old.events.take()]), ['3']);
});

define('eventhub/owner-level-refused', EVENTHUBS, async (c) => {
  const device = await c.device();
  const group = await c.group();
  const logged = await c.log(device, '0');
  const owner = await read(c, device, { group, ownerLevel: 3, ...at(logged) });
  equal(bodies([await owner.events.take()]), ['0']);
  for (const ownerLevel of [2, undefined]) {
    const other = await read(c, device, { group, ownerLevel, ...at(logged) });
    const error = await other.errors.take();
    equal(error.code, 'ReceiverDisconnectedError', `${error}`);
    other.events.requireEmpty();
  }
  await c.log(device, '1');
  equal(bodies([await owner.events.take()]), ['1'], 'the owner goes on');
});

define('eventhub/six-readers', EVENTHUBS, async (c) => {
  const device = await c.device();
  const group = await c.group();
  const logged = await c.log(device, 'for five');
  const five = await Promise.all(Array.from({ length: 5 }, () => read(c, device, { group, ...at(logged) })));
  equal(bodies(await Promise.all(five.map(({ events }) => events.take()))), five.map(() => 'for five'));
  const sixth = await read(c, device, { group, ...at(logged) });
  const error = await sixth.errors.take();
  equal(error.code, 'QuotaExceededError', `${error}`);
});

define('eventhub/last-enqueued', EVENTHUBS, async (c) => {
  const device = await c.device();
  const first = await c.log(device, 'first');
  const last = await c.log(device, 'last');
  const reading = await read(c, device, { ...at(first), trackLastEnqueuedEventProperties: true });
  const { sequenceNumber, offset, enqueuedOn, retrievedOn } = (await reading.events.take()).lastEnqueued;
  check(sequenceNumber >= last.sequenceNumber, `${sequenceNumber}`);
  equal(offset, `${sequenceNumber}`);
  check(new Date(enqueuedOn) <= new Date(retrievedOn), `${enqueuedOn} ${retrievedOn}`);
});

async function goesOn(c) {
  const device = await c.device();
  const logged = await c.log(device, '0');
  const client = consumerClient(c, await c.group(), { maxRetries: 1000, store: new Checkpoints() });
  const reading = await read(c, device, { client, ...at(logged) });
  await c.log(device, '1');
  equal(bodies(await reading.events.takeMany(2)), ['0', '1']);
  await c.restart();
  await c.log(device, '2');
  await c.log(device, '3');
  equal(bodies(await reading.events.takeMany(2)), ['2', '3']);
  const numbers = reading.sequenceNumbers.get(`${logged.partition}`);
  equal(numbers, numbers.map((_, index) => logged.sequenceNumber + index), 'none twice, none missing');
}

define('eventhub/goes-on-after-a-restart', EVENTHUBS, goesOn, { restart: 'drain' });
define('eventhub/goes-on-after-a-kill', EVENTHUBS, goesOn, { restart: 'kill' });
