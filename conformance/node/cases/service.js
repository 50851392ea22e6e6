'use strict';
// Rights, tokens, twins and the hub's own events through the service SDK.

const { Registry } = require('azure-iothub');

const { SERVICE, define, equal, refused } = require('../framework');
const { inSeconds, token } = require('../hub');
const { nested, plain } = require('./twin');

const COLUMNS = [SERVICE];

const RIGHTS = {
  iothubowner: ['read', 'write', 'connect'],
  service: ['connect'],
  device: [],
  registryRead: ['read'],
  registryReadWrite: ['read', 'write'],
};

define('policies/rights', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  const operations = {
    read: (registry) => registry.get(deviceId),
    write: (registry) => registry.update({ deviceId, status: 'enabled' }),
    connect: (registry) => registry.getTwin(deviceId),
  };
  for (const [policy, rights] of Object.entries(RIGHTS)) {
    const registry = Registry.fromConnectionString(c.hub.connectionString(policy));
    for (const [right, call] of Object.entries(operations)) {
      if (rights.includes(right)) await call(registry);
      else await refused(() => call(registry), 'UnauthorizedError');
    }
  }
});

define('policies/refused', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  const registry = Registry.fromConnectionString(c.hub.connectionString('registryRead'));
  await refused(() => registry.delete(deviceId), 'UnauthorizedError');
  await c.registry.get(deviceId);
});

define('policies/statistics-refused', COLUMNS, async (c) => {
  const registry = Registry.fromConnectionString(c.hub.connectionString('device'));
  await refused(() => registry.getRegistryStatistics(), 'UnauthorizedError');
});

const withToken = (text) => Registry.fromSharedAccessSignature(text).getRegistryStatistics();

define('service-token/accepted', COLUMNS, async (c) => {
  await withToken(c.hub.policyToken('iothubowner'));
});

define('service-token/refused', COLUMNS, async (c) => {
  const { hostName } = c.hub;
  const [own, other] = [c.hub.policyKey('iothubowner'), c.hub.policyKey('service')];
  const bad = {
    expired: token(hostName, own, inSeconds(-3600), 'iothubowner'),
    'wrong key': token(hostName, other, inSeconds(60), 'iothubowner'),
    'unknown policy': token(hostName, own, inSeconds(60), 'nobody'),
  };
  for (const text of Object.values(bad)) await refused(() => withToken(text), 'UnauthorizedError');
});

define('twins/get', COLUMNS, async (c) => {
  const device = await c.device();
  const twin = await c.twin(device);
  equal([twin.deviceId, twin.version, twin.etag, twin.status], [device.deviceId, 2, 'AAAAAAAAAAE=', 'enabled']);
  equal([plain(twin.properties.desired), plain(twin.properties.reported)], [{ $version: 1 }, { $version: 1 }]);
  const module = await c.module(device);
  equal((await c.twin(module)).moduleId, module.moduleId);
});

define('twins/not-found', COLUMNS, async (c) => {
  await refused(() => c.registry.getTwin('absent'), 404);
  const { deviceId } = await c.device();
  await refused(() => c.registry.getModuleTwin(deviceId, 'absent'), 404);
});

define('twins/update', COLUMNS, async (c) => {
  const device = await c.device();
  const first = await c.updateTwin(device, { tags: { a: { b: 1, c: 2 } }, properties: { desired: { x: 1, y: { z: [1] } } } });
  const patch = { tags: { a: { b: null } }, properties: { desired: { x: null, y: { w: 28.02 } } } };
  // What the first answer says of the ETag holds for the next write.
  const twin = await c.updateTwin(device, patch, first.etag);
  equal(twin.tags, { a: { c: 2 } });
  equal(plain(twin.properties.desired), { y: { z: [1], w: 28.02 }, $version: 3 });
  equal(JSON.parse(JSON.stringify(plain((await c.twin(device)).properties.desired))), plain(twin.properties.desired));
});

define('twins/update-refused', COLUMNS, async (c) => {
  const device = await c.device();
  const stale = (await c.twin(device)).etag;
  await c.updateTwin(device, { tags: { a: 1 } });
  await refused(() => c.updateTwin(device, { tags: { a: 2 } }, stale), 412);
  for (const desired of [nested(12), { 'with.dot': 1 }, { long: 'x'.repeat(4097) }, { big: 2 ** 53 }]) {
    await refused(() => c.setDesired(device, { good: 1, ...desired }), 400);
  }
  equal(plain((await c.twin(device)).properties.desired), { $version: 1 });
});

define('twins/replace', COLUMNS, async (c) => {
  // The SDK has no call for it; tools of its authors send this.
  const device = await c.device();
  const { etag } = await c.updateTwin(device, { tags: { old: 1 }, properties: { desired: { old: 1, kept: 1 } } });
  const json = { tags: { new: 1 }, properties: { desired: { kept: 1 } } };
  const twin = await c.hub.rest('PUT', `/twins/${device.deviceId}`, { json, headers: { 'If-Match': `"${etag}"` }, expect: 200 });
  equal([twin.json().tags, plain(twin.json().properties.desired)], [{ new: 1 }, { kept: 1, $version: 3 }]);
});

define('event-sources/twin-changes', COLUMNS, async (c) => {
  const device = await c.device();
  await c.updateTwin(device, { tags: { floor: 3 } });
  const event = await c.events(device, 'twinChangeEvents').take();
  equal([event.properties.opType, event.body.tags], ['updateTwin', { floor: 3 }]);
});

define('event-sources/lifecycle', COLUMNS, async (c) => {
  const device = await c.device();
  await c.registry.delete(device.deviceId);
  const events = await c.events(device, 'deviceLifecycleEvents').takeMany(2);
  equal(events.map(({ properties }) => properties.opType), ['createDeviceIdentity', 'deleteDeviceIdentity']);
});

define('event-sources/connections', COLUMNS, async (c) => {
  const device = await c.device();
  const client = await c.tryToSend(device);
  await client.close();
  const events = await c.events(device, 'deviceConnectionStateEvents').takeMany(2);
  equal(events.map(({ properties }) => properties.opType), ['deviceConnected', 'deviceDisconnected']);
});

define('event-sources/none-of-what-was-refused', COLUMNS, async (c) => {
  const device = await c.device();
  await refused(() => c.updateTwin(device, { tags: { stale: true } }, 'AAAAAAAAAP8='), 412);
  await c.updateTwin(device, { tags: { good: true } });
  equal((await c.events(device, 'twinChangeEvents').take()).body.tags, { good: true });
});
