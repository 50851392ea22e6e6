'use strict';
// Twins, as device and module see them.

const { promisify } = require('util');

const { LINKS, Message, check, define, equal, refused } = require('../framework');

/** Without metadata. */
const plain = ({ $metadata, ...section }) => section;

const nested = (depth) => {
  let value = 1;
  for (let level = depth; level > 0; level -= 1) value = { [`level${level}`]: value };
  return value;
};

/** What the SDK adds to a section of its own. */
const values = (section) => {
  const { update, $version, ...rest } = JSON.parse(JSON.stringify(section));
  return rest;
};

const report = (twin, patch) => promisify(twin.properties.reported.update)(patch);

/** Asks again for what the SDK has asked for in the background; over one link the answers come in order. */
const subscribed = (twin) => promisify((done) => twin.enableTwinDesiredPropertiesUpdates(done))();

async function reported(c, identity) {
  return plain((await c.twin(identity)).properties.reported);
}

/** A connected client, its twin and the desired patches that reach it, once it is subscribed. */
async function watching(c, identity, device = identity) {
  const client = await c.open(identity);
  const twin = await client.getTwin();
  const inbox = c.inbox('desired patch');
  twin.on('properties.desired', (patch) => inbox.put({ ...patch }));
  if (c.isAmqp) await subscribed(twin);
  else await c.settled(client, device);
  // The SDK calls a new listener with what it knows.
  equal(plain(await inbox.take()).$version, 1, 'version of the first call');
  return { client, twin, inbox };
}

define('twin/get', LINKS, async (c) => {
  const device = await c.device();
  await c.updateTwin(device, { tags: { floor: 3 }, properties: { desired: { interval: 5, list: [1, 'two', { x: 3.5 }] } } });
  const client = await c.open(device);
  const twin = await client.getTwin();
  equal(values(twin.properties.desired), { interval: 5, list: [1, 'two', { x: 3.5 }] });
  equal([twin.properties.desired.$version, twin.properties.reported.$version], [2, 1]);
});

define('twin/get-without-a-right', LINKS, async (c) => {
  const device = await c.device();
  const client = await c.open(device, { once: true });
  await client.getTwin();
  const cuts = c.cuts(client);
  await c.registry.delete(device.deviceId);
  await cuts.take();
  const error = await refused(() => client.getTwin());
  if (c.isMqtt) check(/Not authorized/.test(error.message), `${error}`);
});

define('twin/reported-merges', LINKS, async (c) => {
  const device = await c.device();
  const twin = await (await c.open(device)).getTwin();
  await report(twin, { a: 1, nested: { x: 'y', z: true }, list: [1, 2] });
  await report(twin, { a: null, nested: { x: null, w: 1.5 }, list: [3] });
  equal(await reported(c, device), { nested: { z: true, w: 1.5 }, list: [3], $version: 3 });
});

define('twin/reported-too-deep', LINKS, async (c) => {
  const device = await c.device();
  const twin = await (await c.open(device, { once: true })).getTwin();
  await report(twin, nested(10));
  await refused(() => report(twin, { good: 1, ...nested(12) }));
  equal(await reported(c, device), { ...nested(10), $version: 2 }, 'nothing of it is applied');
});

define('twin/reported-too-large', LINKS, async (c) => {
  const device = await c.device();
  const twin = await (await c.open(device, { once: true })).getTwin();
  for (let number = 0; number < 7; number += 1) await report(twin, { [`part${number}`]: 'x'.repeat(4096) });
  await refused(() => report(twin, { part7: 'x'.repeat(4096) }));
  await refused(() => report(twin, { long: 'x'.repeat(4097) }));
  equal((await reported(c, device)).$version, 8);
});

define('twin/desired-once-and-in-order', LINKS, async (c) => {
  const device = await c.device();
  const { inbox } = await watching(c, device);
  for (let number = 0; number < 20; number += 1) await c.setDesired(device, { number });
  const expected = Array.from({ length: 20 }, (_, number) => ({ number, $version: number + 2 }));
  equal(await inbox.takeMany(20), expected);
  await c.updateTwin(device, { tags: { unseen: true } });
  await c.setDesired(device, { last: true });
  equal(await inbox.take(), { last: true, $version: 22 }, 'tags are not the device’s');
});

define('twin/desired-while-offline', LINKS, async (c) => {
  const device = await c.device();
  const { client } = await watching(c, device);
  await client.close();
  await c.setDesired(device, { step: 1 });
  await c.setDesired(device, { step: 2 });
  const again = await c.open(device);
  equal(values((await again.getTwin()).properties.desired), { step: 2 });
});

define('twin/desired-refused', LINKS, async (c) => {
  const device = await c.device();
  const { inbox } = await watching(c, device);
  await refused(() => c.setDesired(device, nested(12)), 400);
  await refused(() => c.updateTwin(device, { properties: { desired: { a: 1 } } }, 'AAAAAAAAAP8='), 412);
  await c.setDesired(device, { good: 1 });
  equal(await inbox.take(), { good: 1, $version: 2 });
});

define('twin/module', LINKS, async (c) => {
  const device = await c.device();
  const module = await c.module(device);
  const { client, twin, inbox } = await watching(c, module, device);
  await c.setDesired(device, { for: 'the device' });
  await c.setDesired(module, { for: 'the module' });
  equal(await inbox.take(), { for: 'the module', $version: 2 });
  await report(twin, { by: 'the module' });
  equal(await reported(c, module), { by: 'the module', $version: 2 });
  equal(await reported(c, device), { $version: 1 });
  await client.sendEvent(new Message('x'));
});

define('twin/module-reported-too-deep', LINKS, async (c) => {
  const module = await c.module(await c.device());
  const twin = await (await c.open(module, { once: true })).getTwin();
  await refused(() => report(twin, nested(12)));
  equal(await reported(c, module), { $version: 1 });
});

module.exports = { nested, plain, report, reported, subscribed, watching };
