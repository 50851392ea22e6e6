'use strict';
// Direct methods: called through the service SDK, answered by the device SDK.

const { LINKS, SERVICE, check, define, equal, errorCode, refused } = require('../framework');

// The SDK subscribes in the background: the first call waits for it.
const PATIENT = { connectTimeoutInSeconds: 15 };

/** Handles the method; resolves once the hub knows that the client listens. */
function answer(client, methodName, handle) {
  const register = client.onDeviceMethod ? 'onDeviceMethod' : 'onMethod';
  client[register](methodName, (request, response) => {
    const { status, payload } = handle(request);
    response.send(status, payload, () => {});
  });
}

async function answering(c, identity, handlers) {
  const client = await c.open(identity);
  for (const [name, handle] of Object.entries(handlers)) answer(client, name, handle);
  return client;
}

const echo = (request) => ({ status: 200, payload: request.payload });

define('methods/call', LINKS, async (c) => {
  const device = await c.device();
  await answering(c, device, { reboot: (request) => ({ status: 201, payload: { heard: request.payload } }) });
  const result = await c.call(device, 'reboot', { in: 5 }, PATIENT);
  equal([result.status, result.payload], [201, { heard: { in: 5 } }]);
});

define('methods/payloads', LINKS, async (c) => {
  const device = await c.device();
  await answering(c, device, { echo });
  for (const payload of [null, 'text', '', 0, -1.5, true, [1, [2]], {}, { ümläut: '☂' }]) {
    const result = await c.call(device, 'echo', payload, PATIENT);
    equal(result, { status: 200, payload });
  }
});

define('methods/unknown-method', LINKS, async (c) => {
  const device = await c.device();
  await answering(c, device, { unknown: () => ({ status: 404, payload: { error: 'no such method' } }) });
  equal(await c.call(device, 'unknown', null, PATIENT), { status: 404, payload: { error: 'no such method' } });
});

define('methods/offline', LINKS, async (c) => {
  const device = await c.device();
  equal(errorCode(await refused(() => c.call(device, 'echo'), 404)), 404103);
});

define('methods/no-answer-in-time', LINKS, async (c) => {
  const device = await c.device();
  const client = await answering(c, device, { echo });
  const calls = c.inbox('method call');
  client.onDeviceMethod('slow', (request, response) => calls.put(response));
  await c.call(device, 'echo', null, PATIENT);
  equal(errorCode(await refused(() => c.call(device, 'slow', null, { responseTimeoutInSeconds: 5 }), 504)), 504101);
  // The answer that comes too late harms nobody.
  (await calls.take()).send(200, 'late', () => {});
  equal((await c.call(device, 'echo', 'in time')).payload, 'in time');
}, { isSlow: true });

define('methods/many-in-flight', LINKS, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const calls = c.inbox('method call');
  client.onDeviceMethod('m', (request, response) => calls.put({ request, response }));
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  const results = numbers.map((number) => c.call(device, 'm', number, PATIENT));
  // Answered from the last to the first: each caller gets its own answer.
  const all = await calls.takeMany(40);
  all.reverse().forEach(({ request, response }) => response.send(200, request.payload, () => {}));
  equal((await Promise.all(results)).map(({ payload }) => payload), numbers);
});

define('methods/waits-for-the-device', [...LINKS, SERVICE], async (c) => {
  const device = await c.device();
  const result = c.call(device, 'echo', 'patience', PATIENT);
  await answering(c, device, { echo });
  equal((await result).payload, 'patience');
});

define('methods/module', LINKS, async (c) => {
  const device = await c.device();
  const module = await c.module(device);
  await answering(c, module, { echo });
  equal((await c.call(module, 'echo', 'for the module', PATIENT)).payload, 'for the module');
  equal(errorCode(await refused(() => c.call(device, 'echo'), 404)), 404103);
});

define('methods/module-offline', LINKS, async (c) => {
  const module = await c.module(await c.device());
  equal(errorCode(await refused(() => c.call(module, 'echo'), 404)), 404103);
  equal(errorCode(await refused(() => c.call({ ...module, moduleId: 'unknown' }, 'echo'), 404)), 404010);
});

// The caller's side.

define('methods/invoke', [SERVICE], async (c) => {
  const device = await c.device();
  await answering(c, device, { echo });
  equal(await c.call(device, 'echo', 'text', PATIENT), { status: 200, payload: 'text' });
});

define('methods/invoke-errors', [SERVICE], async (c) => {
  const device = await c.device();
  equal(errorCode(await refused(() => c.call(c.unregistered(), 'm'), 404)), 404001);
  equal(errorCode(await refused(() => c.call(device, 'm'), 404)), 404103);
  await refused(() => c.call(device, 'm', 'x'.repeat(128 * 1024 + 1)), 413);
  await refused(() => c.call(device, 'm', null, { responseTimeoutInSeconds: 4 }), 400);
  await refused(() => c.call(device, 'not a name'), 400);
});

define('methods/waits-in-vain', [SERVICE], async (c) => {
  const device = await c.device();
  const started = c.call(device, 'echo', null, { connectTimeoutInSeconds: 1 });
  const error = await refused(() => started, 404);
  equal(errorCode(error), 404103);
  check(JSON.parse(JSON.parse(error.responseBody).Message).info.timeout === '00:00:01', error.responseBody);
});

module.exports = { PATIENT, answer, answering, echo };
