'use strict';
// What holds when the hub is ended and started again on the same data.

const { DEVICE, HTTP, LINKS, Message, define, equal, errorCode, refused } = require('../framework');
const { PATIENT, answering, echo } = require('./methods');
const { plain, report, reported, subscribed } = require('./twin');

/** Over MQTT the SDK subscribes twin patches once in its life: what comes later comes by the stored subscription. */
async function subscriptionsSurvive(c) {
  const device = await c.device();
  const client = await answering(c, device, { echo });
  const messages = c.inbox('C2D message');
  client.on('message', (message) => messages.put(message.getData().toString()));
  const twin = await client.getTwin();
  const patches = c.inbox('desired patch');
  twin.on('properties.desired', (patch) => patches.put({ ...patch }));
  if (c.isAmqp) await subscribed(twin);
  await c.settled(client, device);
  const back = c.inbox('connection');
  client.on('connect', () => back.put(true));
  await c.restart();
  await back.take();
  equal((await c.call(device, 'echo', 'again', PATIENT)).payload, 'again');
  await c.hub.sendC2d(device.deviceId, 'again');
  equal(await messages.take(), 'again');
  if (c.isAmqp) await patched(c, device, patches);
  await c.setDesired(device, { again: true });
  let patch = await patches.take();
  while (!patch.again) patch = await patches.take();
  if (c.isMqtt) equal(patch, { again: true, $version: 2 });
}

/** Over AMQP a link that is not there yet hears nothing, and the SDK does not say when it is. */
async function patched(c, device, patches) {
  while (!patches.items.some(({ $version }) => $version > 1)) await c.setDesired(device, { number: Math.random() });
}

define('restart/subscriptions', LINKS, subscriptionsSurvive, { restart: 'drain' });
define('restart/subscriptions-after-a-kill', LINKS, subscriptionsSurvive, { restart: 'kill' });

define('restart/what-was-not-subscribed', LINKS, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  await client.close();
  await c.restart();
  await c.open(device);
  equal(errorCode(await refused(() => c.call(device, 'echo'), 404)), 404103);
}, { restart: 'drain' });

define('restart/all-that-was-acknowledged', DEVICE, async (c) => {
  const device = await c.device();
  const deleted = await c.device();
  const client = await c.open(device);
  const bodies = Array.from({ length: 10 }, (_, number) => `before ${number}`);
  for (const body of bodies) await client.sendEvent(new Message(body));
  if (c.column !== HTTP) await report(await client.getTwin(), { written: 'before' });
  await c.setDesired(device, { wanted: 'before' });
  await client.close();
  await c.hub.sendC2d(device.deviceId, 'before', { messageid: 'm1' });
  await c.registry.delete(deleted.deviceId);
  await c.restart();
  const again = await c.open(device);
  const messages = c.inbox('C2D message');
  again.on('message', (message) => messages.put(message.messageId));
  equal(await messages.take(), 'm1');
  if (c.column !== HTTP) equal(await reported(c, device), { written: 'before', $version: 2 });
  equal(plain((await c.twin(device)).properties.desired), { wanted: 'before', $version: 2 });
  await again.sendEvent(new Message('after'));
  equal((await c.events(device).takeMany(11)).map((event) => event.text), [...bodies, 'after']);
  await refused(() => c.tryToSend(deleted), 'UnauthorizedError');
}, { restart: 'kill' });
