'use strict';
// What iothub-explorer did, through the packages that it stood on: azure-iothub of 2018 and azure-event-hubs of 2017.
// Its log-in is a look at the connection string.

const { promisify } = require('util');

const { Client: OldestReader } = require('azure-event-hubs-2017');
const old = require('azure-iothub-2018');

const { OLD_C2D, OLD_SERVICE, OLDEST_EVENTHUB, check, define, equal, refused } = require('../framework');
const { isTelemetryOf } = require('./eventhub_old');

const commonOf = (name) => require(require.resolve('azure-iot-common', { paths: [require.resolve(name)] }));
const { Message: OldMessage } = commonOf('azure-iothub-2018');

const OLD = [OLD_SERVICE];
const OLDEST = [OLDEST_EVENTHUB];

function registryOf(c) {
  const registry = old.Registry.fromConnectionString(c.hub.connectionString());
  return (name, ...args) => promisify((done) => registry[name](...args, done))();
}

function serviceOf(c, policy = 'service') {
  const client = old.Client.fromConnectionString(c.hub.connectionString(policy));
  c.atEnd(() => promisify((done) => client.close(done))());
  return client;
}

define('explorer/create', OLD, async (c) => {
  const call = registryOf(c);
  const deviceId = c.newId('-explorer');
  c.forgetLater(deviceId);
  const created = await call('create', { deviceId, status: 'enabled' });
  const { symmetricKey } = created.authentication;
  equal((await call('get', deviceId)).authentication.symmetricKey, symmetricKey);
  check((await call('list')).some((device) => device.deviceId === deviceId), 'in the list');
  await c.tryToSend({ deviceId, key: symmetricKey.primaryKey });
  equal((await c.events({ deviceId }).take()).text, 'let me in');
  await call('delete', deviceId);
  await refused(() => call('get', deviceId), 'DeviceNotFoundError');
});

define('explorer/twin-and-query', OLD, async (c) => {
  const { deviceId } = await c.device();
  const twin = await registryOf(c)('getTwin', deviceId);
  await promisify((done) => twin.update({ tags: { floor: 3 }, properties: { desired: { interval: 5 } } }, done))();
  equal((await c.twin({ deviceId })).tags, { floor: 3 });
  const registry = old.Registry.fromConnectionString(c.hub.connectionString());
  const query = registry.createQuery(`SELECT * FROM devices WHERE deviceId = '${deviceId}'`, 10);
  equal((await promisify((done) => query.nextAsTwin(done))()).map((found) => found.deviceId), [deviceId]);
});

define('explorer/bulk', OLD, async (c) => {
  const devices = Array.from({ length: 3 }, () => ({ deviceId: c.newId('-explorer') }));
  devices.forEach(({ deviceId }) => c.forgetLater(deviceId));
  const call = registryOf(c);
  equal((await call('addDevices', devices)).isSuccessful, true);
  equal((await call('removeDevices', devices, true)).isSuccessful, true);
  await refused(() => call('get', devices[0].deviceId), 'DeviceNotFoundError');
});

define('explorer/device-method', OLD, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  client.onDeviceMethod('echo', (request, response) => response.send(200, request.payload, () => {}));
  const service = serviceOf(c);
  const parameters = { methodName: 'echo', payload: { a: 1 }, responseTimeoutInSeconds: 15, connectTimeoutInSeconds: 15 };
  const call = (deviceId) => promisify((done) => service.invokeDeviceMethod(deviceId, parameters, done))();
  equal(await call(device.deviceId), { status: 200, payload: { a: 1 } });
  equal((await refused(() => call(c.newId('-unknown')))).response.statusCode, 404);
});

define('explorer/send-and-monitor-feedback', [OLD_C2D], async (c) => {
  const device = await c.device();
  const service = serviceOf(c);
  const client = await c.open(device);
  const inbox = c.inbox('C2D message');
  client.on('message', (message) => client.complete(message, () => inbox.put(message)));
  await c.hub.readFeedbackElsewhere(async () => {
    const receiver = await promisify((done) => service.getFeedbackReceiver(done))();
    const found = new Promise((resolve) => {
      receiver.on('message', (message) => {
        const records = JSON.parse(message.getData().toString());
        c.hub.handOutFeedback(records);
        receiver.complete(message, () => {});
        const own = records.find(({ deviceId }) => deviceId === device.deviceId);
        if (own) resolve(own);
      });
    });
    const message = new OldMessage('hello');
    Object.assign(message, { messageId: 'm1', ack: 'full' });
    await promisify((done) => service.send(device.deviceId, message, done))();
    equal((await inbox.take()).getData().toString(), 'hello');
    const { originalMessageId, description } = await found;
    equal([originalMessageId, description], ['m1', 'Success']);
    await promisify((done) => receiver.detach(done))();
  });
});

define('explorer/monitor-events', OLDEST, async (c) => {
  const device = await c.device();
  const before = await c.log(device, 'before');
  const client = OldestReader.fromConnectionString(c.hub.connectionString());
  c.atEnd(() => client.close());
  await client.open();
  equal(await client.getPartitionIds(), ['0', '1', '2', '3']);
  const group = await c.group();
  const events = c.inbox('event');
  const listen = async (id) => {
    const receiver = await client.createReceiver(group, id, { startAfterTime: Date.now() - 60_000 });
    // At once: what a receiver gets before it has a listener is lost.
    receiver.on('message', (event) => {
      if (isTelemetryOf(device, event)) events.put(event);
    });
  };
  await Promise.all(['0', '1', '2', '3'].map(listen));
  await c.log(device, JSON.stringify({ a: 1 }), { app: { color: 'blue' } });
  const [first, second] = await events.takeMany(2);
  equal([`${first.body}`, first.sequenceNumber, first.offset], ['before', before.sequenceNumber, `${before.sequenceNumber}`]);
  equal([second.body, second.applicationProperties], [{ a: 1 }, { color: 'blue' }]);
});

define('explorer/monitor-events-from-an-offset', OLDEST, async (c) => {
  const device = await c.device();
  const logged = await c.log(device, '0');
  await c.log(device, '1');
  // By the Event Hubs-compatible endpoint: the policy's name and key as they are.
  const client = OldestReader.fromConnectionString(c.hub.eventHubsConnectionString());
  c.atEnd(() => client.close());
  const receiver = await client.createReceiver(await c.group(), logged.partition, { startAfterOffset: `${logged.sequenceNumber}` });
  const events = c.inbox('event');
  receiver.on('message', (event) => {
    if (isTelemetryOf(device, event)) events.put(event);
  });
  equal(`${(await events.take()).body}`, '1');
});

define('explorer/monitor-events-refused', OLDEST, async (c) => {
  const wrong = c.hub.policyKey('device');
  const strangers = [
    c.hub.connectionString().replace(c.hub.policyKey('iothubowner'), wrong),
    c.hub.eventHubsConnectionString('service', wrong),
  ];
  for (const text of strangers) {
    const client = OldestReader.fromConnectionString(text);
    c.atEnd(() => client.close());
    await refused(() => client.open());
  }
});
