'use strict';
// Cloud-to-device messages: sent over REST, received by the SDK.

const { NoRetry } = require('azure-iot-common');

const { AMQPS, DEVICE, HTTP, LINKS, MQTTS, check, define, equal, refused } = require('../framework');

const QUEUE_MESSAGES_MAX = 50;
const DELIVERIES_MAX = 10;

/** A connected client and what it receives; each message is completed unless `keep` says otherwise. */
async function listening(c, device, { keep = false, isOrdered = false } = {}) {
  const inbox = c.inbox('C2D message');
  // Over HTTPS, polls that overlap hand out messages in any order: a pause that is longer than a poll.
  const options = isOrdered && c.column === HTTP ? { http: { receivePolicy: { interval: 1 } } } : undefined;
  const client = await c.open(device, { options });
  let last = Promise.resolve();
  client.on('message', (message) => {
    const completed = keep ? undefined : client.complete(message);
    // In the order in which they came, whichever is completed first.
    last = last.then(() => completed).then(() => inbox.put(message));
  });
  return { client, inbox };
}

const text = (message) => message.getData().toString();

define('c2d/properties', DEVICE, async (c) => {
  const device = await c.device();
  const { inbox } = await listening(c, device);
  // Over HTTPS the SDK takes every body for text.
  const body = c.column === HTTP ? Buffer.from('ümläut') : Buffer.from([0, 255, 1]);
  await c.hub.sendC2d(device.deviceId, body, {
    messageid: 'id 1',
    correlationid: 'correlation/1',
    userid: 'back end',
    contenttype: 'application/json',
    contentencoding: 'utf-8',
    ack: 'full',
    app: { color: 'blue & green' },
  });
  const message = await inbox.take();
  equal(Buffer.from(message.getData()), body, 'body');
  const { messageId, correlationId, userId } = message;
  equal([messageId, correlationId], ['id 1', 'correlation/1']);
  if (c.isMqtt) equal(userId, 'back end', 'which the SDK reads over MQTT only');
  // Over HTTPS the SDK keeps the prefix of the header.
  const name = c.column === HTTP ? 'iothub-app-color' : 'color';
  equal(message.properties.getValue(name), 'blue & green');
  check(message.to.toLowerCase().endsWith(`/devices/${device.deviceId}/messages/devicebound`), `to: ${message.to}`);
});

define('c2d/in-order', DEVICE, async (c) => {
  const device = await c.device();
  const { inbox } = await listening(c, device, { isOrdered: true });
  const bodies = Array.from({ length: 10 }, (_, number) => `message ${number}`);
  for (const body of bodies) await c.hub.sendC2d(device.deviceId, body);
  equal((await inbox.takeMany(bodies.length)).map(text), bodies);
});

define('c2d/waits-for-the-device', DEVICE, async (c) => {
  const device = await c.device();
  for (const number of [0, 1, 2]) await c.hub.sendC2d(device.deviceId, `early ${number}`);
  equal((await c.registry.get(device.deviceId)).responseBody.cloudToDeviceMessageCount, 3);
  const { inbox } = await listening(c, device, { isOrdered: true });
  equal((await inbox.takeMany(3)).map(text), ['early 0', 'early 1', 'early 2']);
});

define('c2d/after-a-cut', MQTTS, async (c) => {
  const device = await c.device();
  const { client, inbox } = await listening(c, device);
  await c.settled(client, device);
  const back = c.inbox('connection');
  client.on('connect', () => back.put(true));
  // The newest connection wins; the client comes back by itself and takes over in its turn.
  const intruder = await c.client(device, { once: true });
  const cuts = c.cuts(intruder);
  await intruder.open();
  await cuts.take();
  await back.take();
  await c.hub.sendC2d(device.deviceId, 'after the cut');
  equal(text(await inbox.take()), 'after the cut');
});

define('c2d/queue-full', DEVICE, async (c) => {
  const device = await c.device();
  for (let number = 0; number < QUEUE_MESSAGES_MAX; number += 1) await c.hub.sendC2d(device.deviceId, `${number}`);
  const answer = await c.hub.sendC2d(device.deviceId, 'one too many', { expect: 403 });
  equal(answer.headers.get('iothub-errorcode'), 'DeviceMaximumQueueDepthExceeded');
  const { client, inbox } = await listening(c, device);
  await inbox.takeMany(QUEUE_MESSAGES_MAX);
  await c.settled(client, device);
  await c.hub.sendC2d(device.deviceId, 'room again');
  equal(text(await inbox.take()), 'room again');
});

define('c2d/completed-by-the-client', DEVICE, async (c) => {
  const device = await c.device();
  const { inbox } = await listening(c, device);
  await c.hub.sendC2d(device.deviceId, 'negative', { messageid: 'm1', ack: 'negative' });
  await c.hub.sendC2d(device.deviceId, 'full', { messageid: 'm2', ack: 'full' });
  await inbox.takeMany(2);
  const record = await c.feedback(device).take();
  equal([record.originalMessageId, record.statusCode], ['m2', 'Success']);
});

// Transports that settle.
const SETTLING = [HTTP, ...AMQPS];

define('c2d/abandoned', SETTLING, async (c) => {
  const device = await c.device();
  const { client, inbox } = await listening(c, device, { keep: true });
  await c.hub.sendC2d(device.deviceId, 'again', { messageid: 'm1', ack: 'full' });
  const first = await inbox.take();
  await client.abandon(first);
  const second = await inbox.take();
  equal([first.messageId, second.messageId], ['m1', 'm1']);
  if (c.column === HTTP) check(first.lockToken !== second.lockToken, 'a new lock');
  await client.complete(second);
  equal((await c.feedback(device).take()).statusCode, 'Success');
  equal((await c.registry.get(device.deviceId)).responseBody.cloudToDeviceMessageCount, 0);
});

define('c2d/rejected', SETTLING, async (c) => {
  const device = await c.device();
  const { client, inbox } = await listening(c, device, { keep: true });
  await c.hub.sendC2d(device.deviceId, 'no', { messageid: 'm1', ack: 'negative' });
  await client.reject(await inbox.take());
  const record = await c.feedback(device).take();
  equal([record.statusCode, record.description], ['Rejected', 'Message rejected']);
});

define('c2d/lock-lost', [HTTP], async (c) => {
  const device = await c.device();
  const { client, inbox } = await listening(c, device, { keep: true });
  client.setRetryPolicy(new NoRetry());
  await c.hub.sendC2d(device.deviceId, 'once');
  const message = await inbox.take();
  await client.complete(message);
  for (const settle of ['complete', 'abandon', 'reject']) {
    await refused(() => client[settle](message), 412);
  }
});

define('c2d/too-many-deliveries', SETTLING, async (c) => {
  const device = await c.device();
  const { client, inbox } = await listening(c, device, { keep: true });
  await c.hub.sendC2d(device.deviceId, 'unwanted', { messageid: 'm1', ack: 'full' });
  const settled = c.feedback(device).take();
  let deliveries = 0;
  const abandonAll = async () => {
    for (;;) {
      await client.abandon(await inbox.take());
      deliveries += 1;
    }
  };
  const record = await Promise.race([settled, abandonAll()]);
  equal(record.statusCode, 'DeliveryCountExceeded');
  check(deliveries === DELIVERIES_MAX || deliveries === DELIVERIES_MAX + 1, `${deliveries} deliveries`);
});

define('c2d/expired', DEVICE, async (c) => {
  const device = await c.device();
  const expiry = new Date(Date.now() + 2000).toISOString();
  await c.hub.sendC2d(device.deviceId, 'short-lived', { messageid: 'short', ack: 'full', expiry });
  await c.hub.sendC2d(device.deviceId, 'long-lived', { messageid: 'long' });
  const record = await c.feedback(device).take();
  equal([record.originalMessageId, record.statusCode], ['short', 'Expired']);
  const { inbox } = await listening(c, device);
  equal(text(await inbox.take()), 'long-lived', 'what is left');
}, { isSlow: true });
