'use strict';
// Device-to-cloud messages, read back from the events.

const { DEVICE, HTTP, LINKS, Message, check, define, equal, refused } = require('../framework');

// Body, values of system properties, names and values of application properties.
const MESSAGE_BYTES_MAX = 256 * 1024;

define('telemetry/in-order', DEVICE, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const bodies = Array.from({ length: 20 }, (_, number) => `message ${number}`);
  for (const body of bodies) await client.sendEvent(new Message(body));
  const events = await c.events(device).takeMany(bodies.length);
  equal(events.map((event) => event.text), bodies);
  equal(new Set(events.map((event) => event.partition)).size, 1, 'partitions of one device');
});

define('telemetry/stamps-of-the-hub', DEVICE, async (c) => {
  const device = await c.device();
  await c.tryToSend(device);
  const { system } = await c.events(device).take();
  const { responseBody } = await c.registry.get(device.deviceId);
  equal(system['iothub-connection-device-id'], device.deviceId);
  equal(system['iothub-connection-auth-generation-id'], responseBody.generationId);
  const { scope, type, issuer } = JSON.parse(system['iothub-connection-auth-method']);
  equal({ scope, type, issuer }, { scope: 'device', type: 'sas', issuer: 'iothub' });
});

define('telemetry/bodies', DEVICE, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const bodies = ['text with ümläuts ☂', Buffer.from([0, 255, 254, 32]), '{"temperature": 21.5}', ''];
  for (const body of bodies) await client.sendEvent(new Message(body));
  const events = await c.events(device).takeMany(bodies.length);
  equal(events.map((event) => event.bytes), bodies.map((body) => Buffer.from(body)));
});

define('telemetry/application-properties', DEVICE, async (c) => {
  const device = await c.device();
  // Names over HTTPS are header names.
  const links = { 'with blank & ampersand': 'a=b&c=d/e?f#g', 'percent%41': '100%', ümläut: '☂ +plus+', empty: '' };
  const properties = { plain: 'value', punctuation: '~!@#$%^*()', ...(c.column === HTTP ? {} : links) };
  const message = new Message('x');
  Object.entries(properties).forEach(([name, value]) => message.properties.add(name, value));
  await (await c.open(device)).sendEvent(message);
  equal((await c.events(device).take()).properties, properties);
});

define('telemetry/system-properties', DEVICE, async (c) => {
  const device = await c.device();
  const message = new Message('{"a": 1}');
  Object.assign(message, {
    messageId: 'id 1',
    correlationId: 'correlation&1',
    userId: 'user=1',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    // Over AMQP the SDK passes on what it is given, and a time is a number there.
    expiryTimeUtc: c.isAmqp ? Date.parse('2030-01-01T00:00:00Z') : '2030-01-01T00:00:00Z',
  });
  await (await c.open(device)).sendEvent(message);
  const event = await c.events(device).take();
  const expected = {
    'message-id': 'id 1',
    'correlation-id': 'correlation&1',
    // The SDK does not send it over AMQP.
    ...(c.isAmqp ? {} : { 'user-id': 'user=1' }),
    'content-type': 'application/json',
    'content-encoding': 'utf-8',
  };
  equal(Object.fromEntries(Object.keys(expected).map((name) => [name, event.system[name]])), expected);
  equal([event.properties, event.body], [{}, { a: 1 }]);
  check(event.system['absolute-expiry-time'].startsWith('2030-01-01T00:00:00'), 'absolute-expiry-time');
});

define('telemetry/largest', DEVICE, async (c) => {
  const device = await c.device();
  // But for MQTT the SDK names the receiver, which counts.
  const size = MESSAGE_BYTES_MAX - (c.isMqtt ? 0 : 256);
  await (await c.open(device)).sendEvent(new Message(Buffer.alloc(size, 'x')));
  equal((await c.events(device).take()).body.length, size);
});

async function tooLarge(c, device, identity) {
  const client = await c.open(identity, { once: true });
  const message = new Message(Buffer.alloc(MESSAGE_BYTES_MAX, 'x'));
  // The SDK counts bodies only, if anything; the hub counts all.
  message.properties.add('one', 'more');
  await refused(() => client.sendEvent(message), c.isMqtt ? undefined : 'MessageTooLargeError');
  await c.tryToSend(identity);
  equal((await c.events(device).take()).text, 'let me in');
}

define('telemetry/too-large', DEVICE, async (c) => {
  const device = await c.device();
  await tooLarge(c, device, device);
});

define('telemetry/many-at-once', LINKS, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const bodies = Array.from({ length: 50 }, (_, number) => `message ${number}`);
  await Promise.all(bodies.map((body) => client.sendEvent(new Message(body))));
  // Sent over one connection, they keep their order.
  equal((await c.events(device).takeMany(50)).map((event) => event.text), bodies);
});

define('telemetry/batch', [HTTP], async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  const messages = Array.from({ length: 20 }, (_, number) => {
    const message = new Message(number % 2 ? `message ${number}` : Buffer.from([255, number]));
    message.properties.add('number', `${number}`);
    return message;
  });
  await client.sendEventBatch(messages);
  const events = await c.events(device).takeMany(20);
  equal(events.map((event) => event.properties.number), messages.map((_, number) => `${number}`));
  equal(events.map((event) => event.bytes), messages.map((message) => Buffer.from(message.getBytes())));
});

define('telemetry/batch-too-large', [HTTP], async (c) => {
  const device = await c.device();
  const client = await c.open(device, { once: true });
  const messages = Array.from({ length: 5 }, () => new Message(Buffer.alloc(60 * 1024, 'x')));
  await refused(() => client.sendEventBatch(messages), 'MessageTooLargeError');
  await client.sendEventBatch([new Message('after')]);
  equal((await c.events(device).take()).text, 'after', 'nothing of the batch is taken');
});

define('telemetry/module', LINKS, async (c) => {
  const device = await c.device();
  const module = await c.module(device);
  const client = await c.open(module);
  const message = new Message('from the module');
  message.properties.add('own', '1');
  await client.sendEvent(message);
  await client.sendOutputEvent('out', new Message('to an output'));
  const [first, second] = await c.events(device).takeMany(2);
  equal([first.text, first.moduleId, first.properties], ['from the module', module.moduleId, { own: '1' }]);
  equal([second.text, second.moduleId], ['to an output', module.moduleId]);
});

define('telemetry/module-too-large', LINKS, async (c) => {
  const device = await c.device();
  await tooLarge(c, device, await c.module(device));
});
