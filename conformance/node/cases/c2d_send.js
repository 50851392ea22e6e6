'use strict';
// Cloud-to-device messages and their feedback over AMQP: azure-iothub, today's and that of 2018.

const { promisify } = require('util');

const { NoRetry } = require('azure-iot-common');
const { Amqp, AmqpWs, Client } = require('azure-iothub');
const old = require('azure-iothub-2018');

const { C2D, C2D_WS, C2DS, Message, OLD_C2D, OLD_C2D_WS, check, define, equal, refused } = require('../framework');

const oldCommon = require(require.resolve('azure-iot-common', { paths: [require.resolve('azure-iothub-2018')] }));

const TRANSPORTS = { [C2D]: Amqp, [C2D_WS]: AmqpWs, [OLD_C2D]: old.Amqp, [OLD_C2D_WS]: old.AmqpWs };
const QUEUE_MESSAGES_MAX = 50;

const isOld = (c) => c.column === OLD_C2D || c.column === OLD_C2D_WS;

/** What both versions can, as promises. */
function backEnd(c, { policy = 'service', key } = {}) {
  const text = c.hub.connectionString(policy).replace(c.hub.policyKey(policy), key || c.hub.policyKey(policy));
  const client = (isOld(c) ? old.Client : Client).fromConnectionString(text, TRANSPORTS[c.column]);
  client.setRetryPolicy(isOld(c) ? new oldCommon.NoRetry() : new NoRetry());
  client.on('disconnect', () => {});
  c.atEnd(() => promisify((done) => client.close(done))());
  return {
    open: promisify((done) => client.open(done)),
    send: promisify((deviceId, message, done) => client.send(deviceId, message, done)),
    feedbackReceiver: promisify((done) => client.getFeedbackReceiver(done)),
    fileNotificationReceiver: promisify((done) => client.getFileNotificationReceiver(done)),
  };
}

function messageOf(c, body, { app = {}, ...system } = {}) {
  const message = new (isOld(c) ? oldCommon.Message : Message)(body);
  Object.assign(message, system);
  Object.entries(app).forEach(([name, value]) => message.properties.add(name, value));
  return message;
}

async function listening(c, device) {
  const inbox = c.inbox('C2D message');
  const client = await c.open(device);
  client.on('message', (message) => client.complete(message, () => inbox.put(message)));
  return inbox;
}

const text = (message) => message.getData().toString();

define('c2d-send/properties', C2DS, async (c) => {
  const device = await c.device();
  const inbox = await listening(c, device);
  const sent = messageOf(c, Buffer.from([0, 255, 1]), {
    messageId: 'id 1',
    correlationId: 'correlation/1',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    expiryTimeUtc: Date.now() + 3_600_000,
    ack: 'full',
    app: { color: 'blue & green ☂' },
  });
  await backEnd(c).send(device.deviceId, sent);
  const message = await inbox.take();
  equal(Buffer.from(message.getData()), Buffer.from([0, 255, 1]), 'body');
  equal([message.messageId, message.correlationId], ['id 1', 'correlation/1']);
  // The version of 2018 knows less.
  if (!isOld(c)) equal([message.contentType, message.contentEncoding], ['application/json', 'utf-8']);
  check(!Number.isNaN(Date.parse(message.expiryTimeUtc)), `${message.expiryTimeUtc}`);
  equal(message.properties.getValue('color'), 'blue & green ☂');
});

define('c2d-send/message-ids', C2DS, async (c) => {
  const device = await c.device();
  const inbox = await listening(c, device);
  const sender = backEnd(c);
  // One that looks like a UUID is sent as one.
  for (const messageId of ['11111111-2222-3333-4444-555555555555', 'plain', undefined]) {
    await sender.send(device.deviceId, messageOf(c, 'x', messageId ? { messageId } : {}));
    const found = await inbox.take();
    if (messageId) equal(found.messageId, messageId);
  }
});

define('c2d-send/in-order', C2DS, async (c) => {
  const device = await c.device();
  const inbox = await listening(c, device);
  const sender = backEnd(c);
  await sender.send(device.deviceId, messageOf(c, '0'));
  const bodies = Array.from({ length: 20 }, (_, number) => `${number + 1}`);
  await Promise.all(bodies.map((body) => sender.send(device.deviceId, messageOf(c, body))));
  equal((await inbox.takeMany(21)).map(text), ['0', ...bodies]);
});

define('c2d-send/queue-full', C2DS, async (c) => {
  const device = await c.device();
  const sender = backEnd(c);
  for (let number = 0; number < QUEUE_MESSAGES_MAX; number += 1) await sender.send(device.deviceId, messageOf(c, `${number}`));
  await refused(() => sender.send(device.deviceId, messageOf(c, 'one too many')), 'DeviceMaximumQueueDepthExceededError');
  const inbox = await listening(c, device);
  equal(text((await inbox.takeMany(QUEUE_MESSAGES_MAX)).at(-1)), '49');
});

define('c2d-send/refused', C2DS, async (c) => {
  const device = await c.device();
  const sender = backEnd(c);
  await refused(() => sender.send(c.newId('-unknown'), messageOf(c, 'nobody is there')), 'DeviceNotFoundError');
  await refused(() => sender.send(device.deviceId, messageOf(c, 'x'.repeat(64 * 1024 + 1))), 'MessageTooLargeError');
  await refused(() => sender.send(device.deviceId, messageOf(c, 'late', { expiryTimeUtc: Date.now() - 3_600_000 })));
  await refused(() => sender.send(device.deviceId, messageOf(c, 'x', { ack: 'perhaps' })));
  await sender.send(device.deviceId, messageOf(c, 'good'));
  const inbox = await listening(c, device);
  equal(text(await inbox.take()), 'good', 'what is left');
});

/** At a link or at `$cbs`: there the SDK wraps the error in one without a name. */
async function unauthorized(call) {
  const error = await refused(call);
  check([error.name, error.amqpError.name].includes('UnauthorizedError'), `${error}: ${error.amqpError}`);
}

define('c2d-send/rights', C2DS, async (c) => {
  const device = await c.device();
  const key = c.hub.policyKey('device');
  for (const options of [{ policy: 'device' }, { policy: 'registryReadWrite' }, { key }]) {
    const sender = backEnd(c, options);
    await unauthorized(() => sender.send(device.deviceId, messageOf(c, 'forged')));
  }
  for (const policy of ['service', 'iothubowner']) await backEnd(c, { policy }).send(device.deviceId, messageOf(c, policy));
  const inbox = await listening(c, device);
  equal((await inbox.takeMany(2)).map(text), ['service', 'iothubowner']);
});

/** Reads feedback as the column does until `isEnough` of what is known about the device. */
function readFeedback(c, device, receiver, isEnough) {
  const found = [];
  return new Promise((resolve, reject) => {
    receiver.on('error', reject);
    receiver.on('message', (message) => {
      const records = JSON.parse(message.getData().toString());
      c.hub.handOutFeedback(records);
      found.push(...records.filter(({ deviceId }) => deviceId === device.deviceId));
      receiver.complete(message, (error) => {
        if (error) reject(error);
        else if (isEnough(found)) resolve(found);
      });
    });
  });
}

define('c2d-send/feedback', C2DS, async (c) => {
  const device = await c.device();
  const sender = backEnd(c);
  const outcomes = ['Expired', 'Rejected', 'DeliveryCountExceeded', 'Success'];
  const found = await c.hub.readFeedbackElsewhere(async () => {
    const receiver = await sender.feedbackReceiver();
    const all = readFeedback(c, device, receiver, ({ length }) => length === outcomes.length);
    const send = (messageId, system) => sender.send(device.deviceId, messageOf(c, 'x', { messageId, ack: 'full', ...system }));
    await send('Rejected');
    await settle(c, device, 'DELETE', '?reject');
    await send('DeliveryCountExceeded');
    for (let number = 0; number < 10; number += 1) await settle(c, device, 'POST', '/abandon?');
    await c.hub.rest('GET', `/devices/${device.deviceId}/messages/deviceBound`, { expect: 204 });
    await send('Expired', { expiryTimeUtc: Date.now() + 1500 });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await send('Success');
    await (await listening(c, device)).take();
    const records = await all;
    await promisify((done) => receiver.detach(done))();
    return records;
  });
  const { responseBody } = await c.registry.get(device.deviceId);
  equal(found.map(({ originalMessageId }) => originalMessageId).sort(), [...outcomes].sort());
  for (const { originalMessageId, statusCode, deviceGenerationId, enqueuedTimeUtc } of found) {
    equal([statusCode, deviceGenerationId], [originalMessageId, responseBody.generationId]);
    check(Date.parse(enqueuedTimeUtc) <= Date.now(), enqueuedTimeUtc);
  }
}, { isSlow: true });

/** Receives over HTTPS and settles so. */
async function settle(c, device, method, how) {
  const path = `/devices/${device.deviceId}/messages/deviceBound`;
  const { headers } = await c.hub.rest('GET', path, { expect: 200 });
  await c.hub.rest(method, `${path}/${headers.get('etag').replaceAll('"', '')}${how}`, { expect: 204 });
}

// The package of 2018 has accepted each batch before it hands it out.
define('c2d-send/feedback-again', [C2D, C2D_WS], async (c) => {
  const device = await c.device();
  const sender = backEnd(c);
  const inbox = await listening(c, device);
  await c.hub.readFeedbackElsewhere(async () => {
    const receiver = await sender.feedbackReceiver();
    const batches = c.inbox('batch');
    let hasAbandoned = false;
    // The SDK completes whatever is not settled when the handler returns.
    receiver.on('message', (message) => {
      const records = JSON.parse(text(message));
      const isOwn = records.some(({ deviceId }) => deviceId === device.deviceId);
      if (isOwn && !hasAbandoned) {
        hasAbandoned = true;
        receiver.abandon(message, () => {});
      } else {
        receiver.complete(message, () => {});
        c.hub.handOutFeedback(records);
      }
      if (isOwn) batches.put(text(message));
    });
    await sender.send(device.deviceId, messageOf(c, 'x', { messageId: 'm1', ack: 'positive' }));
    await inbox.take();
    const [first, second] = await batches.takeMany(2);
    equal(second, first, 'what was abandoned comes again');
    await promisify((done) => receiver.detach(done))();
  });
});

define('c2d-send/feedback-without-a-right', C2DS, async (c) => {
  const reader = backEnd(c, { policy: 'registryReadWrite' });
  await unauthorized(() => reader.feedbackReceiver());
});

define('c2d-send/file-notifications', C2DS, async (c) => {
  // There are none; a back end that waits for them is let in.
  const receiver = await backEnd(c).fileNotificationReceiver();
  check(receiver, 'a receiver');
  await unauthorized(() => backEnd(c, { policy: 'registryRead' }).fileNotificationReceiver());
});

define('c2d-send/survives-a-kill', C2DS, async (c) => {
  const device = await c.device();
  await backEnd(c).send(device.deviceId, messageOf(c, 'before'));
  await c.restart();
  await backEnd(c).send(device.deviceId, messageOf(c, 'after'));
  const inbox = await listening(c, device);
  equal((await inbox.takeMany(2)).map(text), ['before', 'after']);
}, { restart: 'kill' });

module.exports = { settle };
