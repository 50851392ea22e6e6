'use strict';
// The identity registry through the service SDK.

const { SERVICE, Certificate, check, define, equal, refused } = require('../framework');

const COLUMNS = [SERVICE];

const key = (bytes) => Buffer.alloc(bytes, 'k').toString('base64');
const sas = (primaryKey, secondaryKey) => ({ type: 'sas', symmetricKey: { primaryKey, secondaryKey } });
const body = async (call) => (await call).responseBody;

define('registry/create-and-get', COLUMNS, async (c) => {
  const deviceId = c.newId("-:.+%_#*?!(),=@$'");
  c.forgetLater(deviceId);
  const created = await body(c.registry.create({ deviceId, status: 'enabled', authentication: sas(key(16), key(32)) }));
  const found = await body(c.registry.get(deviceId));
  equal(found, created);
  equal([found.deviceId, found.status, found.authentication.type], [deviceId, 'enabled', 'sas']);
  equal(found.authentication.symmetricKey, { primaryKey: key(16), secondaryKey: key(32) });
});

define('registry/create-errors', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  await refused(() => c.registry.create({ deviceId }), 'DeviceAlreadyExistsError');
  await refused(() => c.registry.create({ deviceId: 'invalid/name' }), 'ArgumentError');
  await refused(() => c.registry.get('absent'), 'DeviceNotFoundError');
});

define('registry/update', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  const before = await body(c.registry.get(deviceId));
  const after = await body(c.registry.update({ ...before, status: 'disabled', statusReason: 'maintenance' }));
  equal([after.status, after.statusReason, after.generationId], ['disabled', 'maintenance', before.generationId]);
  check(after.etag !== before.etag, 'a new ETag');
});

define('registry/update-errors', COLUMNS, async (c) => {
  await refused(() => c.registry.update({ deviceId: 'absent', status: 'enabled' }), 'DeviceNotFoundError');
  const { deviceId } = await c.device();
  const headers = { 'If-Match': '"MQ=="' };
  const answer = await c.hub.rest('PUT', `/devices/${deviceId}`, { json: { deviceId }, headers });
  equal([answer.status, answer.headers.get('iothub-errorcode')], [412, 'PreconditionFailed']);
});

define('registry/delete', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  await c.registry.delete(deviceId);
  await refused(() => c.registry.get(deviceId), 'DeviceNotFoundError');
  await refused(() => c.registry.delete(deviceId), 'DeviceNotFoundError');
});

define('registry/modules', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  await c.registry.addModule({ deviceId, moduleId: 'm-1', managedBy: 'someone', authentication: sas(key(16), key(32)) });
  const found = await body(c.registry.getModule(deviceId, 'm-1'));
  equal([found.moduleId, found.managedBy, found.authentication.symmetricKey.primaryKey], ['m-1', 'someone', key(16)]);
  await c.registry.updateModule({ ...found, managedBy: 'other' }, false);
  equal((await body(c.registry.getModule(deviceId, 'm-1'))).managedBy, 'other');
  await c.registry.addModule({ deviceId, moduleId: 'm-2' });
  const all = await body(c.registry.getModulesOnDevice(deviceId));
  equal(all.map(({ moduleId }) => moduleId).sort(), ['m-1', 'm-2']);
  await c.registry.removeModule(deviceId, 'm-1');
  equal((await body(c.registry.getModulesOnDevice(deviceId))).length, 1);
});

define('registry/module-errors', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  await c.registry.addModule({ deviceId, moduleId: 'm' });
  await refused(() => c.registry.addModule({ deviceId, moduleId: 'm' }), 409);
  await refused(() => c.registry.addModule({ deviceId: 'absent', moduleId: 'm' }), 404);
  await refused(() => c.registry.getModule(deviceId, 'absent'), 404);
  const stale = await body(c.registry.getModule(deviceId, 'm'));
  await c.registry.updateModule({ ...stale, managedBy: 'first' }, false);
  await refused(() => c.registry.updateModule({ ...stale, managedBy: 'second' }, false), 412);
  await c.registry.updateModule({ ...stale, managedBy: 'forced' }, true);
});

define('registry/list', COLUMNS, async (c) => {
  const devices = [await c.device(), await c.device()];
  const found = new Set((await body(c.registry.list())).map(({ deviceId }) => deviceId));
  check(devices.every(({ deviceId }) => found.has(deviceId)), `${[...found]}`);
});

define('registry/query', COLUMNS, async (c) => {
  const ids = [(await c.device()).deviceId, (await c.device()).deviceId, (await c.device()).deviceId];
  const list = ids.map((id) => `'${id}'`).join(', ');
  const query = c.registry.createQuery(`SELECT * FROM devices WHERE deviceId IN [${list}]`, 2);
  const pages = [];
  while (query.hasMoreResults) pages.push((await query.nextAsTwin()).result);
  equal(pages.map((page) => page.length), [2, 1]);
  equal(pages.flat().map(({ deviceId }) => deviceId).sort(), [...ids].sort());
});

define('registry/query-of-iot-explorer', COLUMNS, async (c) => {
  const { deviceId } = await c.device({ status: 'disabled' });
  const text = `SELECT deviceId as DeviceId,
    status as Status,
    lastActivityTime as LastActivityTime,
    statusUpdatedTime as StatusUpdatedTime,
    authenticationType as AuthenticationType,
    cloudToDeviceMessageCount as CloudToDeviceMessageCount,
    connectionState as ConnectionState,
    capabilities.iotEdge as IotEdge,
    modelId as ModelId
    FROM devices WHERE STARTSWITH(devices.deviceId, '${deviceId}')`;
  const { result } = await c.registry.createQuery(text).next();
  const { DeviceId, Status, AuthenticationType, ConnectionState, IotEdge } = result[0];
  equal([DeviceId, Status, AuthenticationType, ConnectionState, IotEdge], [deviceId, 'disabled', 'sas', 'Disconnected', false]);
});

define('registry/query-errors', COLUMNS, async (c) => {
  for (const text of ['SELECT * FROM', 'SELECT * FROM devices WHERE deviceId = ', 'nonsense']) {
    await refused(() => c.registry.createQuery(text).next(), 'ArgumentError');
  }
});

define('registry/bulk', COLUMNS, async (c) => {
  const ids = Array.from({ length: 5 }, () => c.newId('-bulk'));
  ids.forEach((id) => c.forgetLater(id));
  const added = await body(c.registry.addDevices(ids.map((deviceId) => ({ deviceId, authentication: sas(key(16), key(32)) }))));
  equal([added.isSuccessful, added.errors], [true, []]);
  const devices = await Promise.all(ids.map((id) => body(c.registry.get(id))));
  equal(devices.map(({ authentication }) => authentication.symmetricKey.primaryKey), ids.map(() => key(16)));
  await c.registry.updateDevices(devices.map((device) => ({ ...device, status: 'disabled' })), true);
  equal((await body(c.registry.get(ids[0]))).status, 'disabled');
  await c.registry.removeDevices(ids.map((deviceId) => ({ deviceId })), true);
  await refused(() => c.registry.get(ids[0]), 'DeviceNotFoundError');
});

define('registry/bulk-errors', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  const other = c.newId('-bulk');
  c.forgetLater(other);
  const devices = [deviceId, other].map((id) => ({ deviceId: id, authentication: sas(key(16), key(32)) }));
  const error = await refused(() => c.registry.addDevices(devices), 400);
  const result = JSON.parse(error.responseBody);
  equal([result.isSuccessful, result.errors.map((row) => [row.deviceId, row.errorCode])], [false, [[deviceId, 'DeviceAlreadyExists']]]);
  equal((await body(c.registry.get(other))).deviceId, other, 'the good one of the two');
});

define('registry/statistics', COLUMNS, async (c) => {
  await c.device({ status: 'disabled' });
  const counts = await body(c.registry.getRegistryStatistics());
  equal(counts.totalDeviceCount, counts.enabledDeviceCount + counts.disabledDeviceCount);
  check(counts.disabledDeviceCount >= 1, JSON.stringify(counts));
});

define('registry/keys', COLUMNS, async (c) => {
  const device = await c.device();
  const first = (await body(c.registry.get(device.deviceId))).authentication.symmetricKey;
  const after = (await body(c.registry.update({ deviceId: device.deviceId, status: 'enabled' }))).authentication.symmetricKey;
  const all = [first.primaryKey, first.secondaryKey, after.primaryKey, after.secondaryKey];
  equal([new Set(all).size, new Set(all.map((text) => Buffer.from(text, 'base64').length)).size], [4, 1]);
});

define('registry/keys-refused', COLUMNS, async (c) => {
  const deviceId = c.newId();
  for (const bad of ['1', 'no base64 at all!', key(15), key(65)]) {
    await refused(() => c.registry.create({ deviceId, authentication: sas(key(16), bad) }), 400);
  }
});

define('registry/authentication-types', COLUMNS, async (c) => {
  const thumbprint = new Certificate('a').thumbprint();
  const untyped = await c.device({ authentication: { x509Thumbprint: { primaryThumbprint: thumbprint, secondaryThumbprint: thumbprint } } });
  equal((await body(c.registry.get(untyped.deviceId))).authentication.type, 'selfSigned');
  const signed = await c.device({ authentication: { type: 'certificateAuthority' } });
  equal((await body(c.registry.get(signed.deviceId))).authentication.type, 'certificateAuthority');
});

define('registry/authentication-types-refused', COLUMNS, async (c) => {
  const x509Thumbprint = { primaryThumbprint: 'XY'.repeat(20), secondaryThumbprint: null };
  const authentication = { type: 'selfSigned', x509Thumbprint };
  await refused(() => c.registry.create({ deviceId: c.newId(), authentication }), 400);
});

define('registry/status', COLUMNS, async (c) => {
  const { deviceId } = await c.device({ status: 'disabled', statusReason: 'new' });
  const off = await body(c.registry.get(deviceId));
  equal([off.status, off.statusReason], ['disabled', 'new']);
  const on = await body(c.registry.update({ ...off, status: 'enabled', statusReason: null }));
  equal([on.status, on.statusReason], ['enabled', null]);
  check(on.statusUpdatedTime > off.statusUpdatedTime, 'statusUpdatedTime');
});

define('registry/status-refused', COLUMNS, async (c) => {
  const { deviceId } = await c.device();
  await refused(() => c.registry.update({ deviceId, status: 'asleep' }), 400);
});
